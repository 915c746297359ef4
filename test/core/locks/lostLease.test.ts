import { DatabaseSync } from 'node:sqlite';
import { expect, test, vi } from 'vitest';
import { createCore } from '../../../src/core/create.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { onConnection } from '../../../src/store/sqlite/sqlite.ts';
import { GatedHardware, nodeCall, operator, startJob, watchToEnd } from '../harness.ts';

test('a process that has lost its lease leaves its nodes reserved until the grace is over', async () => {
  const { core, store, hardware } = await startSharing({ lease: 250, grace: 1000 });
  const steps = { release: vi.spyOn(store, 'release'), endJob: vi.spyOn(store, 'endJob') };
  const job = await startJob(core, nodeCall('work', { node: 'n1' }));
  const call = core.callNodeMethod(nodeCall('exclusive', { node: 'n2' }));
  const both = await Promise.all([hardware.call(0), hardware.call(1)]);
  vi.spyOn(store, 'renewConductor').mockRejectedValue(new PassthruError('store_unavailable', 'gone'));
  await expect(call).rejects.toMatchObject({ kind: 'outcome_unknown' });
  for (const { task } of both) {
    expect(task.signal.aborted).toBe(true);
    expect(() => task.beforeSend()).toThrow('worker lost');
  }
  expect((await core.nodes.get('n1')).reservation).toMatchObject({ job: job.id });
  expect((await core.nodes.get('n2')).reservation).toMatchObject({ method: 'exclusive' });

  vi.mocked(store.renewConductor).mockRestore();
  expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'failed', error: { kind: 'worker_lost' } });
  expect((await core.nodes.get('n1')).lastError).toContain('worker lost');
  await vi.waitUntil(async () => (await core.nodes.get('n1')).reservation === null, { interval: 20, timeout: 5000 });
  await vi.waitUntil(async () => (await core.nodes.get('n2')).reservation === null, { interval: 20, timeout: 5000 });
  expect(steps.release).not.toHaveBeenCalled();
  expect(steps.endJob).not.toHaveBeenCalled();
  await core.shutdown(0);
});

test('a call with a key does not act once its process has lost its lease, as a repeat may', async () => {
  const { core, store, hardware } = await startSharing({ lease: 1000, grace: 0 });
  const first = core.callNodeMethod(nodeCall('exclusive'));
  await hardware.call(0);
  const begun = vi.spyOn(store, 'beginIdempotent');
  const call = core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'key', lockWait: 30_000 }));
  await vi.waitUntil(() => begun.mock.settledResults[0]?.type === 'fulfilled', { timeout: 5000 });
  vi.spyOn(store, 'renewConductor').mockRejectedValue(new PassthruError('store_unavailable', 'gone'));
  await expect(first).rejects.toMatchObject({ kind: 'outcome_unknown' });
  vi.mocked(store.renewConductor).mockRestore();
  await expect(call).rejects.toMatchObject({ kind: 'store_unavailable' });
  expect(hardware.calls).toHaveLength(1);

  // A lease again.
  const defect = () => core.callNodeMethod(nodeCall('defect', { node: 'n2' }));
  await vi.waitFor(() => expect(defect()).rejects.toMatchObject({ kind: 'internal' }), { timeout: 5000 });
  const repeat = core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'key', lockWait: 30_000 }));
  (await hardware.call(1)).finish('done');
  expect(await repeat).toEqual({ kind: 'result', result: 'done' });
  await core.shutdown(0);
});

/** Starts a core on a shared store. */
async function startSharing(settings: { lease: number; grace: number }) {
  const database = {
    ...onConnection(new DatabaseSync(':memory:', { enableForeignKeyConstraints: true }), () => {}),
    shared: true,
  };
  await migrate(database, silentLogger);
  const store: Store = kyselyStore(database);
  const hardware = new GatedHardware();
  const core = await createCore({
    store,
    hardwareTypes: [hardware.hardwareType],
    host: 'host-a',
    log: silentLogger,
    settings: { lockedRetryAttempts: 1, lockedRetryInterval: 20, maxLockWait: 60_000, workers: 4, ...settings },
  });
  for (const name of ['n1', 'n2']) await core.nodes.create({ name, driver: 'gated' }, operator);
  return { core, store, hardware };
}
