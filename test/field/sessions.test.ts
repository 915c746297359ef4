import { expect, test } from 'vitest';
import { type Answer, CD, EJECT, FIRST, fault, SUBSCRIPTIONS, SYSTEM } from './machine.ts';
import { DESTINATION, open, rest } from './operator.ts';

// A session can end in any form. The token is dropped, one log-in, the request once more; also for what changes something,
// which the machine has refused and not done.

const head = (status: string, more = '') => `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${more}\r\n`;
const noSession = (status: number, body: unknown): Answer => ({ status, body });

/** How a machine says that the session of a request has ended. */
const ENDS: readonly (readonly [string, Answer])[] = [
  ['401 with NoValidSession', fault(401, 'Base.1.8.NoValidSession')],
  ['401 with an empty body', { status: 401 }],
  ['401 in HTML', { status: 401, headers: { 'Content-Type': 'text/html' }, body: '<html>Log in</html>' }],
  ['401 with JSON that is cut off by its length', { status: 401, body: '{"error": {"code": "Base.1.8.NoVal' }],
  [
    '401 whose body is shorter than announced',
    { raw: `${head('401 Unauthorized', 'Content-Length: 400\r\n')}{"error"` },
  ],
  [
    '401 whose body breaks off after a chunk',
    { raw: `${head('401 Unauthorized', 'Transfer-Encoding: chunked\r\n')}5\r\n{"err\r\n` },
  ],
  ['401 with chunks that are none', { raw: `${head('401 Unauthorized', 'Transfer-Encoding: chunked\r\n')}zz\r\n` }],
  ['401 and a reset connection', { raw: head('401 Unauthorized', 'Content-Length: 400\r\n'), end: 'reset' }],
  [
    '401 with a compressed body that is broken',
    { status: 401, headers: { 'Content-Encoding': 'gzip' }, body: 'no gzip' },
  ],
  ['403 with NoValidSession of iLO', fault(403, 'iLO.2.14.NoValidSession')],
  [
    '403 with NoValidSession in the code alone',
    noSession(403, { error: { code: 'Base.1.0.NoValidSession', message: 'x' } }),
  ],
  [
    '403 with NoValidSession in a single object',
    noSession(403, { error: { '@Message.ExtendedInfo': { MessageId: 'Base.1.4.NoValidSession', Message: 'x' } } }),
  ],
  [
    '403 with NoValidSession directly under the root',
    noSession(403, { '@Message.ExtendedInfo': [{ MessageId: 'Base.1.13.0.NoValidSession' }] }),
  ],
  ['403 with a body that is cut off', { raw: `${head('403 Forbidden', 'Content-Length: 400\r\n')}{"error": {"co` }],
  ['403 and a reset connection', { raw: head('403 Forbidden', 'Content-Length: 400\r\n'), end: 'reset' }],
];

test.concurrent.for(ENDS)('a session that ends with %s is opened again for a read', async ([, end], context) => {
  const { machine, node } = await open(context, { behave: ({ auth }) => (auth === 'ended' ? end : undefined) });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  machine.endSessions();
  const { status, json, told } = await node.call('get_subscription', { id: 'first' });
  expect({ status, told }).toEqual({ status: 200, told: '' });
  expect(json.Id).toBe('first');
  expect(machine.logins).toHaveLength(2);
});

test.concurrent.for(ENDS)('a session that ends with %s is opened again for each change', async ([, end], context) => {
  const { machine, node } = await open(context, { behave: ({ auth }) => (auth === 'ended' ? end : undefined) });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  machine.endSessions();
  const made = await node.call('create_subscription', { Destination: DESTINATION });
  expect({ status: made.status, told: made.told }).toEqual({ status: 200, told: '' });
  expect([...machine.subscriptions.keys()]).toEqual(['first', made.json.Id]);
  machine.endSessions();
  expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(200);
  expect([...machine.subscriptions.keys()]).toEqual([made.json.Id]);
  expect(machine.logins).toHaveLength(3);
  // The eject itself meets the end of the session, after the reads.
  expect(machine.cd.Inserted).toBe(true);
});

test.concurrent.for(ENDS)('a session that ends with %s during an eject is opened again', async ([, end], context) => {
  let ended = false;
  const { machine, node } = await open(context, {
    behave: ({ auth, method, path }, the) => {
      if (method === 'POST' && path === EJECT && !ended) {
        ended = true;
        the.endSessions();
        return end;
      }
      return auth === 'ended' ? end : undefined;
    },
  });
  const job = await node.eject();
  expect(job).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', told: '', outcomes: { CD1: 'ejected' } });
  expect(machine.cd.Inserted).toBe(false);
  expect(machine.logins).toHaveLength(2);
});

test.concurrent('a session that ends during an eject by PATCH is opened again', async (context) => {
  let ended = false;
  const { machine, node } = await open(context, {
    edit: (documents) => void delete documents.get(CD)!.Actions,
    behave: ({ method }, the) => {
      if (method !== 'PATCH' || ended) return undefined;
      ended = true;
      the.endSessions();
      return { raw: head('401 Unauthorized', 'Transfer-Encoding: chunked\r\n') };
    },
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect(machine.logins).toHaveLength(2);
});

test.concurrent('calls that meet the end of their session together share one log-in', async (context) => {
  const { machine, node } = await open(context, {
    behave: async ({ auth }) => {
      if (auth !== 'ended') return undefined;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { raw: head('401 Unauthorized', 'Transfer-Encoding: chunked\r\n') };
    },
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  machine.endSessions();
  const calls = await Promise.all(Array.from({ length: 8 }, () => node.call('get_subscription', { id: 'first' })));
  expect(calls.map(({ status }) => status)).toEqual(Array(8).fill(200));
  expect(machine.logins).toHaveLength(2);
});

test.concurrent('a session that ends before every call is opened again each time', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ auth }) => (auth === 'ended' ? fault(403, 'Base.1.8.NoValidSession') : undefined),
  });
  for (let i = 1; i <= 5; i++) {
    expect((await node.call('get_all_subscriptions')).status).toBe(200);
    machine.endSessions();
    expect(machine.logins).toHaveLength(i);
  }
});

test.concurrent('a request that is refused with the new session too is reported after one more log-in', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ path }) => (path === FIRST ? fault(401, 'Base.1.8.NoValidSession') : undefined),
  });
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain('The machine says Base.1.8.NoValidSession.');
  expect(machine.logins).toHaveLength(2);
  // The password is not wrong: what the machine lets through still works.
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

test.concurrent('a token is not kept after its request was reset without a response', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ auth }) => (auth === 'ended' ? { raw: '', end: 'reset' } : undefined),
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  machine.endSessions();
  // The first call may fail, as nothing said what had happened.
  await node.call('get_subscription', { id: 'first' });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect(machine.logins).toHaveLength(2);
});

test.concurrent.for([
  ['InsufficientPrivilege', fault(403, 'Base.1.8.InsufficientPrivilege')],
  ['AccessDenied', fault(403, 'Base.1.4.AccessDenied', { MessageArgs: ['/redfish/v1/EventService'] })],
  ['the privilege of iLO', fault(403, 'iLO.2.14.InsufficientPrivilege')],
  ['a licence', fault(403, 'iLO.2.14.LicenseKeyRequired')],
] as const)('a 403 for want of %s is reported without another log-in', async ([, refusal], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) =>
      path === FIRST || (method === 'POST' && path === SUBSCRIPTIONS) ? refusal : undefined,
  });
  for (const [method, args] of [
    ['get_subscription', { id: 'first' }],
    ['delete_subscription', { id: 'first' }],
    ['create_subscription', { Destination: DESTINATION }],
  ] as const) {
    const { status, told } = await node.call(method, args);
    expect(status).toBe(500);
    expect(told).toContain('The machine says');
  }
  expect(machine.logins).toHaveLength(1);
  expect(machine.changes).toEqual([`DELETE ${FIRST}`, `POST ${SUBSCRIPTIONS}`]);
});

test.concurrent('a 403 that is cut off with the new session too is reported after one more log-in', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) =>
      method === 'GET' && path === FIRST
        ? { raw: `${head('403 Forbidden', 'Content-Length: 400\r\n')}{"error` }
        : undefined,
  });
  const { status, told } = await node.call('get_subscription', { id: 'first' });
  expect(status).toBe(500);
  expect(told).toContain('403');
  expect(machine.logins.length).toBeLessThanOrEqual(2);
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
});

test.concurrent('a node that wants a session logs in again too', async (context) => {
  const { machine, node } = await open(
    context,
    { behave: ({ auth }) => (auth === 'ended' ? fault(403, 'Base.1.8.NoValidSession') : undefined) },
    { redfish_auth_type: 'session' },
  );
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  machine.endSessions();
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  expect(machine.logins).toHaveLength(2);
  expect(machine.log.some(({ auth }) => auth === 'basic')).toBe(false);
});

test.concurrent('discover logs in again where its session ends meanwhile', async (context) => {
  let ended = false;
  const { machine } = await open(context, {
    behave: ({ path, auth }, the) => {
      if (path === SYSTEM && !ended) {
        ended = true;
        the.endSessions();
        return { raw: head('401 Unauthorized', 'Transfer-Encoding: chunked\r\n') };
      }
      return auth === 'ended' ? fault(403, 'Base.1.8.NoValidSession') : undefined;
    },
  });
  const address = { address: machine.url, username: 'u', password: 'p' };
  const { status, json } = await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', address);
  expect(status).toBe(200);
  expect(json.systems).toMatchObject([{ model: 'M1' }]);
  expect(machine.logins).toHaveLength(2);
  expect(machine.sessions.size).toBe(0);
});
