import { describe, expect, test, vi } from 'vitest';
import type { ErrorRecord } from '../../src/core/errors.ts';
import type { Store } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { accept, enrol, hold, reserve, sampleConductor, sampleEnd, sampleJob, sampleReservation } from './samples.ts';

const NOW = new Date('2026-03-04T05:06:07.008Z');
const LOST: ErrorRecord = { kind: 'worker_lost', message: 'worker lost', violations: [], lock: null, bmc: null };

export function conductorPromises(opened: Opened): void {
  describe('conductors', () => {
    test('fails a running job, keeps its progress, sets the node’s last error and frees the node', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const fence = await reserve(store, uuid);
      const job = sampleJob(1, { nodeUuid: uuid });
      await store.acceptJob(job, hold(fence), null, {});
      await store.recordProgress(job.id, hold(fence), { fraction: 0.5, message: 'half' });

      const reopened = await opened().reopen();
      const failed = {
        ...job,
        revision: 3,
        state: 'failed',
        endTime: NOW,
        progress: { fraction: 0.5, message: 'half' },
        error: LOST,
      };
      expect(await reapAll(reopened)).toEqual({ failed: [failed], freed: [uuid] });
      expect(await reopened.getJob(job.id)).toEqual(failed);
      expect((await reopened.listRevisions(job.id, 0)).map((at) => [at.revision, at.state])).toEqual([
        [1, 'running'],
        [2, 'running'],
        [3, 'failed'],
      ]);
      const lastError = `lost ${job.id} failed`;
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ lastError, reservation: null, fence });
      expect(await reapAll(reopened)).toEqual(NOTHING);
      await reopened.addConductor(sampleConductor());
      expect(await reserve(reopened, uuid)).toBe(fence + 1);
    });

    test('leaves ended jobs, held reservations and free nodes unchanged', async () => {
      const { store } = opened();
      const held = await enrol(store);
      await reserve(store, held.uuid, { kind: 'held', method: null });
      const free = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: free.uuid });
      await store.endJob(sampleEnd(job, { state: 'failed', lastError: 'before' }), hold());
      const read = async (from: Store) => [
        await from.getNodeByUuid(held.uuid),
        await from.getNodeByUuid(free.uuid),
        await from.getJob(job.id),
      ];
      const before = await read(store);
      const reopened = await opened().reopen();
      expect(await reapAll(reopened)).toEqual(NOTHING);
      expect(await read(reopened)).toEqual(before);
    });

    test('the newest of several lost jobs sets the node’s last error; a job without a node fails too', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await accept(store, 2, { nodeUuid: uuid });
      await accept(store, 3, { nodeUuid: null });
      await accept(store, 1, { nodeUuid: uuid });
      const reopened = await opened().reopen();
      const { failed } = await reapAll(reopened);
      expect(failed.map((job) => job.id)).toEqual([1, 2, 3].map((number) => sampleJob(number).id));
      expect(await reopened.getNodeByUuid(uuid)).toMatchObject({ lastError: `lost ${sampleJob(2).id} failed` });
    });

    test('an accepted idempotent call gets an unknown outcome, a waiting one is removed', async () => {
      const { store } = opened();
      const call = (key: string) => ({ caller: 'alice', key, fingerprint: 'f', createTime: NOW });
      const longAgo = new Date(0);
      for (const key of ['waiting', 'accepted', 'done']) {
        await store.beginIdempotent(call(key), 'process-1', longAgo);
        if (key !== 'waiting') await store.acceptIdempotent('alice', key, 'process-1');
      }
      await store.finishIdempotent('alice', 'done', { result: 1 });

      const reopened = await opened().reopen();
      await reapAll(reopened);
      await reopened.addConductor(sampleConductor({ id: 'process-2', host: 'host-2' }));
      const repeat = (key: string) => reopened.beginIdempotent(call(key), 'process-2', longAgo);
      expect(await repeat('waiting')).toBeNull();
      expect(await repeat('accepted')).toMatchObject({ state: 'done', outcome: { unknown: true } });
      expect(await repeat('done')).toMatchObject({ state: 'done', outcome: { result: 1 } });
    });

    test('extends the grace while the lease is valid, and never shortens it', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      await store.addConductor(sampleConductor({ id: 'slow', host: 'host-4', lease: 2000, grace: 0 }));
      expect(await store.extendGrace('slow', 60_000)).toBe(true);
      expect(await store.extendGrace('slow', 10)).toBe(true);
      await store.acquire(uuid, sampleReservation(), 'slow');
      await vi.waitUntil(async () => !(await store.listHosts()).includes('host-4'), { interval: 20 });
      expect(await store.extendGrace('slow', 90_000)).toBe(false);
      expect(await store.extendGrace('unknown', 90_000)).toBe(false);
      expect(await reap(store)).toEqual(NOTHING);
      expect((await store.getNodeByUuid(uuid))?.reservation).not.toBeNull();
    });

    test('fails the jobs of an expired lease at once, and frees its nodes after its grace', async () => {
      const { store } = opened();
      await store.addConductor(sampleConductor({ id: 'short', host: 'host-3', lease: 2000, grace: 600 }));
      const { uuid } = await enrol(store);
      const other = await enrol(store);
      const free = await enrol(store);
      const otherFence = await reserve(store, other.uuid);
      const acquired = await store.acquire(uuid, sampleReservation(), 'short');
      const fence = acquired.outcome === 'acquired' ? acquired.fence : 0;
      const lost = sampleJob(1, { nodeUuid: uuid });
      expect(await store.acceptJob(lost, hold(fence, 'short'), null, {})).toBe(true);
      const living = sampleJob(2, { nodeUuid: other.uuid });
      await store.acceptJob(living, hold(otherFence), null, {});

      const call = { caller: 'alice', key: 'key', fingerprint: 'f', createTime: NOW };
      expect(await store.beginIdempotent(call, 'short', new Date(0))).toBeNull();
      expect(await reap(store)).toEqual(NOTHING);
      expect(await store.renewConductor('short')).toBe(true);
      expect(await store.listHosts()).toEqual(['host-1', 'host-2', 'host-3']);
      const processes = await store.listProcesses();
      expect(processes.map(({ host }) => host)).toEqual(['host-1', 'host-2', 'host-3']);
      for (const { createTime, updateTime } of processes) {
        expect(createTime.getTime()).toBeGreaterThan(new Date('2026-01-01').getTime());
        expect(updateTime.getTime()).toBeGreaterThanOrEqual(createTime.getTime());
      }
      await vi.waitUntil(async () => !(await store.listHosts()).includes('host-3'), { interval: 20 });
      expect(await store.renewConductor('short')).toBe(false);
      expect(await reap(store)).toMatchObject({ failed: [{ id: lost.id, state: 'failed' }], freed: [] });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({
        lastError: `lost ${lost.id} failed`,
        reservation: sampleReservation({ job: lost.id }),
      });
      // The steps of a process that was suspended and resumes.
      expect(await store.recordProgress(lost.id, hold(fence, 'short'), { fraction: 1, message: '' })).toBeNull();
      expect(await store.endJob(sampleEnd(lost), hold(fence, 'short'))).toBeNull();
      expect(await store.acquire(free.uuid, sampleReservation(), 'short')).toEqual({ outcome: 'expired' });
      expect(await store.beginIdempotent(call, 'short', new Date(0))).toBe('expired');
      if (store.shared) {
        expect(await store.acceptJob(sampleJob(3), hold(null, 'short'), null, {})).toBe(false);
        expect(await store.acceptIdempotent('alice', 'key', 'short')).toBe(false);
      }

      const { freed } = await vi.waitUntil(
        async () => {
          const reaped = await reap(store);
          return reaped.freed.length > 0 && reaped;
        },
        { interval: 20 },
      );
      expect(freed).toEqual([uuid]);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence });
      expect(await reap(store)).toEqual(NOTHING);
      expect(await store.getJob(living.id)).toEqual(living);
      expect(await store.getNodeByUuid(other.uuid)).toMatchObject({ reservation: { job: living.id } });
    });

    test('cleans up after a removed conductor as after a lost one', async () => {
      const { store } = opened();
      await store.addConductor(sampleConductor({ id: 'leaving', host: 'host-3', lease: 60_000, grace: 300 }));
      const { uuid } = await enrol(store);
      const acquired = await store.acquire(uuid, sampleReservation(), 'leaving');
      const fence = acquired.outcome === 'acquired' ? acquired.fence : 0;
      const job = sampleJob(1, { nodeUuid: uuid });
      await store.acceptJob(job, hold(fence, 'leaving'), null, {});
      const call = { caller: 'alice', key: 'key', fingerprint: 'f', createTime: NOW };
      await store.beginIdempotent(call, 'leaving', new Date(0));
      await store.removeConductor('leaving');
      await vi.waitUntil(async () => (await reap(store)).failed.length > 0, { interval: 20 });
      expect(await store.getJob(job.id)).toMatchObject({ state: 'failed' });
      expect(await store.beginIdempotent(call, 'process-1', new Date(0))).toBeNull();
      await vi.waitUntil(async () => (await reap(store)).freed[0] === uuid, { interval: 20 });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null, fence });
      // It stays removed.
      await store.removeConductor('leaving');
      expect(await store.renewConductor('leaving')).toBe(false);
    });

    test.each([false, true])('releases calls of unknown conductors, and no others (at start: %j)', async (all) => {
      const { store, execute } = opened();
      const [orphan, held, other] = [await enrol(store), await enrol(store), await enrol(store)];
      await store.acquire(orphan.uuid, sampleReservation(), 'process-2');
      await store.acquire(held.uuid, sampleReservation({ kind: 'held', method: null }), 'process-2');
      if (!all) await reserve(store, other.uuid);
      const call = (key: string) => ({ caller: 'alice', key, fingerprint: 'f', createTime: NOW });
      for (const key of ['waiting', 'accepted']) await store.beginIdempotent(call(key), 'process-2', new Date(0));
      await store.acceptIdempotent('alice', 'accepted', 'process-2');
      expect(await reap(store)).toEqual(NOTHING);

      // As after a statement that tested the lease in time and committed after the conductor was removed.
      await execute("delete from conductors where id = 'process-2'");
      expect(await reap(store, all)).toEqual({ failed: [], freed: [orphan.uuid] });
      expect(await store.getNodeByUuid(orphan.uuid)).toMatchObject({ reservation: null, fence: 1 });
      expect(await store.getNodeByUuid(held.uuid)).toMatchObject({ reservation: { kind: 'held' } });
      if (all) await store.addConductor(sampleConductor({ id: 'process-3' }));
      else expect(await store.getNodeByUuid(other.uuid)).toMatchObject({ reservation: { kind: 'call' } });
      const repeat = (key: string) => store.beginIdempotent(call(key), all ? 'process-3' : 'process-1', new Date(0));
      expect(await repeat('waiting')).toBeNull();
      expect(await repeat('accepted')).toMatchObject({ state: 'done', outcome: { unknown: true } });
      expect(await reap(store)).toEqual(NOTHING);
    });

    test('a removed conductor is no longer listed or renewed', async () => {
      const { store } = opened();
      await store.removeConductor('process-1');
      expect(await store.renewConductor('process-1')).toBe(false);
      expect(await store.listHosts()).toEqual(['host-2']);
    });
  });
}

const NOTHING = { failed: [], freed: [] };

/** Reaps as a process that has just opened a store that is not shared. */
function reapAll(store: Store) {
  return reap(store, true);
}

function reap(store: Store, all = false) {
  return store.reap({
    all,
    orphans: true,
    now: NOW,
    error: LOST,
    lastError: (job) => `lost ${job.id} ${job.state}`,
    unknown: { unknown: true },
  });
}
