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
  const client = clients.for(target(bmc.url, anonymous), options);
  for (const send of [
    () => client.with(refuse).get(ROOT),
    () => client.with(refuse).post(ROOT, {}),
    () => client.with(refuse).delete(ROOT),
  ]) {
    await expect(send()).rejects.toBe(lost);
  }
  expect(bmc.requestCount).toBe(0);
  await client.get(ROOT);
  expect(bmc.requestCount).toBe(1);
  expect(bmc.connections).toBe(1);
});

test('a connection without keep-alive is closed when beforeSend refuses, and the next request has another', async () => {
  const bmc = await start();
  const { connection } = target(bmc.url);
  const client = clients.for(
    target(bmc.url, { ...anonymous, connection: { ...connection, keepAlive: false } }),
    options,
  );
  await expect(client.with(refuse).get(ROOT)).rejects.toBe(lost);
  await client.get(ROOT);
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
  const client = clients.for(target(bmc.url, anonymous), options);
  const busy = Array.from({ length: 4 }, () => client.get('/held'));
  let mayGo = true;
  const beforeSend = vi.fn(() => {
    if (!mayGo) throw lost;
  });
  const waiting = client.with({ beforeSend }).delete('/late');
  await vi.waitFor(() => expect(bmc.requests).toHaveLength(4));
  expect(beforeSend).not.toHaveBeenCalled();
  mayGo = false;
  release();
  await expect(waiting).rejects.toBe(lost);
  await Promise.all(busy);
  expect(beforeSend).toHaveBeenCalledOnce();
  expect(bmc.lines()).not.toContain('DELETE /late');
  await client.get('/next');
  expect(bmc.connections()).toBeLessThanOrEqual(4);
});

test('beforeSend is called once connected, before the first byte is written', async () => {
  const bmc = await start();
  const client = clients.for(target(bmc.url, anonymous), options);
  const seen: number[] = [];
  await client.with({ beforeSend: () => seen.push(bmc.connections, bmc.requestCount) }).get(ROOT);
  // The simulator runs in this process: the connection was made, and no request has arrived.
  expect(seen).toEqual([1, 0]);
});

test('beforeSend is called for each try, and not for the login', async () => {
  const bmc = await start('required');
  const client = clients.for(target(bmc.url), options);
  const beforeSend = vi.fn();
  await client.with({ beforeSend }).get(`${ROOT}Systems`);
  expect(beforeSend).toHaveBeenCalledTimes(1);
  bmc.expireSessions();
  await client.with({ beforeSend }).get(`${ROOT}Systems`);
  expect(beforeSend).toHaveBeenCalledTimes(3);
  bmc.faults.add({ kind: 'reset', times: 1 });
  await client.with({ beforeSend }).get(`${ROOT}Systems`);
  expect(beforeSend).toHaveBeenCalledTimes(5);
});

test('requests that beforeSend refuses do not make the BMC count as down', async () => {
  const bmc = await start();
  const client = clients.for(target(bmc.url, anonymous), options);
  for (let i = 0; i < 20; i++) await expect(client.with(refuse).get(ROOT)).rejects.toBe(lost);
  await client.get(ROOT);
  expect(bmc.requestCount).toBe(1);
});

test('when beforeSend refuses the probe of a BMC that is down, the next request probes it', async () => {
  const bmc = await start();
  let now = 0;
  clients = createRedfishClients({ now: () => now });
  const limits = { timeoutMs: 100, connectionAttempts: 1, connectionRetryIntervalMs: 5 };
  const hang = bmc.faults.add({ kind: 'hang' });
  for (let i = 0; i < 5; i++) await failure(clients.for(target(bmc.url, { ...anonymous, limits }), options).get(ROOT));
  bmc.faults.remove(hang);
  now = 15_000;
  const client = clients.for(target(bmc.url, anonymous), options);
  await expect(client.with(refuse).get(ROOT)).rejects.toBe(lost);
  await client.get(ROOT);
});

test('under Basic a first request that beforeSend refuses releases its turn to the next', async () => {
  const bmc = await start('required');
  const client = clients.for(
    target(bmc.url, { account: { username: 'u', password: 'p', authType: 'basic' } }),
    options,
  );
  const first = client.with(refuse).get(`${ROOT}Systems`);
  const next = client.get(`${ROOT}Systems`);
  await expect(first).rejects.toBe(lost);
  await next;
  expect(bmc.requestCount).toBe(1);
});

test('when beforeSend refuses the caller that discovers a path, a waiting caller discovers it', async () => {
  const bmc = await start();
  const client = clients.for(target(bmc.url, anonymous), options);
  const refused = listSubscriptions(client.with(refuse));
  const waiting = listSubscriptions(client);
  await expect(refused).rejects.toBe(lost);
  expect((await waiting).document['@odata.id']).toBe(`${ROOT}EventService/Subscriptions`);
});
