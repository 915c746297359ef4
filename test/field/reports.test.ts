import { expect, test } from 'vitest';
import { send } from '../rest/client.ts';
import { makeCertificate } from './certificate.ts';
import {
  type Answer,
  CD,
  EJECT,
  FIRST,
  fault,
  IMAGE,
  type Json,
  link,
  MEDIA,
  members,
  missing,
  ROOT,
  SESSIONS,
  SUBSCRIPTIONS,
  SYSTEM,
} from './machine.ts';
import { DESTINATION, enrol, open, rest, serviceUrl } from './operator.ts';

// What people reported of real machines. Each test has the machine of one report, and what must come of it. The kinds to
// which they belong have tests in other forms in the files beside this one.

const CUT_OFF = 'HTTP/1.1 401 Unauthorized\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n';

test.concurrent('a session that ended with a 401 that is cut off is opened again (check_redfish 90)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ auth }) => (auth === 'ended' ? { raw: CUT_OFF } : undefined),
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  machine.endSessions();
  const { status, json } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(200);
  expect(json.Id).toBe('first');
  expect(machine.logins).toHaveLength(2);
});

test.concurrent('a session that ended with 403 NoValidSession is opened again (sushy)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ auth }) => {
      if (auth !== 'ended') return undefined;
      const code = 'Base.1.8.NoValidSession';
      return { status: 403, body: { error: { code, '@Message.ExtendedInfo': [{ MessageId: code }] } } };
    },
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  machine.endSessions();
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect(machine.logins).toHaveLength(2);
});

test.concurrent('a 403 for want of rights opens no session', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ path }) => (path === FIRST ? fault(403, 'Base.1.8.InsufficientPrivilege') : undefined),
  });
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain('The machine says Base.1.8.InsufficientPrivilege.');
  expect(machine.logins).toHaveLength(1);
});

test.concurrent('if_exists finds a destination that the BMC shows with its port (bmcweb)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }, the) =>
      method === 'POST' && path === SUBSCRIPTIONS
        ? the.subscribe(json, { Destination: 'https://192.0.2.10:443/events' })
        : undefined,
  });
  const args = { Destination: 'https://192.0.2.10/events', Context: 'mine', if_exists: 'return' };
  const made = [];
  for (let i = 0; i < 3; i++) made.push(await node.call('create_subscription', args));
  expect(made.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(new Set(made.map(({ json }) => json.Id)).size).toBe(1);
  expect(machine.subscriptions.size).toBe(2);
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
});

const basicOnly = ({ method, path }: { method: string; path: string }): Answer | undefined =>
  method === 'POST' && path === SESSIONS
    ? { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="bmc"' } }
    : undefined;

test.concurrent('a 401 at Sessions is followed by Basic, which is right (gofish 102)', async (context) => {
  const { machine, node } = await open(context, { behave: basicOnly }, { redfish_auth_type: 'auto' });
  for (let i = 0; i < 2; i++) expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect(machine.logins.length).toBeLessThanOrEqual(2);
});

test.concurrent('a password that is wrong by both ways is tried once by each', async (context) => {
  const { machine, node } = await open(context, { behave: basicOnly }, { redfish_password: 'wrong' });
  for (let i = 0; i < 3; i++) expect((await node.call('get_all_subscriptions')).status).toBe(500);
  expect(machine.logins).toHaveLength(1);
  expect(machine.log.filter(({ auth }) => auth === 'wrong')).toHaveLength(1);
});

test.concurrent('a service root that shows strangers less is read again with the session', async (context) => {
  const { node } = await open(context, {
    behave: ({ path, auth }) =>
      path === ROOT && auth === 'none'
        ? {
            body: {
              Id: 'RootService',
              SessionService: link('/redfish/v1/SessionService'),
              Links: { Sessions: link(SESSIONS) },
            },
          }
        : undefined,
  });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

test.concurrent('services that the root does not name are found at their usual paths (nv-redfish 224)', async (context) => {
  const { node } = await open(context, {
    edit: (documents) => documents.set(ROOT, { Id: 'RootService', Links: { Sessions: link(SESSIONS) } }),
  });
  const { status, json } = await node.call('get_all_subscriptions');
  expect(status).toBe(200);
  expect(json.Members).toEqual([link(FIRST)]);
});

test.concurrent('a read that gets 500 in HTML is sent again (sushy)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ path, method, nth }) =>
      path === FIRST && method === 'GET' && nth === 1
        ? {
            status: 500,
            headers: { 'Content-Type': 'text/html' },
            body: '<html><body>Something broke</body></html>',
          }
        : undefined,
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect(machine.sent('GET', FIRST)).toHaveLength(2);
});

test.concurrent('what may change something is not sent again after a 500 (sushy)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) =>
      method !== 'GET' && path.startsWith(SUBSCRIPTIONS)
        ? { status: 500, headers: { 'Content-Type': 'text/html' }, body: '<html><body>Something broke</body></html>' }
        : undefined,
  });
  expect((await node.call('create_subscription', { Destination: DESTINATION })).status).toBe(500);
  expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(500);
  expect(machine.changes).toEqual([`POST ${SUBSCRIPTIONS}`, `DELETE ${FIRST}`]);
});

test.concurrent('an empty ETag is none, so that a device is emptied by PATCH without If-Match (sushy)', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => void delete documents.get(CD)!.Actions,
    behave: ({ method, path, headers }, the) => {
      if (path !== CD) return undefined;
      if (method === 'GET') return { headers: { ETag: '' }, body: the.cd };
      if (headers['if-match'] !== undefined) return fault(412, 'Base.1.8.PreconditionFailed');
      the.eject();
      return { body: the.cd };
    },
  });
  expect(await node.eject()).toMatchObject({ status: 202, state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
  expect(machine.cd).toMatchObject({ Inserted: false, Image: null });
});

test.concurrent.for([
  ['empty', { boot_device: '' }],
  ['null', { boot_device: null }],
  ['absent', {}],
] as const)('a boot_device that is %s means all devices', async ([, args], context) => {
  const { machine, node } = await open(context, {});
  expect(await node.eject(args)).toMatchObject({ status: 202, outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
});

test.concurrent('an account that may not read managers ejects and discovers (check_redfish 145)', async (context) => {
  const { machine, node } = await open(context, {
    media: 'Systems/1',
    behave: ({ path }) =>
      path.startsWith('/redfish/v1/Managers') ? fault(403, 'Base.1.8.InsufficientPrivilege') : undefined,
  });
  expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
  const discovered = await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', {
    address: machine.url,
    username: 'u',
    password: 'p',
  });
  expect(discovered.status).toBe(200);
  expect(discovered.json.systems).toEqual([
    expect.objectContaining({
      system_id: SYSTEM,
      vendor: 'Contoso',
      firmware: null,
      events: true,
      virtual_media: true,
    }),
  ]);
});

test.concurrent('subscriptions are shown where events are switched off (bmcweb 149)', async (context) => {
  const { node } = await open(context, {
    edit: (documents) =>
      documents.set('/redfish/v1/EventService', { ServiceEnabled: false, Subscriptions: link(SUBSCRIPTIONS) }),
    behave: ({ method, path }) => (method === 'GET' && path === SUBSCRIPTIONS ? { body: members(FIRST) } : undefined),
  });
  const all = await node.call('get_all_subscriptions');
  expect(all.status).toBe(200);
  expect(all.json.Members).toEqual([link(FIRST)]);
  const one = await node.call('get_subscription', { id: 'first' });
  expect(one.status).toBe(200);
  expect(one.json).toMatchObject({ Id: 'first', Destination: 'https://192.0.2.1/first' });
});

test.concurrent('a machine without an event service is a 500 that says so (python-ironicclient)', async (context) => {
  const { node } = await open(context, {
    edit: (documents) => {
      delete documents.get(ROOT)!.EventService;
      documents.delete('/redfish/v1/EventService');
    },
    behave: ({ path }) => (path.startsWith('/redfish/v1/EventService') ? missing() : undefined),
  });
  const { status, told } = await node.call('get_all_subscriptions');
  expect(status).toBe(500);
  expect(told).toMatch(/no (EventService|event service)/i);
});

test.concurrent('a subscription whose Location names the collection is found', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }, the) => {
      if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
      the.subscribe(json);
      return { status: 201, headers: { Location: SUBSCRIPTIONS } };
    },
  });
  const { status, json } = await node.call('create_subscription', { Destination: DESTINATION, Context: 'mine' });
  expect(status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual(['first', json.Id]);
  expect(json).toMatchObject({ Destination: DESTINATION, Context: 'mine' });
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
});

test.concurrent('an error that is a bare text in JSON is told (gofish 157)', async (context) => {
  const { node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'POST' && path === SUBSCRIPTIONS
        ? { status: 400, body: { cc: 9, error: 'No seat is left for this listener' } }
        : undefined,
  });
  const { status, told } = await node.call('create_subscription', { Destination: DESTINATION });
  expect(status).toBe(500);
  expect(told).toContain('No seat is left for this listener');
});

test.concurrent('a certificate too weak for OpenSSL is told with the key that lets it pass (ilo-utils 5)', async (context) => {
  const weak = makeCertificate({ rsaBits: 1024, digest: 'sha1' });
  context.onTestFinished(weak.remove);
  const tls = { key: weak.key, cert: weak.cert, ciphers: 'DEFAULT@SECLEVEL=0' };
  const { node } = await open(context, { tls }, { redfish_verify_ca: weak.path });
  const { status, told } = await node.call('get_all_subscriptions');
  expect(status).toBe(500);
  expect(told).toContain('redfish_tls_ciphers');
  await node.change({ redfish_tls_ciphers: 'DEFAULT@SECLEVEL=0' });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

test.for(['fd00::17', '::1'])('an address of IPv6 without brackets is valid: %s (ironic 2036454)', async (address) => {
  const node = await enrol({ redfish_address: address });
  expect((await node.validate()).json.vendor).toMatchObject({ result: true });
  if (address === '::1') {
    const { status, told } = await node.call('get_all_subscriptions');
    expect(status).toBe(500);
    expect(told).toMatch(/Unable to connect to https:\/\/\[::1\]/);
  }
  await node.remove();
});

test.concurrent('the version may be in OpenStack-API-Version alone', async (context) => {
  const { node } = await open(context);
  const headers = { 'OpenStack-API-Version': 'baremetal 1.82' };
  expect((await send(serviceUrl(), { path: `/v1/nodes/${node.name}`, headers })).status).toBe(200);
});

// From here on what was right before.

test.concurrent('sessions are opened where the root links to (idrac_exporter 132)', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.get(ROOT)!.Links = { Sessions: link('/redfish/v1/Sessions') };
    },
    behave: ({ path }) => (path === SESSIONS ? fault(405, 'Base.1.8.OperationNotAllowed') : undefined),
  });
  machine.sessionsPath = '/redfish/v1/Sessions';
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect(machine.sent('POST')).toHaveLength(1);
  expect(machine.logins).toHaveLength(1);
});

test.concurrent('a session without Location is deleted by the path in its body (python-redfish-library 172)', async (context) => {
  const at = `${SESSIONS}/abc`;
  const { machine, node } = await open(context, {
    behave: ({ method, path }, the) => {
      if (method !== 'POST' || path !== SESSIONS) return undefined;
      the.sessions.set('t', at);
      return { status: 201, headers: { 'X-Auth-Token': 't' }, body: { '@odata.id': at, Id: 'abc' } };
    },
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  await node.remove();
  expect(machine.sent('DELETE').map(({ path }) => path)).toEqual([at]);
});

test.concurrent('a password that must be changed is told (Redfish-Protocol-Validator 28)', async (context) => {
  const { node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'GET' && path !== ROOT ? fault(403, 'Base.1.10.PasswordChangeRequired') : undefined,
  });
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain('The machine says Base.1.10.PasswordChangeRequired.');
});

test.concurrent('an emulator without sessions and managers is read and emptied by Basic (proxmox-redfish 34)', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      const root = documents.get(ROOT)!;
      delete root.Links;
      delete root.Managers;
      delete root.SessionService;
      documents.delete('/redfish/v1/Managers');
      documents.delete('/redfish/v1/SessionService');
    },
    behave: ({ path }) => (path.startsWith('/redfish/v1/SessionService') ? missing() : undefined),
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
  expect(machine.sent('POST', EJECT).map(({ auth }) => auth)).toEqual(['basic']);
});

test.concurrent('SYS518 with Retry-After is waited out (sushy)', async (context) => {
  let until: number | undefined;
  const { machine, node } = await open(context, {
    behave: ({ method, path, at }) => {
      if (method !== 'POST' || path !== EJECT) return undefined;
      until ??= at + 5000;
      return at < until ? fault(503, 'IDRAC.2.8.SYS518', {}, { 'Retry-After': '2' }) : undefined;
    },
  });
  expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
});

test.concurrent('an image whose name stays is ejected, and empty the second time (community.general 6969)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }, the) => {
      if (method !== 'POST' || path !== EJECT) return undefined;
      Object.assign(the.cd, { Inserted: false, ConnectedVia: 'NotConnected', Image: IMAGE });
      return { status: 204 };
    },
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'empty' });
  expect(machine.sent('POST', EJECT)).toHaveLength(1);
});

test.concurrent('an action without a target is replaced by PATCH, whose failure names the device (kubevirtbmc 172)', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.get(CD)!.Actions = { '#VirtualMedia.EjectMedia': {} };
    },
    behave: ({ method }) => (method === 'PATCH' ? fault(501, 'Base.1.8.NotImplemented') : undefined),
  });
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  expect(job.told).toContain('CD1');
  expect(job.lastError).toContain('CD1');
  expect(machine.sent('PATCH', CD).length).toBeGreaterThan(0);
});

test.concurrent('what a BMC says that is not ready is told (badfish 129)', async (context) => {
  const { node } = await open(context, {
    behave: ({ path }) => (path === MEDIA ? fault(400, 'IDRAC.1.6.SWC0700') : undefined),
  });
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  expect(job.told).toContain('The machine says IDRAC.1.6.SWC0700.');
});

test.concurrent('a document with a comma too many is told to be no JSON (ansible 58568)', async (context) => {
  const { node } = await open(context, {
    behave: ({ path }) => (path === SYSTEM ? { body: '{"Id": "1", "Name": "System" ,}' } : undefined),
  });
  const job = await node.eject();
  expect(job.state).toBe('JOB_STATE_FAILED');
  expect(job.told).toMatch(/JSON/);
});

test.concurrent('Members that is null is no member (nv-redfish)', async (context) => {
  const { node } = await open(context, {
    behave: ({ path, method }) =>
      path === SUBSCRIPTIONS && method === 'GET' ? { body: { Members: null } } : undefined,
  });
  const { status, json } = await node.call('get_all_subscriptions');
  expect(status).toBe(200);
  expect(json.Members).toEqual([]);
});

test.concurrent('EventTypes that is unknown is left out (Redfish-Event-Listener 10)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }) => {
      if (method !== 'POST' || path !== SUBSCRIPTIONS || json.EventTypes === undefined) return undefined;
      const entry = { MessageId: 'Base.1.6.PropertyUnknown', MessageArgs: ['EventTypes'] };
      return { status: 400, body: { '@Message.ExtendedInfo': [entry] } };
    },
  });
  expect((await node.call('create_subscription', { Destination: DESTINATION })).status).toBe(200);
  const posts: Json[] = machine.sent('POST', SUBSCRIPTIONS).map(({ json }) => json);
  expect(posts).toHaveLength(2);
  expect(posts[1]).not.toHaveProperty('EventTypes');
  expect(machine.subscriptions.size).toBe(2);
});

test.concurrent('an error in the form of OData is told (iDRAC-Redfish-Scripting 7)', async (context) => {
  const { node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'POST' && path === SUBSCRIPTIONS
        ? { status: 400, body: { error: { code: '1', message: { lang: 'en', value: 'The sink has no plug' } } } }
        : undefined,
  });
  const { status, told } = await node.call('create_subscription', { Destination: DESTINATION });
  expect(status).toBe(500);
  expect(told).toContain('The sink has no plug');
});

test.concurrent('a limit under 403 is told, without another POST or log-in (bmcweb 150)', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'POST' && path === SUBSCRIPTIONS ? fault(403, 'Base.1.4.EventSubscriptionLimitExceeded') : undefined,
  });
  const { status, told } = await node.call('create_subscription', { Destination: DESTINATION });
  expect(status).toBe(500);
  expect(told).toContain('The machine says Base.1.4.EventSubscriptionLimitExceeded.');
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
  expect(machine.logins).toHaveLength(1);
});

test.concurrent('redirects to a slash are followed with their verbs (project-pegaprox 609)', async (context) => {
  const { machine, node } = await open(context, {
    behave: (request, the) => {
      const { path } = request;
      if (!path.endsWith('/')) return { status: 301, headers: { Location: `${path}/` } };
      return the.usual({ ...request, path: path === ROOT ? path : path.slice(0, -1) });
    },
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  const made = await node.call('create_subscription', { Destination: DESTINATION });
  expect(made.status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual(['first', made.json.Id]);
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual([made.json.Id]);
});

test.concurrent('bytes after a response do not spoil it (postman-app-support 9176)', async (context) => {
  const { node } = await open(context, {
    behave: (request, the) => ({ ...the.usual(request), more: '\r\n\r\n<!-- rest -->' }),
  });
  for (let i = 0; i < 5; i++) expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

test.concurrent('connections that are closed silently after each response lose no subscription (Redfish-Event-Listener 24)', async (context) => {
  const { machine, node } = await open(context, {
    behave: (request, the) => ({ ...the.usual(request), closeAfter: 20 }),
  });
  // By a read, which loses nothing, the service learns that the BMC closes its connections.
  await node.call('get_all_subscriptions');
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (let i = 0; i < 10; i++) {
    const { status } = await node.call('create_subscription', { Destination: `${DESTINATION}/${i}` });
    expect(status).toBe(200);
    // After the close for some, before it for the others.
    if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(machine.subscriptions.size).toBe(11);
});
