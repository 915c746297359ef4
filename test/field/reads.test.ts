import { expect, test } from 'vitest';
import {
  type Answer,
  type Behaviour,
  CD,
  EJECT,
  FIRST,
  fault,
  link,
  MANAGER,
  MEDIA,
  ROOT,
  SUBSCRIPTIONS,
  SYSTEM,
} from './machine.ts';
import { DESTINATION, open, rest } from './operator.ts';

// Reads are repeated after failures that pass; what changes something only where the machine says that nothing was done.

const html = (status: number): Answer => ({
  status,
  headers: { 'Content-Type': 'text/html' },
  body: `<html><body>${status}</body></html>`,
});

const PASSING: readonly (readonly [string, Answer])[] = [
  ['429', { status: 429 }],
  ['429 with a message', fault(429, 'Base.1.8.ServiceTemporarilyUnavailable', { MessageArgs: ['1'] })],
  ['500 with an empty body', { status: 500 }],
  ['500 with InternalError', fault(500, 'Base.1.8.InternalError')],
  ['502 in HTML', html(502)],
  ['503 in HTML', html(503)],
  ['503 with a message', fault(503, 'Base.1.8.ServiceTemporarilyUnavailable', { MessageArgs: ['1'] })],
  ['504', { status: 504 }],
  ['a closed connection', { raw: '' }],
  ['a reset connection', { raw: '', end: 'reset' }],
  [
    'a body that breaks off',
    { raw: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"Id":' },
  ],
  ['chunks that break off', { raw: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"Id\r\n' }],
  ['a 500 that breaks off', { raw: 'HTTP/1.1 500 Internal Server Error\r\nContent-Length: 500\r\n\r\n<html' }],
];

const failing =
  (at: string, times: number, failure: Answer): Behaviour =>
  ({ method, path, nth }) =>
    method === 'GET' && path === at && nth <= times ? failure : undefined;

test.concurrent.for(PASSING)('a read that gets %s once is sent again', async ([, failure], context) => {
  const { machine, node } = await open(context, { behave: failing(FIRST, 1, failure) });
  const { status, told, json } = await node.call('get_subscription', { id: 'first' });
  expect({ status, told }).toEqual({ status: 200, told: '' });
  expect(json.Id).toBe('first');
  expect(machine.sent('GET', FIRST)).toHaveLength(2);
  expect(machine.logins).toHaveLength(1);
});

test.concurrent.for(PASSING)('a read that gets %s twice is sent a third time', async ([, failure], context) => {
  const { machine, node } = await open(context, { behave: failing(SUBSCRIPTIONS, 2, failure) });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect(machine.sent('GET', SUBSCRIPTIONS)).toHaveLength(3);
});

// A machine that says that it is busy is waited for longer.
const LASTING = PASSING.filter(([name]) => !name.includes('with a message'));

test.concurrent.for(LASTING)('a read that gets %s for good fails after a few tries', async ([, failure], context) => {
  const { machine, node } = await open(context, { behave: failing(FIRST, 1000, failure) });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(500);
  const tries = machine.sent('GET', FIRST).length;
  expect(tries).toBeGreaterThanOrEqual(2);
  expect(tries).toBeLessThanOrEqual(5);
});

test.concurrent.for([ROOT, SYSTEM, '/redfish/v1/Systems', MANAGER, MEDIA, CD])(
  'an eject whose read of %s gets 503 once succeeds',
  async (at, context) => {
    const { machine, node } = await open(context, { behave: failing(at, 1, html(503)) });
    expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', outcomes: { CD1: 'ejected' } });
    expect(machine.sent('POST', EJECT)).toHaveLength(1);
  },
);

test.concurrent('the read after an eject may fail once', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }, the) => {
      const reads = the.sent('GET', CD).filter(({ at }) => at > (the.sent('POST', EJECT)[0]?.at ?? Infinity)).length;
      return method === 'GET' && path === CD && reads === 1 ? html(502) : undefined;
    },
  });
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  expect(machine.sent('POST', EJECT)).toHaveLength(1);
});

test.concurrent('a subscription is made once though the read of its document fails once', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json, nth }, the) => {
      if (method === 'POST' && path === SUBSCRIPTIONS) return { ...the.subscribe(json), body: undefined };
      return method === 'GET' && path.includes('/made-') && nth === 1 ? html(500) : undefined;
    },
  });
  const { status, json } = await node.call('create_subscription', { Destination: DESTINATION });
  expect(status).toBe(200);
  expect(json).toMatchObject({ Destination: DESTINATION });
  expect([...machine.subscriptions.keys()]).toEqual(['first', json.Id]);
});

test.concurrent('a page of a collection that fails once is read again', async (context) => {
  const next = `${SUBSCRIPTIONS}?$skip=1`;
  const { node } = await open(context, {
    behave: ({ method, path, nth }) => {
      if (method !== 'GET') return undefined;
      if (path === SUBSCRIPTIONS) return { body: { Members: [link(FIRST)], 'Members@odata.nextLink': next } };
      if (path !== next) return undefined;
      return nth === 1 ? html(504) : { body: { Members: [link(`${SUBSCRIPTIONS}/second`)] } };
    },
  });
  const { json } = await node.call('get_all_subscriptions');
  expect(json.Members).toEqual([link(FIRST), link(`${SUBSCRIPTIONS}/second`)]);
});

test.concurrent('discover repeats its reads', async (context) => {
  const { machine } = await open(context, { behave: failing(SYSTEM, 1, html(503)) });
  const address = { address: machine.url, username: 'u', password: 'p' };
  const discovered = await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', address);
  expect(discovered.json.systems).toMatchObject([{ model: 'M1' }]);
});

const WAITS: readonly (readonly [string, Answer])[] = [
  ['429 with Retry-After', { status: 429, headers: { 'Retry-After': '1' } }],
  ['500 with Retry-After', { status: 500, headers: { 'Retry-After': '1' } }],
  ['503 with Retry-After', { status: 503, headers: { 'Retry-After': '1' } }],
  ['503 whose message names a second', fault(503, 'Base.1.8.ServiceTemporarilyUnavailable', { MessageArgs: ['1'] })],
  ['429 whose message names a second', fault(429, 'Base.1.8.ServiceTemporarilyUnavailable', { MessageArgs: ['1'] })],
  ['a not-ready code with Retry-After', fault(503, 'IDRAC.2.8.SYS518', {}, { 'Retry-After': '1' })],
  [
    'a not-ready code of iLO with Retry-After',
    fault(400, 'iLO.2.14.InvalidOperationForSystemState', {}, { 'Retry-After': '1' }),
  ],
];

test.concurrent.for(WAITS)('a read waits as long as %s says', async ([, failure], context) => {
  const { machine, node } = await open(context, { behave: failing(FIRST, 1, failure) });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  const [first, second] = machine.sent('GET', FIRST);
  expect(second!.at - first!.at).toBeGreaterThan(900);
});

test.concurrent('a read waits until the date in Retry-After', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, nth }) =>
      method === 'GET' && path === FIRST && nth === 1
        ? { status: 503, headers: { 'Retry-After': new Date(Date.now() + 2500).toUTCString() } }
        : undefined,
  });
  expect((await node.call('get_subscription', { id: 'first' })).status).toBe(200);
  const [first, second] = machine.sent('GET', FIRST);
  // The date is in whole seconds.
  expect(second!.at - first!.at).toBeGreaterThan(1000);
});

test.concurrent('a subscription that does not exist is looked for once', async (context) => {
  const { machine, node } = await open(context);
  expect((await node.call('get_subscription', { id: 'none' })).status).toBe(404);
  expect(machine.sent('GET', `${SUBSCRIPTIONS}/none`)).toHaveLength(1);
});

const SILENT: readonly (readonly [string, Answer])[] = [
  ['500 in HTML', html(500)],
  ['500 with InternalError', fault(500, 'Base.1.8.InternalError')],
  ['502', html(502)],
  ['503 in HTML', html(503)],
  ['504', { status: 504 }],
];

test.concurrent.for(SILENT)('a change that gets %s is not sent again', async ([, failure], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) => (method !== 'GET' && path !== machineSessions(path) ? failure : undefined),
  });
  expect((await node.call('create_subscription', { Destination: DESTINATION })).status).toBe(500);
  expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(500);
  expect((await node.eject()).state).toBe('JOB_STATE_FAILED');
  expect(machine.changes).toEqual([`POST ${SUBSCRIPTIONS}`, `DELETE ${FIRST}`, `POST ${EJECT}`]);
});

/** Returns the path when it is of a session, which a change leaves alone. */
function machineSessions(path: string): string | null {
  return path.startsWith('/redfish/v1/SessionService') ? path : null;
}

const BUSY: readonly (readonly [string, Answer])[] = [
  ['SYS518 under 503', fault(503, 'IDRAC.2.8.SYS518', {}, { 'Retry-After': '1' })],
  ['SYS518 under 400', fault(400, 'IDRAC.2.1.SYS518', {}, { 'Retry-After': '1' })],
  ['SYS518 under 409', fault(409, 'IDRAC.2.8.SYS518', {}, { 'Retry-After': '1' })],
  ['InvalidOperationForSystemState', fault(400, 'iLO.2.14.InvalidOperationForSystemState', {}, { 'Retry-After': '1' })],
  ['ServiceTemporarilyUnavailable', fault(503, 'Base.1.8.ServiceTemporarilyUnavailable', { MessageArgs: ['1'] })],
];

test.concurrent.for(BUSY)(
  'a change that the machine refuses with %s is sent again later, and done once',
  async ([, busy], context) => {
    const { machine, node } = await open(context, {
      behave: ({ method, path, nth }) =>
        method !== 'GET' && machineSessions(path) === null && nth === 1 ? busy : undefined,
    });
    const made = await node.call('create_subscription', { Destination: DESTINATION });
    expect({ status: made.status, told: made.told }).toEqual({ status: 200, told: '' });
    expect((await node.call('delete_subscription', { id: 'first' })).status).toBe(200);
    expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
    expect([...machine.subscriptions.keys()]).toEqual([made.json.Id]);
    for (const path of [SUBSCRIPTIONS, EJECT]) expect(machine.sent('POST', path)).toHaveLength(2);
    const [first, second] = machine.sent('POST', SUBSCRIPTIONS);
    expect(second!.at - first!.at).toBeGreaterThan(900);
  },
);
