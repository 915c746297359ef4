import { expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
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
async function start(maxRequests: number, patience: { patienceMs?: number } = {}) {
  const quirk = { name: 'few', description: '', connections: { maxRequests, overload: '503' as const } };
  const fleet = await startFleet({ quirks: [quirk], accounts: ACCOUNTS, latency: 5 });
  const bmc = fleet.bmcs[0]!;
  const redfish = createRedfishHardwareType({ settings: { ...settings, ...patience }, log: silentLogger });
  const nodes = Array.from({ length: 8 }, (_, i) => ({
    redfish_address: bmc.url,
    redfish_username: i % 2 === 0 ? 'u' : 'v',
    redfish_password: 'p',
  }));
  const call = (info: JsonObject, name: string, args: JsonObject) => {
    const method = methodOf(redfish, name);
    return method.run(taskOn(nodeOf('redfish', info)).task, method.parse(args));
  };
  return {
    bmc,
    /** Calls `name` on all nodes concurrently. */
    onAll: (name: string, args: (index: number) => JsonObject = () => ({})) =>
      Promise.all(nodes.map((info, index) => call(info, name, args(index)))) as Promise<JsonObject[]>,
    turnedAway: () => bmc.requests.filter(({ status }) => status === 503).length,
    async [Symbol.asyncDispose]() {
      await redfish.close?.();
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
  await using machine = await start(1, { patienceMs: 0 });
  const { bmc } = machine;
  await machine.onAll('get_all_subscriptions');
  bmc.faults.add({ kind: 'status', status: 503, match: { path: '*/Subscriptions' } });
  const requested = bmc.requestCount;
  await expect(machine.onAll('get_all_subscriptions')).rejects.toMatchObject({ bmc: { status: 503 } });
  await expect.poll(() => bmc.requestCount - requested).toBe(8);
});
