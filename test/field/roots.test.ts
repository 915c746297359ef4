import { expect, test } from 'vitest';
import {
  type Answer,
  FIRST,
  fault,
  type Json,
  link,
  members,
  missing,
  ROOT,
  SESSIONS,
  SUBSCRIPTIONS,
  SYSTEM,
  unauthorized,
} from './machine.ts';
import { DESTINATION, type FieldNode, open, rest } from './operator.ts';

// The service root may be poor: smaller for strangers than for account holders, without links to services that answer at their
// usual paths (DSP0268), without Links.

/** Does all that a node can do. */
async function doAll(node: FieldNode): Promise<void> {
  const all = await node.call('get_all_subscriptions');
  expect({ status: all.status, told: all.told }).toEqual({ status: 200, told: '' });
  expect(all.json.Members).toEqual([link(FIRST)]);
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  const made = await node.call('create_subscription', { Destination: DESTINATION });
  expect(made.status).toBe(200);
  expect((await node.call('delete_subscription', { id: made.json.Id })).status).toBe(200);
  const job = await node.eject();
  expect(job).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', told: '', outcomes: { CD1: 'ejected' } });
}

const ROOTS: readonly (readonly [string, Json])[] = [
  ['nothing', {}],
  ['its Id alone', { Id: 'RootService', RedfishVersion: '1.0.0' }],
  ['empty Links', { Id: 'RootService', Links: {} }],
  ['Links that are null', { Id: 'RootService', Links: null, Systems: null, Managers: null, EventService: null }],
  ['empty links', { Systems: {}, Managers: {}, EventService: {}, SessionService: {}, Links: { Sessions: {} } }],
  [
    'links of empty texts',
    {
      Systems: link(''),
      Managers: link(''),
      EventService: link(''),
      SessionService: link(''),
      Links: { Sessions: link('') },
    },
  ],
  ['the session service alone', { SessionService: link('/redfish/v1/SessionService') }],
  ['chassis alone', { Id: 'RootService', Chassis: link('/redfish/v1/Chassis'), Links: { Sessions: link(SESSIONS) } }],
];

test.concurrent.for(ROOTS)('all methods work where the root shows everybody %s', async ([, root], context) => {
  const { machine, node } = await open(context, { edit: (documents) => documents.set(ROOT, root) });
  await doAll(node);
  expect(machine.logins).toHaveLength(1);
});

test.concurrent.for(ROOTS)('all methods work where the root shows strangers %s', async ([, root], context) => {
  const { machine, node } = await open(context, {
    behave: ({ path, auth }) => (path === ROOT && auth !== 'session' && auth !== 'basic' ? { body: root } : undefined),
  });
  await doAll(node);
  expect(machine.logins).toHaveLength(1);
  expect(machine.sent('GET', ROOT).length).toBeLessThanOrEqual(3);
});

test.concurrent.for<readonly [string, Answer]>([
  ['401', unauthorized()],
  ['403', fault(403, 'Base.1.8.AccessDenied')],
  ['404', missing()],
  ['500', { status: 500 }],
  ['HTML', { headers: { 'Content-Type': 'text/html' }, body: '<html>Log in</html>' }],
  ['an empty 200', { status: 200 }],
])('all methods work where the root is closed to strangers with %s', async ([, closed], context) => {
  const { machine, node } = await open(context, {
    behave: ({ path, auth }) => (path === ROOT && auth === 'none' ? closed : undefined),
  });
  await doAll(node);
  expect(machine.logins).toHaveLength(1);
});

test.concurrent.for(ROOTS)('discover works where the root shows strangers %s', async ([, root], context) => {
  const { machine } = await open(context, {
    behave: ({ path, auth }) => (path === ROOT && auth === 'none' ? { body: root } : undefined),
  });
  const address = { address: machine.url, username: 'u', password: 'p' };
  const { status, json } = await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', address);
  expect(status).toBe(200);
  expect(json.systems).toMatchObject([
    { system_id: SYSTEM, model: 'M1', firmware: '7.1', events: true, virtual_media: true },
  ]);
});

test.concurrent('a root that shows strangers less and knows Basic alone', async (context) => {
  const { node } = await open(
    context,
    {
      behave: ({ path, auth, method }) => {
        if (method === 'POST' && path === SESSIONS) return fault(401, 'Base.1.8.ServiceDisabled');
        return path === ROOT && auth === 'none' ? { body: { Links: { Sessions: link(SESSIONS) } } } : undefined;
      },
    },
    {},
  );
  await doAll(node);
});

test.concurrent('the subscriptions are at their usual path where the event service does not link to them', async (context) => {
  const { node } = await open(context, {
    edit: (documents) => documents.set('/redfish/v1/EventService', { Id: 'EventService', ServiceEnabled: true }),
  });
  await doAll(node);
});

test.concurrent('a manager whose media are not linked has them at their usual path', async (context) => {
  const { node } = await open(context, {
    edit: (documents) => void delete documents.get('/redfish/v1/Managers/1')!.VirtualMedia,
  });
  await doAll(node);
});

test.concurrent('sessions are found by the session service where the root does not link to them', async (context) => {
  const place = '/redfish/v1/AccountService/Sessions';
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.get(ROOT)!.Links = {};
      documents.set('/redfish/v1/SessionService', { Id: 'SessionService', Sessions: link(place) });
    },
    behave: ({ method, path, auth }) => {
      if (path === SESSIONS && method === 'POST') return missing();
      // The session service is open to strangers here.
      return path === '/redfish/v1/SessionService' && auth === 'none'
        ? { body: { Id: 'SessionService', Sessions: link(place) } }
        : undefined;
    },
  });
  machine.sessionsPath = place;
  // By a session or by Basic, as the sessions are at no usual place.
  await doAll(node);
});

test.concurrent.for<readonly [string, Answer]>([
  ['404', missing()],
  ['404 in HTML', { status: 404, headers: { 'Content-Type': 'text/html' }, body: '<html>404</html>' }],
  ['410', { status: 410 }],
])('a service that neither the root nor its usual path has (%s) is a lasting error', async ([, absent], context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => void delete documents.get(ROOT)!.EventService,
    behave: ({ path }) => (path.startsWith('/redfish/v1/EventService') ? absent : undefined),
  });
  for (const [method, args] of [
    ['get_all_subscriptions', {}],
    ['create_subscription', { Destination: DESTINATION }],
    ['create_subscription', { Destination: DESTINATION, if_exists: 'return' }],
  ] as const) {
    const { status, told } = await node.call(method, args);
    expect(status).toBe(500);
    expect(told).toMatch(/no (EventService|event service)/i);
  }
  expect(machine.changes).toEqual([]);
});

test.concurrent('a service whose link is dead is looked for at its usual path', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.get(ROOT)!.EventService = link('/redfish/v1/Oem/EventService');
    },
  });
  expect(machine.documents.has('/redfish/v1/Oem/EventService')).toBe(false);
  const { status, told } = await node.call('get_all_subscriptions');
  // Either is right, as long as it is told.
  if (status !== 200) expect(told).toMatch(/404|not found|no EventService/i);
});

test.concurrent('ServiceEnabled false stops new subscriptions alone', async (context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => {
      documents.get('/redfish/v1/EventService')!.ServiceEnabled = false;
    },
  });
  machine.subscriptions.set('second', { Id: 'second', Destination: DESTINATION });
  expect((await node.call('get_all_subscriptions')).json.Members).toHaveLength(2);
  const made = await node.call('create_subscription', { Destination: 'https://192.0.2.77/x' });
  expect(made.status).toBe(500);
  expect(made.told).toMatch(/ServiceEnabled|switched off|disabled/i);
  expect((await node.call('get_subscription', { id: 'second' })).status).toBe(200);
  expect((await node.call('get_subscription', { id: 'none' })).status).toBe(404);
  expect((await node.call('delete_subscription', { id: 'second' })).status).toBe(200);
  expect(machine.changes).toEqual([`DELETE ${SUBSCRIPTIONS}/second`]);
});

test.concurrent('a system that is the only one is found without a link to systems', async (context) => {
  const { node } = await open(context, {
    edit: (documents) => {
      delete documents.get(ROOT)!.Systems;
      documents.set('/redfish/v1/Systems', members(SYSTEM));
    },
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
});
