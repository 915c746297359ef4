import { afterEach, expect, test } from 'vitest';
import { createRedfishClients, type RedfishClients } from '../../../src/redfish/index.ts';
import { type Fleet, startFleet } from '../../../src/sim/index.ts';
import { type ScriptedBmc, startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

let clients: RedfishClients = createRedfishClients();
let fleet: Fleet | null = null;
let scripted: ScriptedBmc | null = null;
const options = { signal: forever };
const SYSTEMS = '/redfish/v1/Systems';

async function startBmc(fleetOptions: Parameters<typeof startFleet>[0] = {}) {
  clients = createRedfishClients();
  fleet = await startFleet(fleetOptions);
  return fleet.bmcs[0]!;
}

async function startScript(script: Parameters<typeof startScriptedBmc>[0]) {
  clients = createRedfishClients();
  scripted = await startScriptedBmc(script);
  return scripted;
}

afterEach(async () => {
  await clients.close();
  await fleet?.close();
  await scripted?.close();
  fleet = scripted = null;
});

test('concurrent callers of one account share one login, which costs one request', async () => {
  const bmc = await startBmc();
  const work = Array.from({ length: 20 }, () => clients.for(target(bmc.url), options).get(SYSTEMS));
  await Promise.all(work);
  expect(bmc.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  expect(bmc.sessions).toHaveLength(1);
});

test('the sessions are found by Links.Sessions of the service root, without requesting the SessionService', async () => {
  const bmc = await startScript(({ path, method }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { Links: { Sessions: { '@odata.id': '/elsewhere/S' } } } };
    if (method === 'POST' && path === '/elsewhere/S') return { status: 201, headers: { 'X-Auth-Token': 'token-1' } };
    return { status: 200, body: {} };
  });
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  expect(bmc.lines()).toEqual(['GET /redfish/v1/', 'POST /elsewhere/S', `GET ${SYSTEMS}`]);
});

test('when the service root requires credentials, the sessions are used at their standard path', async () => {
  const bmc = await startScript(({ path, method, headers }) => {
    if (method === 'POST') return { status: 201, headers: { 'X-Auth-Token': 'token-1' } };
    return headers['x-auth-token'] === 'token-1' ? { status: 200, body: {} } : { status: 401, body: { path } };
  });
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  expect(bmc.lines()[1]).toBe('POST /redfish/v1/SessionService/Sessions');
});

test('a wrong password is tried once by each way, and further calls fail at once without a request', async () => {
  const bmc = await startBmc();
  const wrong = target(bmc.url, { account: { username: 'u', password: 'not-the-password', authType: 'auto' } });
  const first = await failure(clients.for(wrong, options).get(SYSTEMS));
  expect(first).toMatchObject({ kind: 'auth', status: 401 });
  expect(first.message).toContain('account u (tried by a session and by Basic authentication)');
  expect(bmc.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  expect(bmc.requests.filter(({ auth }) => auth === 'basic')).toHaveLength(1);
  const requested = bmc.requestCount;

  const second = await failure(clients.for(wrong, options).get(SYSTEMS));
  expect(second.kind).toBe('auth');
  expect(second.message).toContain('retry blocked');
  expect(second.message).not.toContain('not-the-password');
  expect(bmc.requestCount).toBe(requested);
  // Another password counts as another account.
  await clients.for(target(bmc.url), options).get(SYSTEMS);
});

test('a wrong password is tried again after five minutes', async () => {
  const bmc = await startBmc();
  let now = 0;
  clients = createRedfishClients({ now: () => now });
  const wrong = target(bmc.url, { account: { username: 'u', password: 'not-the-password', authType: 'auto' } });
  await failure(clients.for(wrong, options).get(SYSTEMS));
  now = 5 * 60_000;
  const requested = bmc.requestCount;
  await failure(clients.for(wrong, options).get(SYSTEMS));
  expect(bmc.requestCount).toBe(requested + 2);
});

test('a password refused over Basic is blocked as a wrong one', async () => {
  const bmc = await startBmc();
  const wrong = target(bmc.url, { account: { username: 'u', password: 'not-the-password', authType: 'basic' } });
  await failure(clients.for(wrong, options).get(SYSTEMS));
  const requested = bmc.requestCount;
  expect((await failure(clients.for(wrong, options).get(SYSTEMS))).message).toContain('retry blocked');
  expect(bmc.requestCount).toBe(requested);
});

test('an expired session is replaced by one new login, and the request is repeated', async () => {
  const bmc = await startBmc();
  const client = clients.for(target(bmc.url), options);
  await client.get(SYSTEMS);
  bmc.expireSessions();
  const before = bmc.requestCount;
  await Promise.all(Array.from({ length: 10 }, () => client.get(SYSTEMS)));
  const logIns = bmc.requests.slice(before).filter(({ method }) => method === 'POST');
  expect(logIns).toHaveLength(1);
});

test('a late 401 to an old session uses the session that another caller has opened since', async () => {
  let logIns = 0;
  let expired = false;
  const late = Promise.withResolvers<void>();
  const bmc = await startScript(async ({ path, method, headers }) => {
    if (path === '/redfish/v1/') return { status: 200, body: {} };
    if (method === 'POST') return { status: 201, headers: { 'X-Auth-Token': `token-${++logIns}` } };
    if (!expired || headers['x-auth-token'] !== 'token-1') return { status: 200, body: {} };
    if (path === '/late') await late.promise;
    return { status: 401 };
  });
  const client = clients.for(target(bmc.url), options);
  await client.get('/first');
  expired = true;
  const slow = client.get('/late');
  await client.get('/early');
  late.resolve();
  await slow;
  expect(logIns).toBe(2);
});

test('a request that gets 401 with a new session as well is not sent a third time', async () => {
  const bmc = await startScript(({ path, method }) => {
    if (path === '/redfish/v1/') return { status: 200, body: {} };
    return method === 'POST' ? { status: 201, headers: { 'X-Auth-Token': 'token-1' } } : { status: 401 };
  });
  const error = await failure(clients.for(target(bmc.url), options).get(SYSTEMS));
  expect(error.kind).toBe('auth');
  expect(bmc.lines().filter((line) => line.startsWith('POST'))).toHaveLength(2);
  expect(bmc.lines().filter((line) => line === `GET ${SYSTEMS}`)).toHaveLength(2);
});

test.each([404, 405, 501])('a BMC whose login returns %i gets Basic from then on', async (status) => {
  const bmc = await startScript(({ path, method, headers }) => {
    if (path === '/redfish/v1/') return { status: 200, body: {} };
    if (method === 'POST') return { status };
    return { status: headers.authorization === `Basic ${btoa('u:p')}` ? 200 : 401, body: {} };
  });
  const client = clients.for(target(bmc.url), options);
  await client.get(SYSTEMS);
  await client.get(SYSTEMS);
  expect(bmc.lines().filter((line) => line.startsWith('POST'))).toHaveLength(1);
});

test('a BMC with no session left gets Basic for that call, and the next call requests a session', async () => {
  const bmc = await startBmc();
  bmc.faults.add({ kind: 'status', status: 503, match: { method: 'POST' }, times: 1 });
  const client = clients.for(target(bmc.url), options);
  await client.get(SYSTEMS);
  expect(bmc.requests.at(-1)?.auth).toBe('basic');
  await client.with({ headers: {} }).get(SYSTEMS);
  expect(bmc.sessions).toHaveLength(0);
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  expect(bmc.sessions).toHaveLength(1);
});

test('auth_type session never sends Basic', async () => {
  const bmc = await startBmc();
  bmc.faults.add({ kind: 'status', status: 503, match: { method: 'POST' } });
  const only = target(bmc.url, { account: { username: 'u', password: 'p', authType: 'session' } });
  expect((await failure(clients.for(only, options).get(SYSTEMS))).status).toBe(503);
  expect(bmc.requests.map(({ auth }) => auth)).not.toContain('basic');
});

test('auth_type basic opens no session', async () => {
  const bmc = await startBmc();
  await clients
    .for(target(bmc.url, { account: { username: 'u', password: 'p', authType: 'basic' } }), options)
    .get(SYSTEMS);
  expect(bmc.requests).toHaveLength(1);
});

test('closing deletes the session at the BMC', async () => {
  const bmc = await startBmc();
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  expect(bmc.sessions).toHaveLength(1);
  await clients.close();
  expect(bmc.sessions).toHaveLength(0);
});

test('forgetting a target deletes its session, and a later call logs in again', async () => {
  const bmc = await startBmc();
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  await clients.forget(target(bmc.url));
  expect(bmc.sessions).toHaveLength(0);
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  expect(bmc.sessions).toHaveLength(1);
});

test('a client used once leaves no session, even when its work fails', async () => {
  const bmc = await startBmc();
  const work = clients.once(target(bmc.url), options, async (client) => {
    await client.get(SYSTEMS);
    throw new TypeError('of the work');
  });
  await expect(work).rejects.toThrow('of the work');
  expect(bmc.sessions).toHaveLength(0);
});

test('a caller that aborts during a login does not abort the login of others', async () => {
  const bmc = await startBmc({ latency: 50 });
  const leaving = new AbortController();
  const gone = clients.for(target(bmc.url), options).with({ signal: leaving.signal }).get(SYSTEMS);
  const staying = clients.for(target(bmc.url), options).get(SYSTEMS);
  void bmc.nextRequest({ method: 'POST' }).then(() => leaving.abort(new Error('left')));
  await expect(gone).rejects.toThrow('left');
  await staying;
  expect(bmc.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
});

test('a login without a response is repeated once, then reported as a request that was not sent', async () => {
  const bmc = await startBmc();
  bmc.faults.add({ kind: 'reset', match: { method: 'POST' } });
  const error = await failure(clients.for(target(bmc.url), options).delete(`${SYSTEMS}/1`));
  expect(error.kind).toBe('timeout');
  expect(error.message).toContain('was not sent');
  expect(bmc.requests.filter(({ method }) => method === 'POST')).toHaveLength(2);
  expect(bmc.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(0);
});

const hasty = { limits: { timeoutMs: 200, connectionAttempts: 1, connectionRetryIntervalMs: 10 } };

test.each(['reset', 'hang'] as const)(
  'deletes the session of a login whose response was lost (%s), and no other session',
  async (kind) => {
    const bmc = await startBmc();
    const others = createRedfishClients();
    await others.for(target(bmc.url), options).get(SYSTEMS);
    const [theirs] = bmc.sessions;
    const document = bmc.documents.get(theirs!.path)!;
    bmc.documents.set(theirs!.path, { ...document, CreatedTime: new Date(Date.now() - 60_000).toISOString() });

    bmc.faults.add({ kind, afterRead: true, times: 1, match: { method: 'POST' } });
    await clients.for(target(bmc.url, hasty), options).get(SYSTEMS);
    expect(bmc.sessions).toHaveLength(2);
    expect(bmc.sessions.map(({ id }) => id)).toContain(theirs!.id);
    await clients.close();
    expect(bmc.sessions.map(({ id }) => id)).toEqual([theirs!.id]);
    await others.close();
  },
);

test('an orphaned session that could not be searched for at once is deleted on close', async () => {
  const bmc = await startBmc();
  bmc.faults.add({ kind: 'reset', afterRead: true, times: 1, match: { method: 'POST' } });
  const failing = bmc.faults.add({
    kind: 'status',
    status: 503,
    match: { method: 'GET', path: '/redfish/v1/Session*' },
  });
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  expect(bmc.sessions).toHaveLength(2);
  bmc.faults.remove(failing);
  await clients.close();
  expect(bmc.sessions).toHaveLength(0);
});

test('an orphaned session with no later login is deleted on close', async () => {
  const bmc = await startBmc();
  bmc.faults.add({ kind: 'reset', afterRead: true, times: 2, match: { method: 'POST' } });
  await failure(clients.for(target(bmc.url), options).get(SYSTEMS));
  expect(bmc.sessions).toHaveLength(2);
  await clients.close();
  expect(bmc.sessions).toHaveLength(0);
});

test.each([
  ['is reset', { kind: 'reset' }],
  ['hangs', { kind: 'hang' }],
  ['fails', { kind: 'status', status: 503 }],
] as const)('a session is deleted at the end although the first DELETE %s', async (_, fault) => {
  const bmc = await startBmc();
  await clients.for(target(bmc.url), options).get(SYSTEMS);
  bmc.faults.add({ ...fault, times: 1, match: { method: 'DELETE' } });
  await clients.close();
  expect(bmc.sessions).toHaveLength(0);
});

test('closing does not wait for BMCs that hang with requests in flight', async () => {
  const bmc = await startBmc({ count: 3 });
  const bmcs = fleet!.bmcs;
  await Promise.all(bmcs.map(({ url }) => clients.for(target(url), options).get(SYSTEMS)));
  for (const each of bmcs) each.faults.add({ kind: 'hang' });
  const patient = { limits: { timeoutMs: 60_000, connectionAttempts: 5, connectionRetryIntervalMs: 4000 } };
  const left = new AbortController();
  const held = Array.from({ length: 6 }, () =>
    clients
      .for(target(bmc.url, patient), { signal: left.signal })
      .get(SYSTEMS)
      .catch(() => {}),
  );
  // A context whose login hangs.
  const other = target(bmc.url, { ...patient, account: { username: 'v', password: 'p', authType: 'auto' } });
  held.push(
    clients
      .for(other, { signal: left.signal })
      .get(SYSTEMS)
      .catch(() => {}),
  );
  // Within the time limit of this test, whereas each request may take 60 s.
  await clients.close();
  // They respond to no DELETE either, so their sessions are left.
  expect(bmcs.map(({ sessions }) => sessions.length)).toEqual([1, 1, 1]);
  left.abort(new Error('left'));
  await Promise.all(held);
});
