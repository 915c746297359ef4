import { expect, test } from 'vitest';
import {
  type Answer,
  type Behaviour,
  FIRST,
  fault,
  missing,
  SESSIONS,
  SUBSCRIPTIONS,
  unauthorized,
} from './machine.ts';
import { enrol, open, rest } from './operator.ts';

// A log-in can be refused without the password being wrong. One try each way (session, then Basic) before it counts as wrong.

/** Refuses every log-in by session. */
const sessionsRefused =
  (refusal: Answer): Behaviour =>
  ({ method, path }) =>
    method === 'POST' && path === SESSIONS ? refusal : undefined;

const REFUSALS: readonly (readonly [string, Answer])[] = [
  [
    '401 of a front end that knows Basic alone',
    { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' }, body: '<html></html>' },
  ],
  ['401 that names nothing', { status: 401 }],
  ['401 with a Redfish message', fault(401, 'Base.1.8.ResourceAtUriUnauthorized')],
  [
    '403, as sessions are switched off',
    fault(403, 'Base.1.8.ServiceDisabled', { MessageArgs: ['/redfish/v1/SessionService'] }),
  ],
  ['403 for want of a licence', fault(403, 'iLO.2.14.LicenseKeyRequired')],
  ['400 without words', { status: 400 }],
  ['400, as the service is disabled', { status: 400, body: { error: 'Session service is disabled' } }],
  ['503, as no session is left', fault(503, 'Base.1.8.SessionLimitExceeded')],
  ['400, as no session is left', fault(400, 'Base.1.8.SessionLimitExceeded')],
  ['403, as no session is left', fault(403, 'Base.1.8.CreateLimitReachedForResource')],
  ['404 in HTML', { status: 404, headers: { 'Content-Type': 'text/html' }, body: '<html>Not found</html>' }],
  ['405', fault(405, 'Base.1.8.OperationNotAllowed')],
  ['501', { status: 501 }],
  ['500 in plain text', { status: 500, headers: { 'Content-Type': 'text/plain' }, body: 'cannot open session' }],
  ['429', { status: 429 }],
  ['502 in HTML', { status: 502, headers: { 'Content-Type': 'text/html' }, body: '<html>Bad gateway</html>' }],
  ['201 without a token', { status: 201, body: { Id: '1' } }],
  ['200 with an empty token', { status: 200, headers: { 'X-Auth-Token': '' }, body: {} }],
];

test.concurrent.for(REFUSALS)('Basic is used where Sessions returns %s', async ([, refusal], context) => {
  const { machine, node } = await open(context, { behave: sessionsRefused(refusal) }, { redfish_auth_type: 'auto' });
  for (let i = 0; i < 2; i++) {
    const { status, told } = await node.call('get_all_subscriptions');
    expect({ status, told }).toEqual({ status: 200, told: '' });
  }
  // A read of it may be repeated, a log-in not more than once per call.
  expect(machine.logins.length).toBeLessThanOrEqual(2);
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
});

test.concurrent('Basic is used where the session service says that it is off', async (context) => {
  const { node } = await open(context, {
    edit: (documents) => documents.set('/redfish/v1/SessionService', { Id: 'SessionService', ServiceEnabled: false }),
    behave: sessionsRefused(fault(401, 'Base.1.8.ServiceDisabled')),
  });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

const sessionsWrong = {
  401: fault(401, 'Base.1.8.InsufficientPrivilege'),
  403: fault(403, 'Base.1.8.AccessDenied'),
  400: {
    status: 400,
    body: { error: { code: 'iLO.0.10.UnauthorizedLoginAttempt', message: 'Invalid user or password' } },
  },
};
const basicWrong = {
  401: unauthorized(),
  403: fault(403, 'Base.1.8.AccessDenied'),
  400: {
    status: 400,
    body: { error: { code: 'iLO.0.10.UnauthorizedLoginAttempt', message: 'Invalid user or password' } },
  },
};
const WRONG = Object.entries(sessionsWrong).flatMap(([session, atSessions]) =>
  Object.entries(basicWrong).map(([basic, byBasic]) => [session, basic, atSessions, byBasic] as const),
);

test.concurrent.for(WRONG)(
  'a wrong password that Sessions answers with %s and Basic with %s is tried once by each way',
  async ([, , atSessions, byBasic], context) => {
    const behave: Behaviour = ({ method, path, json, auth }) => {
      if (method === 'POST' && path === SESSIONS) return json?.Password === 'p' ? undefined : atSessions;
      return auth === 'wrong' ? byBasic : undefined;
    };
    const { machine, node } = await open(context, { behave }, { redfish_password: 'wrong' });
    for (let i = 0; i < 3; i++) expect((await node.call('get_all_subscriptions')).status).toBe(500);
    expect(machine.logins).toHaveLength(1);
    expect(machine.log.filter(({ auth }) => auth === 'wrong')).toHaveLength(1);
    // The right password is taken at once.
    await node.change({ redfish_password: 'p' });
    expect((await node.call('get_all_subscriptions')).status).toBe(200);
  },
);

test.concurrent('a wrong password is tried once by each way, however many calls come at once', async (context) => {
  const { machine, node } = await open(context, {}, { redfish_password: 'wrong' });
  const calls = await Promise.all(Array.from({ length: 8 }, () => node.call('get_all_subscriptions')));
  expect(calls.map(({ status }) => status)).toEqual(Array(8).fill(500));
  expect(calls[0]!.told).toMatch(/password/);
  expect(machine.logins).toHaveLength(1);
  expect(machine.log.filter(({ auth }) => auth === 'wrong')).toHaveLength(1);
});

test.concurrent('calls that come at once share the tries at Sessions before Basic', async (context) => {
  const { machine, node } = await open(context, { behave: sessionsRefused({ status: 401 }) });
  const calls = await Promise.all(Array.from({ length: 8 }, () => node.call('get_all_subscriptions')));
  expect(calls.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect(machine.logins.length).toBeLessThanOrEqual(2);
});

test.concurrent('a password refused at Sessions does not keep out a node that asks for Basic', async (context) => {
  const { machine, node } = await open(
    context,
    { behave: sessionsRefused({ status: 401 }) },
    { redfish_auth_type: 'session' },
  );
  expect((await node.call('get_all_subscriptions')).status).toBe(500);
  expect(machine.log.some(({ auth }) => auth === 'basic')).toBe(false);
  const other = await enrol({ redfish_address: machine.url, redfish_auth_type: 'basic' });
  expect((await other.call('get_all_subscriptions')).status).toBe(200);
  const third = await enrol({ redfish_address: machine.url, redfish_auth_type: 'auto' });
  expect((await third.call('get_all_subscriptions')).status).toBe(200);
});

test.concurrent.for([
  ['401', unauthorized()],
  ['401 that offers no Basic', { status: 401, headers: { 'WWW-Authenticate': 'X-Auth-Token realm="x"' } }],
  ['403', fault(403, 'Base.1.8.AccessDenied')],
] as const)(
  'a password refused by Basic with %s does not keep out a node that asks for a session',
  async ([, refusal], context) => {
    const { machine, node } = await open(
      context,
      { behave: ({ auth }) => (auth === 'basic' ? refusal : undefined) },
      { redfish_auth_type: 'basic' },
    );
    expect((await node.call('get_all_subscriptions')).status).toBe(500);
    expect(machine.logins).toHaveLength(0);
    for (const type of ['session', 'auto']) {
      const other = await enrol({ redfish_address: machine.url, redfish_auth_type: type });
      expect((await other.call('get_all_subscriptions')).status).toBe(200);
      await other.remove();
    }
  },
);

test.concurrent('a machine that has no session left for a while gets a session later', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, nth }) =>
      method === 'POST' && path === SESSIONS && nth === 1 ? fault(503, 'Base.1.8.SessionLimitExceeded') : undefined,
  });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect(machine.sent('GET', SUBSCRIPTIONS).at(-1)!.auth).toBe('session');
});

test.concurrent('a wrong password is tried once by each way for a node and for discover together', async (context) => {
  const { machine, node } = await open(context, {}, { redfish_password: 'wrong' });
  expect((await node.call('get_all_subscriptions')).status).toBe(500);
  const address = { address: machine.url, username: 'u', password: 'wrong' };
  expect((await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', address)).status).toBe(500);
  expect(machine.logins).toHaveLength(1);
  expect(machine.log.filter(({ auth }) => auth === 'wrong')).toHaveLength(1);
});

const MADE = `${SESSIONS}/abc`;

test.concurrent.for<readonly [string, Answer]>([
  ['has a relative Location', { headers: { Location: 'Sessions/abc' }, body: {} }],
  ['has a Location with a slash at its end', { headers: { Location: `${MADE}/` }, body: {} }],
  ['has a Location on another host', { headers: { Location: `https://10.1.2.3${MADE}` }, body: {} }],
  ['has a Location of the collection', { headers: { Location: SESSIONS }, body: { '@odata.id': MADE, Id: 'abc' } }],
  ['has an empty Location', { headers: { Location: '' }, body: { '@odata.id': MADE, Id: 'abc' } }],
  ['is no JSON', { headers: { Location: MADE, 'Content-Type': 'text/html' }, body: '<p>Welcome</p>' }],
  ['is a 200', { status: 200, headers: { Location: MADE }, body: { Id: 'abc' } }],
  ['is a 204', { status: 204, headers: { Location: MADE } }],
])('a session whose response %s is used, and deleted with its node', async ([, answer], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }, the) => {
      if (method === 'POST' && path === SESSIONS) {
        the.sessions.set('t', MADE);
        return { status: 201, ...answer, headers: { 'X-Auth-Token': 't', ...answer.headers } };
      }
      return path === `${MADE}/` ? the.serve({ ...the.log.at(-1)!, path: MADE }) : undefined;
    },
  });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect(machine.logins).toHaveLength(1);
  await node.remove();
  expect(machine.sessions.size).toBe(0);
});

test.concurrent('a session whose response is cut off after its headers is used', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, nth }, the) => {
      if (method !== 'POST' || path !== SESSIONS || nth > 1) return undefined;
      the.sessions.set('t', MADE);
      const lines = [
        'HTTP/1.1 201 Created',
        'X-Auth-Token: t',
        `Location: ${MADE}`,
        'Content-Length: 300',
        '',
        '{"Id"',
      ];
      return { raw: lines.join('\r\n') };
    },
  });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect(machine.logins.length).toBeLessThanOrEqual(2);
  await node.remove();
  expect(machine.sessions.size).toBeLessThanOrEqual(machine.logins.length - 1);
});

test.concurrent.for([
  ['session', 401],
  ['session', 403],
  ['session', 400],
  ['basic', 401],
  ['basic', 403],
] as const)(
  'a wrong password of a node that asks for %s is tried once where the answer is %i',
  async ([type, status], context) => {
    const refusal = fault(status, 'Base.1.8.AccessDenied', { Message: 'Invalid user name or password' });
    const { machine, node } = await open(
      context,
      {
        behave: ({ method, path, auth }) =>
          auth === 'wrong' || (method === 'POST' && path === SESSIONS) ? refusal : undefined,
      },
      { redfish_auth_type: type, redfish_password: 'wrong' },
    );
    for (let i = 0; i < 3; i++) expect((await node.call('get_all_subscriptions')).status).toBe(500);
    expect(machine.logins).toHaveLength(type === 'session' ? 1 : 0);
    expect(machine.log.filter(({ auth }) => auth === 'wrong')).toHaveLength(type === 'basic' ? 1 : 0);
  },
);

test.concurrent('a machine with no session left that takes no Basic is asked again by the next call', async (context) => {
  let isFull = true;
  const { node } = await open(context, {
    behave: ({ method, path, auth }) => {
      if (method === 'POST' && path === SESSIONS && isFull) return fault(503, 'Base.1.8.SessionLimitExceeded');
      return auth === 'basic' ? unauthorized() : undefined;
    },
  });
  const refused = await node.call('get_all_subscriptions');
  expect(refused.status).toBe(500);
  expect(refused.told).toContain('The machine says Base.1.8.SessionLimitExceeded.');
  isFull = false;
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

test.concurrent.for<readonly [string, (password: string) => Answer]>([
  [
    'plain text',
    (password) => ({ headers: { 'Content-Type': 'text/plain' }, body: `no user with password ${password}` }),
  ],
  ['HTML', (password) => ({ headers: { 'Content-Type': 'text/html' }, body: `<p>${password} is wrong</p>` })],
  ['a bare error', (password) => ({ body: { error: `${password} is wrong` } })],
  ['base64', (password) => ({ body: { error: `Basic ${btoa(`u:${password}`)} is wrong` } })],
])('a password that the machine quotes in %s is not told', async ([, quote], context) => {
  const password = 'zq-p4ss-7716';
  const { node } = await open(
    context,
    {
      behave: ({ path }) =>
        path.startsWith('/redfish/v1/') && path.length > 12 ? { status: 401, ...quote(password) } : undefined,
    },
    { redfish_password: password },
  );
  for (let i = 0; i < 2; i++) {
    const { status, text } = await node.call('get_all_subscriptions');
    expect(status).toBe(500);
    expect(text).not.toContain('zq-p4ss');
    expect(text).not.toContain(btoa(`u:${password}`));
  }
  const job = await node.eject();
  expect(JSON.stringify(job)).not.toContain('zq-p4ss');
});

test.concurrent.for<readonly [string, Answer]>([
  ['401', { status: 401, headers: { 'WWW-Authenticate': 'Basic realm="x"' } }],
  ['403', fault(403, 'Base.1.8.ServiceDisabled')],
  ['404', missing()],
])('want of rights is no wrong password where Sessions returns %s and Basic is right', async ([, refusal], context) => {
  const { machine, node } = await open(context, {
    media: 'Systems/1',
    behave: ({ method, path }) => {
      if (method === 'POST' && path === SESSIONS) return refusal;
      const isClosed = path === '/redfish/v1/EventService' || path.startsWith('/redfish/v1/Managers') || path === FIRST;
      return isClosed ? fault(403, 'Base.1.8.InsufficientPrivilege') : undefined;
    },
  });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain('The machine says Base.1.8.InsufficientPrivilege.');
  expect((await node.eject()).outcomes).toMatchObject({ CD1: 'ejected' });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect(machine.cd.Inserted).toBe(false);
});
