import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type Script, type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const anonymous = { account: { username: null, password: '', authType: 'auto' as const } };
let clients: RedfishClients = createRedfishClients();
let bmc: ScriptedBmc | null = null;
/** The pauses that were asked for, in ms. */
const pauses: number[] = [];

afterEach(async () => {
  await clients.close();
  await bmc?.close();
  bmc = null;
  pauses.length = 0;
});

async function start(script: Script, patienceMs?: number) {
  clients = createRedfishClients();
  bmc = await startScriptedBmc(script);
  const pause = async (ms: number, signal: AbortSignal) => {
    signal.throwIfAborted();
    pauses.push(ms);
  };
  const limits = { timeoutMs: 5000, connectionAttempts: 1, connectionRetryIntervalMs: 1, patienceMs, pause };
  return clients.for(target(bmc.url, { ...anonymous, limits }), { signal: forever });
}

const info = (MessageId: string, Message = 'Wait.', MessageArgs: string[] = []) => ({
  error: { '@Message.ExtendedInfo': [{ MessageId, Message, MessageArgs }] },
});
const total = () => pauses.reduce((sum, ms) => sum + ms, 0);

test.each([429, 500, 502, 503, 504])(
  'a read that is answered %i is sent three times, with growing pauses',
  async (status) => {
    const client = await start(() => ({
      status,
      headers: { 'content-type': 'text/html' },
      body: '<html>Broke</html>',
    }));
    expect((await failure(client.get('/a'))).status).toBe(status);
    expect(bmc!.lines()).toHaveLength(3);
    expect(pauses).toEqual([250, 1000]);
  },
);

test.each([429, 500, 502, 504])('what may change something is not repeated after %i', async (status) => {
  const client = await start(() => ({ status, body: info('Base.1.8.GeneralError') }));
  for (const send of [() => client.post('/a', {}), () => client.patch('/a', {}), () => client.delete('/a')]) {
    await failure(send());
  }
  expect(bmc!.lines()).toHaveLength(3);
});

test.each([400, 404, 405, 501])('a read that is answered %i is sent once', async (status) => {
  const client = await start(() => ({ status }));
  await failure(client.get('/a'));
  expect(bmc!.lines()).toHaveLength(1);
});

test('a read that succeeds the second time succeeds', async () => {
  const client = await start(() => (bmc!.requests.length === 1 ? { status: 500 } : { status: 200, body: { a: 1 } }));
  expect(await client.get('/a')).toEqual({ a: 1 });
});

const ms = (date: number) => new Date(date).toUTCString();
const now = Date.parse('2030-01-01T00:00:00Z');
test.each<[string, Record<string, string>, unknown, number[]]>([
  ['Retry-After in seconds', { 'retry-after': '3' }, undefined, [3000, 3000]],
  [
    "Retry-After as a date by the BMC's clock",
    { date: ms(now), 'retry-after': ms(now + 4000) },
    undefined,
    [4000, 4000],
  ],
  ['a Retry-After that is past', { date: ms(now), 'retry-after': ms(now - 4000) }, undefined, [100, 150]],
  ['a Retry-After of rubbish', { 'retry-after': 'soon' }, undefined, [250, 1000]],
  ['a negative Retry-After', { 'retry-after': '-5' }, undefined, [250, 1000]],
  ['a Retry-After of a number and a unit', { 'retry-after': '7 s' }, undefined, [250, 1000]],
  ['an empty Retry-After', { 'retry-after': '' }, undefined, [250, 1000]],
  ['words that name the time', {}, { error: 'Retry in 2 seconds' }, [2000, 2000]],
])('a read waits as %s asks', async (_, headers, body, expected) => {
  const client = await start(() => ({ status: 500, headers, body }));
  await failure(client.get('/a'));
  expect(pauses).toEqual(expected);
  expect(bmc!.lines()).toHaveLength(3);
});

test.each<[string, Record<string, string>, unknown]>([
  ['Retry-After', { 'retry-after': '31' }, undefined],
  ['a Retry-After beyond any number', { 'retry-after': '9'.repeat(400) }, undefined],
  ['words', {}, info('Base.1.8.ServiceTemporarilyUnavailable', 'Unavailable. Retry in 120 seconds.', ['120'])],
  ['words in minutes', {}, { error: 'Please try again in 5 minutes' }],
])(
  'a wait that %s asks for is not begun when it is longer than the patience: the response is told at once',
  async (_, headers, body) => {
    const client = await start(() => ({ status: 503, headers, body }));
    expect((await failure(client.get('/a'))).status).toBe(503);
    expect(bmc!.lines()).toHaveLength(1);
    expect(pauses).toEqual([]);
  },
);

const notReady: [string, number, string][] = [
  ['SYS518', 503, 'IDRAC.2.8.SYS518'],
  ['SYS518 under 400', 400, 'IDRAC.1.6.SYS518'],
  ['SYS518 under 500', 500, 'IDRAC.1.6.SYS518'],
  ['ResourceNotReadyRetry', 400, 'HpeCommon.2.0.ResourceNotReadyRetry'],
  ['ServiceTemporarilyUnavailable', 503, 'Base.1.8.ServiceTemporarilyUnavailable'],
  ['ResourceInUse', 409, 'Base.1.8.ResourceInUse'],
  ['an id in lower case without a registry', 503, 'servicetemporarilyunavailable'],
];

test.each(notReady)(
  'a POST that is answered %s (%i) is repeated for half a minute, as nothing was done',
  async (_, status, id) => {
    const client = await start(() => ({ status, body: info(id) }));
    expect(await failure(client.post('/a', {}))).toMatchObject({ status, message: expect.stringContaining('Wait.') });
    expect(total()).toBeGreaterThan(25_000);
    expect(total()).toBeLessThanOrEqual(30_000);
    expect(bmc!.lines().length).toBeLessThan(15);
  },
);

test.each(notReady)('a DELETE that is answered %s (%i) at first succeeds', async (_, status, id) => {
  const client = await start(() => (bmc!.requests.length < 4 ? { status, body: info(id) } : { status: 204 }));
  expect((await client.delete('/a')).status).toBe(204);
});

test('the seconds that a message names are waited for', async () => {
  const body = info('Base.1.8.ServiceTemporarilyUnavailable', 'Unavailable.', ['7']);
  const client = await start(() => (bmc!.requests.length === 1 ? { status: 503, body } : { status: 204 }));
  await client.post('/a', {});
  expect(pauses).toEqual([7000]);
});

test.each([
  ['InvalidOperationForSystemState', 400, info('iLO.2.14.InvalidOperationForSystemState')],
  ['SWC0700', 400, info('IDRAC.1.6.SWC0700', 'The iDRAC is not ready. Retry after a few minutes.')],
  ['words alone', 503, { error: 'The controller is busy, try again later' }],
])('%s may mean a lasting state, and is tried for a few seconds only', async (_, status, body) => {
  const client = await start(() => ({ status, body }));
  await failure(client.post('/a', {}));
  expect(total()).toBeGreaterThan(3000);
  expect(total()).toBeLessThanOrEqual(6000);
});

const BUSY = 'The BMC is busy, try again later';
const busyWords: [string, number, unknown][] = [
  ['OData', 400, { error: { message: BUSY } }],
  ['HTML', 400, `<html><body><p>${BUSY}</p></body></html>`],
  ['plain text', 400, 'Resource busy'],
  ['an id of its own', 400, info('Oem.1.0.General', 'The controller is not currently ready.')],
  ['an id that says something else', 409, info('Oem.1.0.CommandFailed', 'The service is temporarily unavailable.')],
  ['two words', 422, { error: 'Device busy' }],
  ['plain text', 425, 'Not ready'],
];

test.each(busyWords)(
  'what is answered with words of being busy at first succeeds (%s, %i)',
  async (_, status, body) => {
    for (const verb of ['post', 'delete', 'patch', 'get'] as const) {
      const client = await start(() => (bmc!.requests.length < 3 ? { status, body } : { status: 200, body: { a: 1 } }));
      const sent = verb === 'post' || verb === 'patch' ? client[verb]('/a', {}) : client[verb]('/a');
      await sent;
      expect(bmc!.lines()).toHaveLength(3);
      await clients.close();
      await bmc!.close();
    }
  },
);

test.each<[string, number, unknown]>([
  ['a wrong password', 400, { error: 'Invalid user name or password, try again later' }],
  ['a locked account', 400, 'The account is locked. Try again later.'],
  ['too many attempts', 429, 'Too many attempts, try again later'],
  ['an id for rights', 400, info('X.1.0.InsufficientPrivilege', BUSY)],
  ['an id for a value', 400, info('Base.1.8.PropertyValueConflict', BUSY)],
  ['a request that is wrong', 400, { error: 'The body is not JSON. Correct it and try again.' }],
])('a POST is sent once when words of waiting come with %s (%i)', async (_, status, body) => {
  const client = await start(() => ({ status, body }));
  await failure(client.post('/a', {}));
  expect(bmc!.lines()).toHaveLength(1);
});

test.each([
  ['ServiceDisabled', info('Base.1.8.ServiceDisabled')],
  ['a licence', info('X.1.0.Denied', 'This needs a license.')],
])('what lasts is not repeated (%s)', async (_, body) => {
  const client = await start(() => ({ status: 503, body }));
  await failure(client.get('/a'));
  expect(bmc!.lines()).toHaveLength(1);
});

test('a call with little patience is repeated within it', async () => {
  const client = await start(() => ({ status: 503, body: info('IDRAC.2.8.SYS518') }));
  await failure(client.with({ patienceMs: 2000 }).get('/a'));
  expect(total()).toBeLessThanOrEqual(2000);
  expect(bmc!.lines().length).toBeGreaterThan(2);
  bmc!.requests.length = 0;
  await failure(client.with({ patienceMs: 0 }).get('/a'));
  expect(bmc!.lines()).toHaveLength(1);
});

test('a read stops waiting as soon as its caller leaves', async () => {
  const leaving = new AbortController();
  const client = await start(() => {
    leaving.abort(new Error('left'));
    return { status: 500 };
  });
  await expect(client.with({ signal: leaving.signal }).get('/a')).rejects.toThrow('left');
  expect(bmc!.lines()).toHaveLength(1);
});

test.each([400, 409, 500, 501, 503])(
  'a task monitor that is answered %i is read once: its status is that of the operation',
  async (status) => {
    const client = await start(() => ({ status, body: info('IDRAC.2.8.RAC0720') }));
    expect((await failure(client.getMonitor('/m'))).status).toBe(status);
    expect(bmc!.lines()).toHaveLength(1);
  },
);

test.each<[number, object | string]>([
  [400, info('IDRAC.2.8.SYS518')],
  [400, info('iLO.2.14.InvalidOperationForSystemState')],
  [409, info('IDRAC.2.8.SWC0700')],
  [503, 'The service is not ready, retry later'],
  [429, 'Too many requests'],
  [429, ''],
  [408, ''],
  [425, ''],
])('a task monitor that is answered %i, which is about the poll (%j), is read again', async (status, body) => {
  let polls = 0;
  const client = await start(() => (++polls < 3 ? { status, body } : { status: 200, body: { '@odata.id': '/m' } }));
  expect((await client.getMonitor('/m')).status).toBe(200);
  expect(bmc!.lines()).toHaveLength(3);
});

test('a task monitor whose connection breaks is read once more', async () => {
  const client = await start(({ socket }) => {
    socket.destroy();
    return null;
  });
  await failure(client.getMonitor('/m'));
  expect(bmc!.lines()).toHaveLength(2);
});

test('a read whose connection breaks is sent again at once, then after a pause', async () => {
  const client = await start(({ socket }) => {
    socket.destroy();
    return null;
  });
  expect((await failure(client.get('/a'))).kind).toBe('unreachable');
  expect(bmc!.lines()).toHaveLength(3);
  expect(pauses).toEqual([1000]);
});

test('broken connections and failures count together', async () => {
  const client = await start(({ socket }) => {
    if (bmc!.requests.length !== 2) return { status: 500 };
    socket.destroy();
    return null;
  });
  await failure(client.get('/a'));
  expect(bmc!.lines()).toHaveLength(3);
});
