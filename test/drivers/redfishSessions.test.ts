import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Core } from '../../src/core/core.ts';
import { createCore } from '../../src/core/create.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { Store } from '../../src/core/store.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { type Fleet, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { openStore } from '../../src/store/open.ts';

const caller = { name: 'test', role: 'admin' } as const;
const { signal } = new AbortController();
let fleet: Fleet;
let bmc: SimulatedBmc;
let store: Store;
let core: Core;

beforeEach(async () => {
  fleet = await startFleet({ accounts: { u: 'p', other: 'p2' } });
  bmc = fleet.bmcs[0]!;
  store = await openStore('sqlite::memory:', { log: silentLogger });
  core = await createCore({
    store,
    hardwareTypes: [
      createRedfishHardwareType({
        settings: { authType: 'auto', connectionAttempts: 1, connectionRetryIntervalMs: 5, requestTimeoutMs: 5000 },
        log: silentLogger,
      }),
    ],
    host: 'host-a',
    log: silentLogger,
    settings: { lockedRetryAttempts: 3, lockedRetryInterval: 10, maxLockWait: 60_000, workers: 4 },
  });
  await core.nodes.create({ name: 'n', driver: 'redfish', driverInfo: info() }, caller);
});
afterEach(async () => {
  await core.shutdown(0);
  await store.close();
  await fleet.close();
});

const info = (change: JsonObject = {}): JsonObject => ({
  redfish_address: bmc.url,
  redfish_username: 'u',
  redfish_password: 'p',
  ...change,
});

function list(node = 'n') {
  const rest = {
    arguments: {},
    httpMethod: null,
    idempotencyKey: null,
    caller,
    signal,
    deadline: null,
    lockWait: null,
  };
  return core.callNodeMethod({ node, method: 'get_all_subscriptions', ...rest });
}

const users = () => bmc.sessions.map(({ userName }) => userName);

test('the session of a deleted node is deleted', async () => {
  await list();
  expect(users()).toEqual(['u']);
  await core.nodes.delete('n', caller, signal);
  expect(users()).toEqual([]);
});

test('changed credentials delete the old session, and the next call logs in with the new ones', async () => {
  await list();
  const change = { redfish_username: 'other', redfish_password: 'p2' };
  await core.nodes.update('n', () => ({ driverInfo: info(change) }), caller, signal);
  expect(users()).toEqual([]);
  await list();
  expect(users()).toEqual(['other']);
});

test('a corrected password is tried at once although the wrong one is blocked for five minutes', async () => {
  await core.nodes.update('n', () => ({ driverInfo: info({ redfish_password: 'wrong' }) }), caller, signal);
  await expect(list()).rejects.toMatchObject({ kind: 'bmc_refused' });
  await expect(list()).rejects.toThrow('retry blocked');
  await core.nodes.update('n', () => ({ driverInfo: info() }), caller, signal);
  await list();
});

test('a wrong password that was changed, then restored once the BMC accepts it, is tried at once', async () => {
  const wrong = info({ redfish_password: 'wrong' });
  const logIns = () => bmc.requests.filter(({ method }) => method === 'POST').length;
  await core.nodes.update('n', () => ({ driverInfo: wrong }), caller, signal);
  await expect(list()).rejects.toMatchObject({ kind: 'bmc_refused' });
  await core.nodes.update('n', () => ({ driverInfo: info() }), caller, signal);
  await core.nodes.update('n', () => ({ driverInfo: wrong }), caller, signal);
  const before = logIns();
  await expect(list()).rejects.not.toThrow('retry blocked');
  expect(logIns()).toBe(before + 1);
});

test('two nodes behind one BMC share its session, which outlives the deletion of one', async () => {
  await core.nodes.create({ name: 'm', driver: 'redfish', driverInfo: info() }, caller);
  await Promise.all([list('n'), list('m')]);
  expect(users()).toEqual(['u']);
  await core.nodes.delete('n', caller, signal);
  await list('m');
  expect(users()).toEqual(['u']);
  await core.shutdown(100);
  expect(users()).toEqual([]);
});
