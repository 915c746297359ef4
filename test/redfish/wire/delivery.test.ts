import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, listSubscriptions, type RedfishClients } from '../../../src/redfish/index.ts';
import { startFleet } from '../../../src/sim/index.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];
const options = { signal: forever };
const basic = { account: { username: 'u', password: 'p', authType: 'basic' as const } };
/** Without credentials, so that no request waits for the first. */
const anonymous = { account: { username: null, password: '', authType: 'auto' as const } };
/** Longer than a test may take, so that nothing ends by the timeout. */
const slow = { limits: { timeoutMs: 60_000, connectionAttempts: 1, connectionRetryIntervalMs: 10 } };
const quick = { limits: { timeoutMs: 200, connectionAttempts: 1, connectionRetryIntervalMs: 10 } };

async function start(script: Parameters<typeof startScriptedBmc>[0]): Promise<ScriptedBmc> {
  clients = createRedfishClients();
  const bmc = await startScriptedBmc(script);
  closing.push(bmc);
  return bmc;
}

afterEach(async () => {
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

test('successive requests use one kept connection', async () => {
  const bmc = await start(() => ({ status: 200, body: {} }));
  const client = clients.for(target(bmc.url, basic), options);
  for (let i = 0; i < 10; i++) await client.get('/a');
  expect(bmc.connections()).toBe(1);
});

test('with keep-alive turned off every request has its own connection', async () => {
  const bmc = await start(() => ({ status: 200, body: {} }));
  const { connection } = target(bmc.url);
  const client = clients.for(target(bmc.url, { ...basic, connection: { ...connection, keepAlive: false } }), options);
  for (let i = 0; i < 3; i++) await client.get('/a');
  expect(bmc.connections()).toBe(3);
  expect(bmc.requests[0]?.headers.connection).toBe('close');
});

test('a BMC gets at most four concurrent requests, regardless of the number of accounts', async () => {
  let under = 0;
  let most = 0;
  const bmc = await start(async () => {
    most = Math.max(most, ++under);
    await new Promise((resolve) => setTimeout(resolve, 20));
    under--;
    return { status: 200, body: {} };
  });
  const work = Array.from({ length: 24 }, (_, i) =>
    clients
      .for(target(bmc.url, { account: { username: `u${i % 3}`, password: 'p', authType: 'basic' } }), options)
      .get('/a'),
  );
  await Promise.all(work);
  expect(most).toBe(4);
  expect(bmc.connections()).toBeLessThanOrEqual(4);
});

test('a caller that aborts while waiting for a connection gets the reason at once', async () => {
  const bmc = await start(() => null);
  const client = clients.for(target(bmc.url, { ...anonymous, ...slow }), options);
  const stop = new AbortController();
  const busy = Array.from({ length: 4 }, () =>
    client
      .with({ signal: stop.signal })
      .get('/a')
      .catch(() => undefined),
  );
  const leaving = new AbortController();
  const waiting = client.with({ signal: leaving.signal }).get('/b');
  // By now the request has got as far as it can.
  await new Promise((resolve) => setTimeout(resolve, 20));
  leaving.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
  stop.abort();
  await Promise.all(busy);
  expect(bmc.lines()).not.toContain('GET /b');
});

test('a request whose turn does not come within its time limit is not sent, and reports how busy the BMC is', async () => {
  const bmc = await start(() => null);
  const leaving = new AbortController();
  const patient = clients.for(target(bmc.url, { ...anonymous, ...slow }), options);
  const held = [1, 2, 3, 4, 5].map(() =>
    patient
      .with({ signal: leaving.signal })
      .get('/held')
      .catch(() => {}),
  );
  const error = await failure(clients.for(target(bmc.url, { ...anonymous, ...quick }), options).delete('/late'));
  expect(error.kind).toBe('busy');
  expect(error.message).toContain('busy (4 requests of this service in flight, 1 waiting)');
  expect(error.message).toContain('not sent');
  leaving.abort(new Error('left'));
  await Promise.all(held);
  expect(bmc.lines()).not.toContain('DELETE /late');
});

test('at most a thousand requests wait for one BMC; the next is refused at once', async () => {
  const bmc = await start(() => null);
  const leaving = new AbortController();
  const client = clients.for(target(bmc.url, { ...anonymous, ...slow }), options);
  const held = Array.from({ length: 1004 }, () =>
    client
      .with({ signal: leaving.signal })
      .get('/a')
      .catch(() => {}),
  );
  const error = await failure(client.get('/b'));
  expect(error.kind).toBe('busy');
  expect(error.message).toContain('1000 wait');
  leaving.abort(new Error('left'));
  await Promise.all(held);
});

test('an idle connection is closed after a few seconds', async () => {
  const bmc = await start(() => ({ status: 200, body: {} }));
  await clients.for(target(bmc.url, basic), options).get('/a');
  const { socket } = bmc.requests[0]!;
  const [failed] = await once(socket, 'close');
  // By the client: the server would keep it longer than this test may take.
  expect([failed, socket.readableEnded]).toEqual([false, true]);
});

test('a GET whose kept connection breaks is repeated once on a new one', async () => {
  let broken = false;
  const bmc = await start(({ path, socket }) => {
    if (path !== '/b' || broken) return { status: 200, body: { path } };
    broken = true;
    socket.destroy();
    return null;
  });
  const client = clients.for(target(bmc.url, basic), options);
  await client.get('/a');
  expect(await client.get('/b')).toEqual({ path: '/b' });
  expect(bmc.lines()).toEqual(['GET /a', 'GET /b', 'GET /b']);
  expect(bmc.requests[2]?.connection).toBe(2);
});

test('a GET whose connection breaks each time is sent three times', async () => {
  const bmc = await start(({ socket }) => {
    socket.destroy();
    return null;
  });
  expect((await failure(clients.for(target(bmc.url, basic), options).get('/a'))).kind).toBe('unreachable');
  expect(bmc.lines()).toHaveLength(3);
});

test.each(['post', 'patch', 'delete'] as const)(
  'a %s whose connection breaks is not repeated: its outcome is unknown',
  async (verb) => {
    const bmc = await start(({ socket }) => {
      socket.destroy();
      return null;
    });
    const client = clients.for(target(bmc.url, basic), options);
    const call = verb === 'delete' ? client.delete('/a') : client[verb]('/a', {});
    expect((await failure(call)).kind).toBe('outcome-unknown');
    expect(bmc.lines()).toHaveLength(1);
  },
);

test('with a BMC that hangs a GET times out, and the outcome of a POST is unknown', async () => {
  const bmc = await start(() => null);
  const client = clients.for(target(bmc.url, { ...basic, ...quick }), options);
  expect((await failure(client.get('/a'))).kind).toBe('timeout');
  expect((await failure(client.post('/a', null))).kind).toBe('outcome-unknown');
});

/** Sends a request that gets no response, and fires its signal once the BMC has it. */
async function abortOnArrival(method: 'get' | 'post', limits: typeof slow.limits) {
  const reason = new Error('cancelled');
  const abort = new AbortController();
  const arrived = Promise.withResolvers<void>();
  const response = Promise.withResolvers<{ status: number; body?: unknown } | null>();
  const bmc = await start(() => {
    arrived.resolve();
    return response.promise;
  });
  const client = clients.for(target(bmc.url, { ...basic, limits }), options).with({ signal: abort.signal });
  const call = method === 'get' ? client.get('/a') : client.post('/a', null);
  let settled = false;
  const settle = () => {
    settled = true;
  };
  void call.then(settle, settle);
  await arrived.promise;
  abort.abort(reason);
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  return { call, client, reason, respond: response.resolve, settled: () => settled };
}

test("an aborted read ends at once with the signal's reason", async () => {
  const { call, reason } = await abortOnArrival('get', slow.limits);
  await expect(call).rejects.toBe(reason);
});

test('an aborted change that was written ends with the response of the BMC, and nothing is sent after it', async () => {
  const { call, client, reason, respond, settled } = await abortOnArrival('post', slow.limits);
  expect(settled()).toBe(false);
  respond({ status: 200, body: { Id: '7' } });
  expect(await call).toMatchObject({ document: { Id: '7' } });
  await expect(client.post('/a', null)).rejects.toBe(reason);
});

test("an aborted change without a response ends with the signal's reason when its time is over", async () => {
  const { call, reason, settled } = await abortOnArrival('post', { ...slow.limits, timeoutMs: 1000 });
  expect(settled()).toBe(false);
  await expect(call).rejects.toBe(reason);
});

test('a refused connection is tried as often as allowed, and the error contains the address', async () => {
  const bmc = await start(() => ({ status: 200 }));
  await bmc.close();
  closing.pop();
  let requested = 0;
  clients = createRedfishClients({ observe: () => requested++ });
  const limits = { timeoutMs: 1000, connectionAttempts: 3, connectionRetryIntervalMs: 5 };
  const error = await failure(clients.for(target(bmc.url, { ...basic, limits }), options).post('/a', null));
  expect(error.kind).toBe('unreachable');
  expect(error.url).toBe(`${bmc.url}/a`);
  expect(error.message).toContain('ECONNREFUSED');
  expect(requested).toBe(3);
});

test.each([301, 302, 307, 308])('a redirect by %i on the same host keeps the verb and the body', async (status) => {
  const bmc = await start(({ path }) =>
    path === '/a' ? { status, headers: { location: '/a/' } } : { status: 200, body: {} },
  );
  await clients.for(target(bmc.url, basic), options).post('/a', { x: 1 });
  expect(bmc.lines()).toEqual(['POST /a', 'POST /a/']);
  expect(bmc.requests[1]?.body).toBe('{"x":1}');
  expect(bmc.requests[1]?.headers.authorization).toBeDefined();
});

test('a redirect to another host is refused, and that host gets no request', async () => {
  const other = await start(() => ({ status: 200, body: {} }));
  const bmc = await start(() => ({ status: 307, headers: { location: `${other.url}/a` } }));
  const error = await failure(clients.for(target(bmc.url, basic), options).get('/a'));
  expect(error.message).toContain(other.url);
  expect(other.requests).toHaveLength(0);
});

test('a loop of redirects fails', async () => {
  const bmc = await start(({ path }) => ({ status: 308, headers: { location: path === '/a' ? '/a/' : '/a' } }));
  expect((await failure(clients.for(target(bmc.url, basic), options).get('/a'))).message).toContain('loop');
});

test('responses are requested uncompressed, and with any encoding after a 406', async () => {
  const bmc = await start(({ headers }) =>
    headers['accept-encoding'] === 'identity' ? { status: 406 } : { status: 200, body: {} },
  );
  await clients.for(target(bmc.url, basic), options).get('/a');
  expect(bmc.requests.map(({ headers }) => headers['accept-encoding'])).toEqual(['identity', undefined]);
  expect(bmc.requests[0]?.headers['odata-version']).toBe('4.0');
});

test('an HTML error body is reported by its content type, its status and its visible text', async () => {
  const bmc = await start(() => ({ status: 502, headers: { 'content-type': 'text/html' }, body: '<h1>Bad</h1>' }));
  const error = await failure(clients.for(target(bmc.url, basic), options).get('/a'));
  expect(error).toMatchObject({ kind: 'failed', status: 502, extendedInfo: [] });
  expect(error.message).toMatch(/text\/html\): Bad$/);
});

test.each(['', '<html>', '{"half":', '[1]'])(
  'a GET that returns 200 with "%s" is a failure of the BMC',
  async (body) => {
    const bmc = await start(() => ({ status: 200, body }));
    expect((await failure(clients.for(target(bmc.url, basic), options).get('/a'))).kind).toBe('failed');
  },
);

test('an endless response is cut off', async () => {
  const bmc = await start(() => ({ status: 200, body: 'x'.repeat(9 * 1024 * 1024) }));
  const error = await failure(clients.for(target(bmc.url, basic), options).get('/a'));
  expect(error.kind).toBe('failed');
  expect(error.message).toContain('larger than');
});

test.each([
  ['a list', { error: { '@Message.ExtendedInfo': [{ MessageId: 'A.1.One', Message: 'One.' }, { Message: 'Two.' }] } }],
  ['an object', { error: { '@Message.ExtendedInfo': { Message: 'One. Two.' } } }],
  ['directly under the root', { '@Message.ExtendedInfo': [{ Message: 'One.' }, { Message: 'Two.' }] }],
  ['a lone message', { error: { message: 'One. Two.' } }],
])('every message of an error sent as %s reaches the caller', async (_, body) => {
  const bmc = await start(() => ({ status: 400, body }));
  const error = await failure(clients.for(target(bmc.url, basic), options).get('/a'));
  expect(error).toMatchObject({ kind: 'refused', status: 400 });
  expect(error.message).toContain('One. Two.');
  expect(error.extendedInfo.length).toBeGreaterThan(0);
});

test('a password that the BMC quotes does not show in the error', async () => {
  const said = "The value 'open-sesame' of Password is wrong";
  const bmc = await start(() => ({
    status: 400,
    body: { error: { '@Message.ExtendedInfo': [{ Message: said, MessageArgs: ['open-sesame'] }] } },
  }));
  const account = { username: 'u', password: 'open-sesame', authType: 'basic' as const };
  const error = await failure(clients.for(target(bmc.url, { account }), options).get('/a'));
  expect(JSON.stringify([error.message, error.extendedInfo])).not.toContain('open-sesame');
  expect(error.message).toContain('of Password is wrong');
});

const busy = (messageId: string, status: number) => ({
  status,
  headers: { 'retry-after': '0' },
  body: { error: { '@Message.ExtendedInfo': [{ MessageId: messageId, Message: 'Busy.' }] } },
});

test.each([
  ['IDRAC.2.8.SYS518', 503],
  ['iLO.2.14.InvalidOperationForSystemState', 400],
])('a request of any verb is repeated shortly when the BMC is busy (%s with %i)', async (messageId, status) => {
  const bmc = await start(() => (bmc.requests.length < 3 ? busy(messageId, status) : { status: 204 }));
  await clients.for(target(bmc.url, basic), options).post('/a', null);
  expect(bmc.requests).toHaveLength(3);
});

test('a BMC that stays busy is reported after half a minute, and another refusal at once', async () => {
  const bmc = await start(({ path }) => busy(path === '/a' ? 'IDRAC.2.8.SYS518' : 'Base.1.8.GeneralError', 409));
  const client = clients.for(target(bmc.url, basic), options);
  expect((await failure(client.post('/a', null))).message).toContain('Busy.');
  const tries = bmc.requests.length;
  expect(tries).toBeGreaterThan(5);
  await failure(client.post('/b', null));
  expect(bmc.requests).toHaveLength(tries + 1);
});

test('requests still succeed at a BMC that resets connections at random', async () => {
  clients = createRedfishClients();
  const fleet = await startFleet();
  closing.push(fleet);
  const bmc = fleet.bmcs[0]!;
  bmc.faults.add({ kind: 'reset', match: { method: 'GET' }, probability: 0.3 });
  const client = clients.for(target(bmc.url), options);
  const outcomes = await Promise.allSettled(Array.from({ length: 60 }, () => client.get('/redfish/v1/Systems')));
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ kind: 'unreachable' });
  }
  expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(30);
});

test('under Basic, where no session is lost, a 404 on a discovered path makes it be discovered again', async () => {
  let place = '/before';
  const bmc = await start(({ path }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { UUID: place, EventService: { '@odata.id': place } } };
    if (path === place) return { status: 200, body: { Subscriptions: { '@odata.id': `${place}/list` } } };
    return path === `${place}/list` ? { status: 200, body: { Members: [] } } : { status: 404 };
  });
  const client = clients.for(target(bmc.url, basic), options);
  await listSubscriptions(client);
  place = '/after';
  bmc.requests.length = 0;
  await listSubscriptions(client);
  expect(bmc.lines()).toEqual(['GET /before/list', 'GET /redfish/v1/', 'GET /after', 'GET /after/list']);
  await listSubscriptions(client);
  expect(bmc.lines().slice(4)).toEqual(['GET /after/list']);
});
