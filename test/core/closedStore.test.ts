import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import { Lease } from '../../src/core/locks/lease.ts';
import { type Logger, silentLogger } from '../../src/core/logger.ts';
import { NO_OBSERVER } from '../../src/core/observer.ts';
import type { Store } from '../../src/core/store.ts';
import { openStore } from '../../src/store/open.ts';
import { nodeCall, openMemoryStore, startCoreOn, startJob } from './harness.ts';

const unavailable = new PassthruError('store_unavailable', 'The store is not available');
const admin = { name: 'admin', role: 'admin' as const };

/** Opens a store that counts the attempts of one step, which fail once `fail` was called. */
async function failingStore(step: 'addJob' | 'release' | 'endJob' | 'finishIdempotent') {
  const store = await openMemoryStore(step !== 'addJob');
  let attempts = 0;
  const fail = () => {
    store[step] = async () => {
      attempts += 1;
      throw unavailable;
    };
  };
  return { store, fail, attempts: () => attempts };
}

describe('closing the store ends the retries of a step', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  test.each([
    ['the release of a node', 'release', 'exclusive', null],
    ['the end of a job', 'endJob', 'work', null],
    ['the outcome of a call with a key', 'finishIdempotent', 'exclusive', 'key'],
  ] as const)('%s', async (_, step, method, idempotencyKey) => {
    const { store, fail, attempts } = await failingStore(step);
    const { core, hardware } = await startCoreOn(store, 'host-a');
    await core.nodes.create({ name: 'n1', driver: 'gated' }, admin);
    const call = core.callNodeMethod(nodeCall(method, { idempotencyKey }));
    const held = await hardware.call(0);
    fail();
    held.finish(null);
    await call;
    await vi.waitFor(() => expect(attempts()).toBeGreaterThan(0));
    await store.close();
    const before = attempts();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts()).toBe(before);
  });

  test('the beginning of a job, which leaves its caller an unknown outcome', async () => {
    const { store, fail, attempts } = await failingStore('addJob');
    const { core, hardware } = await startCoreOn(store, 'host-a');
    await core.nodes.create({ name: 'n1', driver: 'gated' }, admin);
    fail();
    const unknown = expect(core.callNodeMethod(nodeCall('work'))).rejects.toMatchObject({ kind: 'outcome_unknown' });
    const held = await hardware.call(0);
    await vi.advanceTimersByTimeAsync(3000);
    const before = attempts();
    expect(before).toBeGreaterThan(2);
    await store.close();
    await unknown;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(attempts()).toBe(before);
    held.finish(null);
    await vi.waitFor(() => expect(core.load().runningJobs).toBe(0));
  });

  test('of a caller that waits for a node which was never released', async () => {
    const { store, fail, attempts } = await failingStore('release');
    const { core, hardware } = await startCoreOn(store, 'host-a');
    await core.nodes.create({ name: 'n1', driver: 'gated' }, admin);
    const call = core.callNodeMethod(nodeCall('exclusive'));
    const held = await hardware.call(0);
    const waiting = core.callNodeMethod(nodeCall('exclusive', { lockWait: 60_000 }));
    fail();
    held.finish(null);
    await call;
    await vi.waitFor(() => expect(attempts()).toBeGreaterThan(0));
    await store.close();
    await expect(waiting).rejects.toMatchObject({ kind: 'store_unavailable' });
  });

  test('without logging a failure', async () => {
    const store = await openStore('sqlite::memory:', { log: silentLogger });
    const lines: string[] = [];
    const log = { ...silentLogger, warn: (_: object, text: string) => lines.push(text) } as unknown as Logger;
    const view = { ...store, shared: true } as Store;
    const lease = new Lease(view, { host: 'a', lease: 30_000, grace: 0 }, log, NO_OBSERVER);
    await lease.start();
    view.addConductor = async () => {
      throw unavailable;
    };
    lease.lost(lease.current());
    await store.close();
    lines.length = 0;
    await vi.advanceTimersByTimeAsync(5000);
    expect(lines).toEqual([]);
  });
});

test('a lease requested while its process stops leaves no conductor behind', async () => {
  const store = await openStore('sqlite::memory:', { log: silentLogger });
  const gate = Promise.withResolvers<void>();
  const view = { ...store, shared: true } as Store;
  const lease = new Lease(view, { host: 'host-a', lease: 30_000, grace: 0 }, silentLogger, NO_OBSERVER);
  await lease.start();
  view.addConductor = async (conductor) => {
    await gate.promise;
    await store.addConductor(conductor);
  };
  const first = lease.current();
  lease.lost(first);
  const stopped = lease.stop();
  gate.resolve();
  await stopped;
  await store.removeConductor(first.id);
  expect(await store.listHosts()).toEqual([]);
});

test('a job whose store is closed meanwhile ends', async () => {
  const store = await openStore('sqlite::memory:', { log: silentLogger });
  const { core, hardware } = await startCoreOn(store, 'host-a');
  await core.nodes.create({ name: 'n1', driver: 'gated' }, admin);
  await startJob(core, nodeCall('work'));
  const held = await hardware.call(0);
  await store.close();
  held.finish(null);
  await vi.waitFor(() => expect(core.load().runningJobs).toBe(0));
});
