import { afterEach, expect, test, vi } from 'vitest';
import { createRedfishClients, listSubscriptions, type RedfishClients } from '../../../src/redfish/index.ts';
import { type SimulatedBmc, startFleet } from '../../../src/sim/index.ts';
import { startScriptedBmc } from '../scriptedBmc.ts';
import { failure, forever, target } from '../target.ts';

const ROOT = '/redfish/v1/';
const options = { signal: forever };
const lost = new Error('the lock is lost');
const refuse = {
  signal: forever,
  beforeSend: () => {
    throw lost;
  },
};
const anonymous = { account: { username: null, password: '', authType: 'auto' as const } };
let clients: RedfishClients = createRedfishClients();
const closing: { close(): Promise<void> }[] = [];

afterEach(async () => {
  vi.restoreAllMocks();
  await clients.close();
  await Promise.all(closing.splice(0).map((one) => one.close()));
});

async function start(auth: 'none' | 'required' = 'none'): Promise<SimulatedBmc> {
  clients = createRedfishClients();
  const fleet = await startFleet({ auth });
  closing.push(fleet);
  return fleet.bmcs[0]!;
}

test('a request that beforeSend refuses is not sent, and its connection serves the next', async () => {
  const bmc = await start();
  const client = clients.for(target(bmc.url, anonymous));
  for (const send of [
    () => client.get(ROOT, refuse),
    () => client.post(ROOT, {}, refuse),
    () => client.delete(ROOT, refuse),
  ]) {
    await expect(send()).rejects.toBe(lost);
  }
  expect(bmc.requestCount).toBe(0);
  await client.get(ROOT, options);
  expect(bmc.requestCount).toBe(1);
  expect(bmc.connections).toBe(1);
});

test('a connection without keep-alive is closed when beforeSend refuses, and the next request has another', async () => {
  const bmc = await start();
  const { connection } = target(bmc.url);
  const client = clients.for(target(bmc.url, { ...anonymous, connection: { ...connection, keepAlive: false } }));
  await expect(client.get(ROOT, refuse)).rejects.toBe(lost);
  await client.get(ROOT, options);
  expect(bmc.requestCount).toBe(1);
  expect(bmc.connections).toBe(2);
});

test('beforeSend is called when the request is written, not while it waits for its turn', async () => {
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  clients = createRedfishClients();
  const bmc = await startScriptedBmc(async ({ path }) => {
    if (path === '/held') await held;
    return { status: 200, body: {} };
  });
  closing.push(bmc);
  const client = clients.for(target(bmc.url, anonymous));
  const busy = Array.from({ length: 4 }, () => client.get('/held', options));
  let mayGo = true;
  const beforeSend = vi.fn(() => {
    if (!mayGo) throw lost;
  });
  const waiting = client.delete('/late', { signal: forever, beforeSend });
  await vi.waitFor(() => expect(bmc.requests).toHaveLength(4));
  expect(beforeSend).not.toHaveBeenCalled();
  mayGo = false;
  release();
  await expect(waiting).rejects.toBe(lost);
  await Promise.all(busy);
  expect(beforeSend).toHaveBeenCalledOnce();
  expect(bmc.lines()).not.toContain('DELETE /late');
  await client.get('/next', options);
  expect(bmc.connections()).toBeLessThanOrEqual(4);
});

test('beforeSend is called once connected, before the first byte is written', async () => {
  const bmc = await start();
  const client = clients.for(target(bmc.url, anonymous));
  const seen: number[] = [];
  await client.get(ROOT, { signal: forever, beforeSend: () => seen.push(bmc.connections, bmc.requestCount) });
  // The simulator runs in this process: the connection was made, and no request has arrived.
  expect(seen).toEqual([1, 0]);
});

test('beforeSend is called for each try, and not for the login', async () => {
  const bmc = await start('required');
  const client = clients.for(target(bmc.url));
  const beforeSend = vi.fn();
  await client.get(`${ROOT}Systems`, { signal: forever, beforeSend });
  expect(beforeSend).toHaveBeenCalledTimes(1);
  bmc.expireSessions();
  await client.get(`${ROOT}Systems`, { signal: forever, beforeSend });
  expect(beforeSend).toHaveBeenCalledTimes(3);
  bmc.faults.add({ kind: 'reset', times: 1 });
  await client.get(`${ROOT}Systems`, { signal: forever, beforeSend });
  expect(beforeSend).toHaveBeenCalledTimes(5);
});

test('requests that beforeSend refuses do not make the BMC count as down', async () => {
  const bmc = await start();
  const client = clients.for(target(bmc.url, anonymous));
  for (let i = 0; i < 20; i++) await expect(client.get(ROOT, refuse)).rejects.toBe(lost);
  await client.get(ROOT, options);
  expect(bmc.requestCount).toBe(1);
});

test('a probe of a BMC that is down is left to the next request when beforeSend refuses it', async () => {
  const bmc = await start();
  const limits = { timeoutMs: 100, connectionAttempts: 1, connectionRetryIntervalMs: 5 };
  const hang = bmc.faults.add({ kind: 'hang' });
  for (let i = 0; i < 5; i++) await failure(clients.for(target(bmc.url, { ...anonymous, limits })).get(ROOT, options));
  bmc.faults.remove(hang);
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + 15_000);
  const client = clients.for(target(bmc.url, anonymous));
  await expect(client.get(ROOT, refuse)).rejects.toBe(lost);
  await client.get(ROOT, options);
});

test('under Basic, where one request tries a password first, one that beforeSend refuses lets the next go', async () => {
  const bmc = await start('required');
  const client = clients.for(target(bmc.url, { account: { username: 'u', password: 'p', authType: 'basic' } }));
  const first = client.get(`${ROOT}Systems`, refuse);
  const next = client.get(`${ROOT}Systems`, options);
  await expect(first).rejects.toBe(lost);
  await next;
  expect(bmc.requestCount).toBe(1);
});

test('a discovery that others wait for is repeated for them when beforeSend refuses the caller that makes it', async () => {
  const bmc = await start();
  const client = clients.for(target(bmc.url, anonymous));
  const refused = listSubscriptions(client, refuse);
  const waiting = listSubscriptions(client, options);
  await expect(refused).rejects.toBe(lost);
  expect((await waiting).path).toBe(`${ROOT}EventService/Subscriptions`);
});
