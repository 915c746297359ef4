import { afterEach, expect, test, vi } from 'vitest';
import { createRedfishClients } from '../../src/redfish/index.ts';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { failure, forever, target } from './target.ts';

const HOUR = 60 * 60_000;
const SWEEP = 10 * 60_000;
const options = { signal: forever };

let fleet: Fleet | null = null;

afterEach(async () => {
  vi.useRealTimers();
  await fleet?.close();
  fleet = null;
});

async function startBmc() {
  fleet = await startFleet({ accounts: { u: 'p' } });
  return fleet.bmcs[0]!;
}

test('the session of a BMC unused for an hour is deleted, and the next request logs in again', async () => {
  const bmc = await startBmc();
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  let now = 0;
  const clients = createRedfishClients({ now: () => now });
  await clients.for(target(bmc.url), options).get('/redfish/v1/Systems');
  now = HOUR - 1;
  await vi.advanceTimersByTimeAsync(SWEEP);
  expect(bmc.sessions).toHaveLength(1);
  now = HOUR + 1;
  await vi.advanceTimersByTimeAsync(SWEEP);
  await vi.waitFor(() => expect(bmc.sessions).toHaveLength(0));
  await clients.for(target(bmc.url), options).get('/redfish/v1/Systems');
  expect(bmc.sessions).toHaveLength(1);
  await clients.close();
});

test('thousands of unused sessions are deleted a few at a time', async () => {
  fleet = await startFleet({ count: 50, accounts: { u: 'p' }, latency: 5 });
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  let now = 0;
  const clients = createRedfishClients({ now: () => now });
  await Promise.all(fleet.bmcs.map(({ url }) => clients.for(target(url), options).get('/redfish/v1/Systems')));
  let inFlight = 0;
  let most = 0;
  const logouts = fleet.bmcs.map(async (bmc) => {
    await bmc.nextRequest({ method: 'DELETE' });
    most = Math.max(most, ++inFlight);
    await vi.waitFor(() => expect(bmc.sessions).toHaveLength(0), { interval: 1 });
    inFlight--;
  });
  now = HOUR + 1;
  await vi.advanceTimersByTimeAsync(SWEEP);
  await Promise.all(logouts);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(20);
  await clients.close();
});

test('a BMC that was down and is no longer used stops counting as down', async () => {
  const bmc = await startBmc();
  const { url } = bmc;
  await fleet?.close();
  fleet = null;
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  let now = 0;
  const clients = createRedfishClients({ now: () => now });
  const limits = { timeoutMs: 1000, connectionAttempts: 1, connectionRetryIntervalMs: 1 };
  for (let tries = 0; tries < 10 && clients.down().length === 0; tries++) {
    await failure(clients.for(target(url, { limits }), options).get('/redfish/v1/Systems'));
  }
  expect(clients.down()).toHaveLength(1);
  now = HOUR + 1;
  await vi.advanceTimersByTimeAsync(SWEEP);
  await vi.waitFor(() => expect(clients.down()).toHaveLength(0));
  await clients.close();
});
