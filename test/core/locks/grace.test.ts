import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { createCore } from '../../../src/core/create.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import type { JsonObject } from '../../../src/core/json.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Node } from '../../../src/core/node.ts';
import { Registry } from '../../../src/core/registry.ts';
import type { Store } from '../../../src/core/store.ts';
import { createIpmiHardwareType } from '../../../src/drivers/ipmi/ipmiHardwareType.ts';
import { createRedfishHardwareType } from '../../../src/drivers/redfish/redfishHardwareType.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { onConnection } from '../../../src/store/sqlite/sqlite.ts';
import { nodeOf } from '../../drivers/nodeTask.ts';
import { GatedHardware, nodeCall, operator } from '../harness.ts';

/** Starts a core on a shared store, and reads its conductor's grace there. */
async function startShared(timeouts: Record<string, number | undefined>, longestRequest?: (node: Node) => number) {
  const connection = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true });
  const database = { ...onConnection(connection, () => {}), shared: true };
  await migrate(database, silentLogger);
  const store: Store = kyselyStore(database);
  const hardware = new GatedHardware();
  const hardwareType = { ...hardware.hardwareType };
  if (longestRequest !== undefined) hardwareType.longestRequest = longestRequest;
  const core = await createCore({
    store,
    hardwareTypes: [hardwareType],
    host: 'host-a',
    log: silentLogger,
    settings: { lockedRetryAttempts: 1, lockedRetryInterval: 20, maxLockWait: 60_000, workers: 4 },
  });
  for (const [name, timeout] of Object.entries(timeouts)) {
    const driverInfo: JsonObject = timeout === undefined ? {} : { timeout };
    await core.nodes.create({ name, driver: 'gated', driverInfo }, operator);
  }
  const grace = () => {
    const rows = connection.prepare("select grace from conductors where host = 'host-a'").all();
    return rows.map((row) => Number(row.grace));
  };
  return { core, store, hardware, grace };
}

test('the grace is longer than a statement may take, even with short timeouts', async () => {
  const { core, hardware, grace } = await startShared({ n1: 100 });
  const call = core.callNodeMethod(nodeCall('exclusive'));
  (await hardware.call(0)).finish(null);
  await call;
  expect(grace()).toEqual([5000]);
  await core.shutdown(0);
});

test.each(['exclusive', 'work'])(
  'before %s acts on a node with a longer timeout, the grace of its process is raised to that timeout for good',
  async (method) => {
    const { core, hardware, grace } = await startShared({ n1: 600_000, n2: 7000 });
    expect(grace()).toEqual([5000]);
    const slow = core.callNodeMethod(nodeCall(method));
    const { task, finish } = await hardware.call(0);
    expect(grace()).toEqual([600_000]);
    task.beforeSend();
    const quick = core.callNodeMethod(nodeCall(method, { node: 'n2' }));
    (await hardware.call(1)).finish(null);
    await quick;
    expect(grace()).toEqual([600_000]);
    finish(null);
    await slow;
    await core.shutdown(0);
  },
);

test('the grace for a driver that declares no longest request is a minute', async () => {
  const { core, hardware, grace } = await startShared({ n1: undefined }, () => undefined as unknown as number);
  const call = core.callNodeMethod(nodeCall('exclusive'));
  (await hardware.call(0)).finish(null);
  await call;
  expect(grace()).toEqual([60_000]);
  await core.shutdown(0);
});

test('a rule for a method keeps the longest request of a hardware type that is a class', () => {
  class Slow {
    readonly name = 'gated';
    readonly properties = {};
    readonly vendorInterfaces = new GatedHardware().hardwareType.vendorInterfaces;
    readonly #longest = 600_000;

    longestRequest(): number {
      return this.#longest;
    }
  }
  const registry = new Registry([new Slow()], [{ driver: 'gated', method: 'work', role: 'admin' }]);
  expect(registry.longestRequest(nodeOf('gated', {}))).toBe(600_000);
  expect(registry.nodeMethods('gated', 'gated').byName.get('work')?.role).toBe('admin');
});

test('a call whose grace cannot be raised does not act: the store is unreachable, or the lease has run out', async () => {
  const { core, store, hardware } = await startShared({ n1: 600_000 });
  const extend = vi.spyOn(store, 'extendGrace');
  extend.mockRejectedValueOnce(new PassthruError('store_unavailable', 'gone'));
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'store_unavailable' });
  extend.mockResolvedValueOnce(false);
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'store_unavailable' });
  expect(hardware.calls).toHaveLength(0);
  expect(extend.mock.lastCall?.[1]).toBe(600_000);
  await core.shutdown(0);
});

test.each([
  ['redfish', {}, 10_000],
  ['redfish', { redfish_request_timeout: 3600 }, 3_600_000],
  ['redfish', { redfish_request_timeout: '0.5' }, 500],
  ['ipmi', {}, 60_000],
])('the longest request of %s with %j is %d ms', async (driver, more, longest) => {
  const settings = {
    authType: 'auto' as const,
    connectionAttempts: 1,
    connectionRetryIntervalMs: 5,
    requestTimeoutMs: 10_000,
  };
  const types = [createRedfishHardwareType({ settings, log: silentLogger }), createIpmiHardwareType()];
  const node = nodeOf(driver, { redfish_address: 'https://192.0.2.1', ...more });
  expect(types.find(({ name }) => name === driver)?.longestRequest?.(node)).toBe(longest);
  for (const type of types) await type.close?.();
});
