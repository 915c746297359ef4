import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { Store } from '../../../src/core/store.ts';
import { nodeCall, operator, startCore, startJob, watchToEnd } from '../harness.ts';

/** Fails the next wait for the disk. */
function failOnce(store: Store): void {
  vi.spyOn(store, 'onDisk').mockRejectedValueOnce(new PassthruError('store_unavailable', 'The store is not available'));
}

describe('the method of a job', () => {
  test('that needs a wait begins before the job is on the disk, but its caller hears of it afterwards', async () => {
    const { core, store, hardware } = await startCore(['n1']);
    const disk = Promise.withResolvers<void>();
    const onDisk = vi.spyOn(store, 'onDisk').mockImplementation(() => disk.promise);
    let accepted = false;
    const call = startJob(core, nodeCall('work')).finally(() => {
      accepted = true;
    });
    const held = await hardware.call(0);
    await vi.waitFor(() => expect(onDisk).toHaveBeenCalled());
    held.finish(null);
    await turn();
    expect(accepted).toBe(false);
    disk.resolve();
    const job = await call;
    expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'succeeded' });
  });

  test('with a key begins when the job is on the disk, since a repeat must find it', async () => {
    const { core, store, hardware } = await startCore(['n1']);
    const disk = Promise.withResolvers<void>();
    const onDisk = vi.spyOn(store, 'onDisk').mockImplementation(() => disk.promise);
    const call = startJob(core, nodeCall('work', { idempotencyKey: 'k' }));
    await vi.waitFor(() => expect(onDisk).toHaveBeenCalled());
    await turn();
    expect(hardware.calls).toHaveLength(0);
    disk.resolve();
    (await hardware.call(0)).finish(null);
    await call;
  });
});

describe('a disk that fails', () => {
  test('is told with the job, which runs and keeps its node', async () => {
    const { core, store, hardware } = await startCore(['n1']);
    failOnce(store);
    const call = core.callNodeMethod(nodeCall('work'));
    const held = await hardware.call(0);
    await expect(call).rejects.toMatchObject({
      kind: 'outcome_unknown',
      message: expect.stringContaining('not available'),
    });
    const { items } = await core.jobs.list(
      { limit: 1, olderThan: null, node: null, driver: null, state: null },
      operator,
    );
    await expect(call).rejects.toThrow(`Job ${items[0]?.id} has started`);
    await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'node_locked',
    });
    held.finish('done');
    expect((await watchToEnd(core, items[0]!.id)).at(-1)).toMatchObject({ state: 'succeeded', result: 'done' });
  });

  test('refuses a call with a key, whose job does not run', async () => {
    const { core, store, hardware } = await startCore(['n1'], { workers: 1 });
    failOnce(store);
    const key = { idempotencyKey: 'k' };
    await expect(core.callNodeMethod(nodeCall('work', key))).rejects.toMatchObject({ kind: 'store_unavailable' });
    await startJob(core, nodeCall('work', { lockWait: 0 }));
    (await hardware.call(0)).finish(null);
    expect(hardware.calls).toHaveLength(1);
  });
});
