import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Discovered } from '../../src/redfish/discovered.ts';
import { createRedfishClients, ejectMedia, listSubscriptions, type RedfishClients } from '../../src/redfish/index.ts';
import { type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { startScriptedBmc } from './scriptedBmc.ts';
import { forever, target } from './target.ts';

const ROOT = '/redfish/v1';
const EVENT_SERVICE = '/redfish/v1/EventService';
const options = { signal: forever };
const FIVE_MINUTES = 5 * 60_000;
const basic = { account: { username: 'u', password: 'p', authType: 'basic' as const } };
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(async () => {
  vi.useRealTimers();
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

/** Starts a BMC whose event service the client has discovered. */
async function discoveredBmc(change: Parameters<typeof target>[1] = {}) {
  clients = createRedfishClients();
  const fleet = await startFleet();
  closing.push(fleet);
  const bmc = fleet.bmcs[0]!;
  const client = clients.for(target(bmc.url, change), options);
  const list = async () => void (await listSubscriptions(client));
  await list();
  return { bmc, client, list, requested: requestedPaths(bmc) };
}

/** Returns the paths requested since the last call. */
function requestedPaths(bmc: SimulatedBmc): () => string[] {
  let seen = bmc.requestCount;
  return () => {
    const paths = bmc.requests.slice(seen).map(({ path }) => path.replace(/\/$/, ''));
    seen = bmc.requestCount;
    return paths;
  };
}

test('a session that timed out costs a login and a read of the service root; discovered paths are kept', async () => {
  const { bmc, list, requested } = await discoveredBmc();
  bmc.expireSessions();
  await list();
  expect(requested()).toContain(ROOT);
  expect(requested()).not.toContain(EVENT_SERVICE);
  await list();
  expect(requested()).toHaveLength(1);
});

test.each([
  ['UUID', { UUID: '11111111-1111-4111-8111-111111111111' }],
  ['ETag', { Name: 'Changed, and so its ETag' }],
])('a service root whose %s changed when a session was lost drops discovered paths', async (_, change) => {
  const { bmc, list, requested } = await discoveredBmc();
  bmc.documents.set(ROOT, { ...bmc.documents.get(ROOT)!, ...change });
  await list();
  expect(requested()).toHaveLength(1);
  bmc.expireSessions();
  await list();
  await list();
  expect(requested()).toContain(EVENT_SERVICE);
});

test('the paths of a BMC that was unreachable are discovered again', async () => {
  clients = createRedfishClients();
  const script: Parameters<typeof startScriptedBmc>[0] = ({ path }) => {
    if (path === '/redfish/v1/') return { status: 200, body: { EventService: { '@odata.id': EVENT_SERVICE } } };
    if (path === EVENT_SERVICE) return { status: 200, body: { Subscriptions: { '@odata.id': '/subscriptions' } } };
    return { status: 200, body: { Members: [] } };
  };
  const before = await startScriptedBmc(script);
  const client = clients.for(target(before.url, basic), options);
  await listSubscriptions(client);
  await before.close();
  await expect(listSubscriptions(client)).rejects.toMatchObject({ kind: 'unreachable' });
  const after = await startScriptedBmc(script, undefined, Number(new URL(before.url).port));
  closing.push(after);
  await listSubscriptions(client);
  expect(after.lines()).toContain(`GET ${EVENT_SERVICE}`);
  await listSubscriptions(client);
  expect(after.lines().filter((line) => line === `GET ${EVENT_SERVICE}`)).toHaveLength(1);
});

const logIns: [string, Parameters<typeof target>[1]][] = [
  ['Basic', basic],
  ['a session', {}],
];

test.each(logIns)(
  'the service root is read again every five minutes, and discovered paths are kept if it is unchanged (%s)',
  async (_, change) => {
    const { list, requested } = await discoveredBmc(change);
    for (const wait of [0, FIVE_MINUTES - 1]) {
      vi.advanceTimersByTime(wait);
      requested();
      await list();
      expect(requested()).toHaveLength(1);
    }
    vi.advanceTimersByTime(2);
    await Promise.all([list(), list(), list()]);
    const paths = requested();
    expect(paths.filter((path) => path === ROOT)).toHaveLength(1);
    expect(paths).not.toContain(EVENT_SERVICE);
    await list();
    expect(requested()).toHaveLength(1);
  },
);

test.each(
  logIns.flatMap(([name, change]) => [
    [name, 'UUID', change, { UUID: '11111111-1111-4111-8111-111111111111' }] as const,
    [name, 'ETag', change, { Name: 'Changed, and so its ETag' }] as const,
  ]),
)('under %s a changed %s of the service root is noticed although no request failed', async (_, _key, change, root) => {
  const { bmc, list, requested } = await discoveredBmc(change);
  bmc.documents.set(ROOT, { ...bmc.documents.get(ROOT)!, ...root });
  vi.advanceTimersByTime(FIVE_MINUTES);
  await list();
  expect(requested()).toContain(EVENT_SERVICE);
  await list();
  expect(requested()).toHaveLength(1);
});

test('some time after a request without a response the service root is read, as the BMC may have restarted (Basic)', async () => {
  const { bmc, client, list, requested } = await discoveredBmc(basic);
  bmc.faults.add({ kind: 'reset', times: 1, match: { method: 'POST' } });
  await expect(client.post('/redfish/v1/Anything', null)).rejects.toMatchObject({ kind: 'outcome-unknown' });
  requested();
  // No BMC restarts so fast, and a check of a request's outcome must not wait for another read.
  await list();
  expect(requested()).toHaveLength(1);
  vi.advanceTimersByTime(5001);
  await list();
  expect(requested()).toContain(ROOT);
  await list();
  expect(requested()).toHaveLength(1);
});

test('a lost session puts discovered paths in doubt, also where the service root requires credentials', async () => {
  clients = createRedfishClients();
  let token = 'token-1';
  let uuid = 'before';
  const bmc = await startScriptedBmc(({ method, path, headers }) => {
    if (method === 'POST') return { status: 201, headers: { 'X-Auth-Token': token } };
    if (headers['x-auth-token'] !== token) return { status: 401 };
    if (path === '/redfish/v1/')
      return { status: 200, body: { UUID: uuid, EventService: { '@odata.id': EVENT_SERVICE } } };
    if (path === EVENT_SERVICE) return { status: 200, body: { Subscriptions: { '@odata.id': '/subscriptions' } } };
    return { status: 200, body: { Members: [] } };
  });
  closing.push(bmc);
  const client = clients.for(target(bmc.url), options);
  await listSubscriptions(client);
  token = 'token-2';
  uuid = 'after';
  await listSubscriptions(client);
  vi.advanceTimersByTime(5001);
  bmc.requests.length = 0;
  await listSubscriptions(client);
  expect(bmc.lines()).toEqual(['GET /redfish/v1/', `GET ${EVENT_SERVICE}`, 'GET /subscriptions']);
});

test('a restart that no request noticed (Basic) also drops discovered devices', async () => {
  const { bmc, client, requested } = await discoveredBmc(basic);
  const SYSTEM = '/redfish/v1/Systems/437XR1138R2';
  const eject = () => ejectMedia(client, SYSTEM, { ...options, mediaTypes: null, progress: () => undefined });
  await eject();
  bmc.documents.set(ROOT, { ...bmc.documents.get(ROOT)!, UUID: '11111111-1111-4111-8111-111111111111' });
  vi.advanceTimersByTime(FIVE_MINUTES);
  requested();
  await eject();
  expect(requested()).toContain(SYSTEM);
});

test('discovered paths are kept when the service root cannot be read, which is then read again', async () => {
  const { bmc, list, requested } = await discoveredBmc(basic);
  vi.advanceTimersByTime(FIVE_MINUTES);
  const failing = bmc.faults.add({ kind: 'status', status: 503, match: { path: '/redfish/v1/' } });
  await list();
  expect(requested()).not.toContain(EVENT_SERVICE);
  bmc.faults.remove(failing);
  await list();
  expect(requested()).toContain(ROOT);
  await list();
  expect(requested()).toHaveLength(1);
});

test('when a caller aborts while reading the service root, the next one reads it', async () => {
  const { bmc, client } = await discoveredBmc(basic);
  vi.advanceTimersByTime(FIVE_MINUTES);
  bmc.faults.add({ kind: 'hang', times: 1, match: { path: '/redfish/v1/' } });
  const leaving = new AbortController();
  const gone = listSubscriptions(client.with({ signal: leaving.signal }));
  const staying = listSubscriptions(client);
  await bmc.nextRequest({ path: '/redfish/v1/' });
  leaving.abort(new Error('left'));
  await expect(gone).rejects.toThrow('left');
  await staying;
});

test('a value that must not be kept serves those who wait for it, and the next caller discovers again', async () => {
  const discovered = new Discovered(
    () => 0,
    () => 0,
  );
  let loads = 0;
  const load = async (doNotKeep: () => void) => {
    loads++;
    await Promise.resolve();
    if (loads === 1) doNotKeep();
    return loads;
  };
  const get = () => discovered.get('key', forever, load);
  expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
  expect(discovered.peek('key')).toBeUndefined();
  expect(await get()).toBe(2);
  expect(await get()).toBe(2);
});
