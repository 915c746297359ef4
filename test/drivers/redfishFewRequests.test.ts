import { expect, test } from 'vitest';
import type { HardwareType } from '../../src/core/hardware.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { createRedfishClients } from '../../src/redfish/index.ts';
import { startFleet } from '../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const settings = {
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 10_000,
};
const ACCOUNTS = { u: 'p', v: 'p' };

/** Starts a BMC with `maxRequests` concurrent requests and 503 to more, and eight nodes with two accounts behind it. */
async function start(maxRequests: number) {
  const quirk = { name: 'few', description: '', connections: { maxRequests, overload: '503' as const } };
  const fleet = await startFleet({ quirks: [quirk], accounts: ACCOUNTS, latency: 5 });
  const bmc = fleet.bmcs[0]!;
  const clients = createRedfishClients();
  const type = (patience: { patienceMs?: number }) =>
    createRedfishHardwareType({ settings: { ...settings, ...patience }, log: silentLogger, clients });
  const patient = type({});
  const impatient = type({ patienceMs: 0 });
  const nodes = Array.from({ length: 8 }, (_, i) => ({
    redfish_address: bmc.url,
    redfish_username: i % 2 === 0 ? 'u' : 'v',
    redfish_password: 'p',
  }));
  const call = (redfish: HardwareType, info: JsonObject, name: string, args: JsonObject) => {
    const method = methodOf(redfish, name);
    return method.run(taskOn(nodeOf('redfish', info)).task, method.parse(args));
  };
  return {
    bmc,
    /** Calls `name` on all nodes concurrently. */
    onAll: (name: string, args: (index: number) => JsonObject = () => ({})) =>
      Promise.all(nodes.map((info, index) => call(patient, info, name, args(index)))) as Promise<JsonObject[]>,
    /** Does the same with clients that repeat nothing, and waits for all. */
    onAllOnce: (name: string) => Promise.allSettled(nodes.map((info) => call(impatient, info, name, {}))),
    turnedAway: () => bmc.requests.filter(({ status }) => status === 503).length,
    async [Symbol.asyncDispose]() {
      await clients.close();
      await fleet.close();
    },
  };
}

test.each([1, 2, 3])('a BMC that returns 503 beyond %i concurrent requests serves all of eight nodes', async (few) => {
  await using machine = await start(few);
  const { bmc, onAll, turnedAway } = machine;
  const before = (await onAll('get_all_subscriptions'))[0]!['Members@odata.count'] as number;
  const made = await onAll('create_subscription', (index) => ({ Destination: `https://ev.example/${index}` }));
  expect(new Set(made.map(({ Id }) => Id)).size).toBe(8);
  for (const list of await onAll('get_all_subscriptions')) expect(list['Members@odata.count']).toBe(before + 8);
  await onAll('delete_subscription', (index) => ({ id: String(made[index]!.Id) }));
  expect((await onAll('get_all_subscriptions'))[0]!['Members@odata.count']).toBe(before);
  // The limit decreases by one with each request that is turned away, and is remembered.
  expect(turnedAway()).toBeGreaterThan(0);
  expect(turnedAway()).toBeLessThanOrEqual(12);
  expect(bmc.requests.filter(({ auth }) => auth === 'basic')).toEqual([]);
  expect(bmc.sessions).toHaveLength(2);
});

test('images are ejected at a BMC that serves one request at once', async () => {
  await using machine = await start(1);
  const [first] = (await machine.onAll('eject_vmedia')) as { devices: { outcome: string }[] }[];
  expect(first!.devices.map(({ outcome }) => outcome)).toContain('ejected');
});

test('a 503 to the only request in flight is reported at once by a client without patience', async () => {
  await using machine = await start(1);
  const { bmc } = machine;
  await machine.onAll('get_all_subscriptions');
  bmc.faults.add({ kind: 'status', status: 503, match: { path: '*/Subscriptions' } });
  const requested = bmc.requestCount;
  for (const result of await machine.onAllOnce('get_all_subscriptions')) {
    expect(result).toMatchObject({ status: 'rejected', reason: { bmc: { status: 503 } } });
  }
  expect(bmc.requestCount - requested).toBe(8);
});
