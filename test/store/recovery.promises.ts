import { describe, expect, test } from 'vitest';
import type { ErrorRecord } from '../../src/core/errors.ts';
import type { Store } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { accept, enrol, reserve, sampleEnd, sampleJob } from './samples.ts';

const NOW = new Date('2026-03-04T05:06:07.008Z');
const LOST: ErrorRecord = { kind: 'worker_lost', message: 'worker lost', violations: [], lock: null, bmc: null };

export function recoveryPromises(opened: Opened): void {
  describe('recovery', () => {
    test('a running job fails with its progress, its node’s last error says so, and the node is free', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const fence = await reserve(store, uuid);
      const job = sampleJob(1, { nodeUuid: uuid });
      await store.acceptJob(job, fence, null, {});
      await store.recordProgress(job.id, 2, { fraction: 0.5, message: 'half' });

      const reopened = await opened().reopen();
      const failed = {
        ...job,
        revision: 3,
        state: 'failed',
        endTime: NOW,
        progress: { fraction: 0.5, message: 'half' },
        error: LOST,
      };
      expect(await recover(reopened)).toEqual([failed]);
      expect(await reopened.getJob(job.id)).toEqual(failed);
      expect((await reopened.listRevisions(job.id, 0)).map((at) => [at.revision, at.state])).toEqual([
        [1, 'running'],
        [2, 'running'],
        [3, 'failed'],
      ]);
      const lastError = `lost ${job.id} failed`;
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ lastError, reservation: null, fence });
      expect(await recover(reopened)).toEqual([]);
      expect(await reserve(reopened, uuid)).toBe(fence + 1);
    });

    test('jobs that have ended, held reservations and free nodes stay as they are', async () => {
      const { store } = opened();
      const held = await enrol(store);
      await reserve(store, held.uuid, { kind: 'held', method: null });
      const free = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: free.uuid });
      await store.endJob(sampleEnd(job, { state: 'failed', lastError: { nodeUuid: free.uuid, text: 'before' } }));
      const read = async (from: Store) => [
        await from.getNodeByUuid(held.uuid),
        await from.getNodeByUuid(free.uuid),
        await from.getJob(job.id),
      ];
      const before = await read(store);
      const reopened = await opened().reopen();
      expect(await recover(reopened)).toEqual([]);
      expect(await read(reopened)).toEqual(before);
    });

    test('a reservation of kind call is released, also when the process calls itself as the earlier one', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await reserve(store, uuid);
      const reopened = await opened().reopen();
      await recover(reopened, 'process-1');
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence: 1 });
    });

    test('of several lost jobs of a node the newest leaves its last error; a job without a node fails too', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await accept(store, 2, { nodeUuid: uuid });
      await accept(store, 3, { nodeUuid: null });
      await accept(store, 1, { nodeUuid: uuid });
      const reopened = await opened().reopen();
      const failed = await recover(reopened);
      expect(failed.map((job) => job.id)).toEqual([1, 2, 3].map((number) => sampleJob(number).id));
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ lastError: `lost ${sampleJob(2).id} failed` });
    });

    test('an idempotent call that was accepted has an unknown outcome, one that was not is forgotten', async () => {
      const { store } = opened();
      const call = (key: string) => ({ caller: 'alice', key, fingerprint: 'f', createTime: NOW });
      const longAgo = new Date(0);
      for (const key of ['waiting', 'accepted', 'done']) {
        await store.beginIdempotent(call(key), 'process-1', longAgo);
        if (key !== 'waiting') await store.acceptIdempotent('alice', key);
      }
      await store.finishIdempotent('alice', 'done', { result: 1 });

      const reopened = await opened().reopen();
      await recover(reopened);
      const known = (key: string) => reopened.beginIdempotent(call(key), 'process-2', longAgo);
      expect(await known('waiting')).toBeNull();
      expect(await known('accepted')).toMatchObject({ state: 'done', outcome: { unknown: true } });
      expect(await known('done')).toMatchObject({ state: 'done', outcome: { result: 1 } });
    });
  });
}

function recover(store: Store, owner = 'process-2') {
  return store.recover({
    owner,
    now: NOW,
    error: LOST,
    lastError: (job) => `lost ${job.id} ${job.state}`,
    unknown: { unknown: true },
  });
}
