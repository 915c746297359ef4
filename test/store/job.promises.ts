import { describe, expect, test } from 'vitest';
import type { ErrorRecord } from '../../src/core/errors.ts';
import type { Job } from '../../src/core/job.ts';
import type { Opened } from './promises.ts';
import { accept, enrol, hold, reserve, sampleEnd, sampleJob, sampleReservation } from './samples.ts';

const ERROR: ErrorRecord = {
  kind: 'bmc_refused',
  message: 'Redfish exception occurred. Error: no',
  violations: [{ field: 'arguments.a', description: 'must be b' }],
  lock: sampleReservation(),
  bmc: { status: 400, extendedInfo: [{ MessageId: 'Base.1.8.GeneralError' }] },
};

export function jobPromises(opened: Opened): void {
  describe('jobs', () => {
    test('an accepted job survives reopening the store', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: uuid, nodeName: 'node-1' });
      expect(await store.getJob(job.id)).toEqual(job);
      expect(await (await opened().reopen()).getJob(job.id)).toEqual(job);
    });

    test('returns null for an unknown job', async () => {
      expect(await opened().store.getJob(sampleJob(1).id)).toBeNull();
      expect(await opened().store.getJob('../etc')).toBeNull();
    });

    test('an accepted job is named in its reservation and clears the last error', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const failing = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(failing, { state: 'failed', lastError: 'no' }), hold());
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: 'no' });
      const fence = await reserve(store, uuid);
      const job = sampleJob(2, { nodeUuid: uuid });
      await store.acceptJob(job, hold(fence), null, {});
      const reservation = sampleReservation({ job: job.id });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: null, reservation, fence });
    });

    test('refuses a job with an outdated fence, and changes nothing', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const failing = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(failing, { state: 'failed', lastError: 'no' }), hold());
      const old = await reserve(store, uuid);
      await store.release(uuid, old);
      const late = sampleJob(2, { nodeUuid: uuid });
      const key = { caller: 'alice', key: 'k', fingerprint: 'f', createTime: new Date() };
      expect(await store.acceptJob(late, hold(old), key, { job: late.id })).toBe(false);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null, lastError: 'no' });
      await reserve(store, uuid);
      expect(await store.acceptJob(late, hold(old), null, {})).toBe(false);
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation(), lastError: 'no' });
      expect(await store.getJob(late.id)).toBeNull();
      expect(await store.beginIdempotent(key, 'process-1', new Date(0))).toBeNull();
    });

    test('only the job’s conductor can update it, and only under its fence', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const fence = await reserve(store, uuid);
      const job = sampleJob(1, { nodeUuid: uuid });
      expect(await store.acceptJob(job, hold(fence), null, {})).toBe(true);
      const half = { fraction: 0.5, message: 'half' };
      for (const other of [hold(fence, 'process-2'), hold(fence + 1), hold(fence - 1)]) {
        if (other.fence === 0) continue;
        expect(await store.recordProgress(job.id, other, half)).toBeNull();
        expect(await store.endJob(sampleEnd(job, { lastError: 'late' }), other)).toBeNull();
      }
      expect(await store.getJob(job.id)).toEqual(job);
      await store.release(uuid, fence);
      await reserve(store, uuid, { holder: 'host-2' });
      expect(await store.recordProgress(job.id, hold(fence), half)).toBeNull();
      expect(await store.endJob(sampleEnd(job, { lastError: 'late' }), hold(fence))).toBeNull();
      expect(await store.getJob(job.id)).toEqual(job);
      const reservation = sampleReservation({ holder: 'host-2' });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation, lastError: null });
    });

    test('lists a cancellation request for the job’s conductor alone, until the job has ended', async () => {
      const { store } = opened();
      const job = await accept(store, 1);
      await accept(store, 2);
      expect(await store.listCancelRequests('process-1')).toEqual([]);
      await store.requestCancel(job.id, 'bob');
      expect(await store.listCancelRequests('process-1')).toEqual([{ id: job.id, requestedBy: 'bob' }]);
      expect(await store.listCancelRequests('process-2')).toEqual([]);
      await store.endJob(sampleEnd(job), hold());
      expect(await store.listCancelRequests('process-1')).toEqual([]);
      await store.requestCancel(job.id, 'bob');
      expect(await store.listCancelRequests('process-1')).toEqual([]);
    });

    test('lists the running jobs of a conductor alone', async () => {
      const { store } = opened();
      const [ended, running] = [await accept(store, 1), await accept(store, 2)];
      await store.endJob(sampleEnd(ended), hold());
      expect(await store.listRunningJobs('process-1')).toEqual([running.id]);
      expect(await store.listRunningJobs('process-2')).toEqual([]);
    });

    test('returns the newest revisions of many jobs, and skips unknown ones', async () => {
      const { store } = opened();
      for (const number of [1, 2, 3]) await accept(store, number);
      const { id } = sampleJob(2);
      await store.recordProgress(id, hold(), { fraction: null, message: 'x' });
      const ids = Array.from({ length: 2500 }, (_, index) => sampleJob(index + 2).id);
      expect(await store.newestRevisions(ids)).toEqual(
        new Map([
          [id, 2],
          [sampleJob(3).id, 1],
        ]),
      );
      expect(await store.newestRevisions([])).toEqual(new Map());
    });

    test('removes ended jobs by age or number, the oldest first, with their revisions', async () => {
      const { store } = opened();
      const time = (second: number) => new Date(1_800_000_000_000 + second * 1000);
      for (const number of [1, 2, 3, 4, 5, 6]) {
        const job = await accept(store, number);
        if (number > 1) await store.endJob(sampleEnd(job, { endTime: time(number) }), hold());
      }
      const remaining = async () =>
        (await store.listJobs({ limit: 10, olderThan: null })).map((job) => Number(job.id.slice(-12)));
      const until = (second: number) => ({ endTime: time(second), id: '' });
      expect(await store.removeEndedJobs(until(2), 9)).toBe(0);
      expect(await store.placeAfterNewest(5)).toBeNull();
      expect(await store.placeAfterNewest(4)).toEqual({ endTime: time(2), id: sampleJob(2).id });
      expect(await store.removeEndedJobs(until(4), 1)).toBe(1);
      expect(await remaining()).toEqual([6, 5, 4, 3, 1]);
      expect(await store.removeEndedJobs(until(4), 9)).toBe(1);
      expect(await remaining()).toEqual([6, 5, 4, 1]);
      expect(await store.removeEndedJobs((await store.placeAfterNewest(1))!, 9)).toBe(2);
      expect(await remaining()).toEqual([6, 1]);
      expect(await store.listRevisions(sampleJob(5).id, 0)).toEqual([]);
      expect(await store.removeEndedJobs((await store.placeAfterNewest(0))!, 9)).toBe(1);
      expect(await remaining()).toEqual([1]);
    });

    test('a job that cannot be stored changes nothing', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const failed = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(failed, { state: 'failed', lastError: 'no' }), hold());
      const fence = await reserve(store, uuid);
      await expect(store.acceptJob(sampleJob(1, { nodeUuid: uuid }), hold(fence), null, {})).rejects.toThrow();
      const reservation = sampleReservation();
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: 'no', reservation });
      expect(await store.getJob(failed.id)).toMatchObject({ state: 'failed', revision: 2 });
    });

    test('a job shows its latest progress until it ends', async () => {
      const { store } = opened();
      const job = await accept(store, 1);
      await store.recordProgress(job.id, hold(), { fraction: 0.25, message: 'a quarter' });
      await store.recordProgress(job.id, hold(), { fraction: null, message: '' });
      expect(await store.getJob(job.id)).toEqual({ ...job, revision: 3, progress: { fraction: null, message: '' } });
      await store.recordProgress(job.id, hold(), { fraction: 1 / 3, message: 'a third' });
      const third = { ...job, revision: 4, progress: { fraction: 1 / 3, message: 'a third' } };
      expect(await store.getJob(job.id)).toEqual(third);
      expect(await store.listJobs({ limit: 9, olderThan: null })).toEqual([third]);
      await store.endJob(sampleEnd(job), hold());
      await store.recordProgress(job.id, hold(), { fraction: 1, message: 'late' });
      expect(await store.getJob(job.id)).toMatchObject({ state: 'succeeded', revision: 5, progress: null });
    });

    test('the store numbers progress, and returns null for an unknown job', async () => {
      const { store } = opened();
      const half = { fraction: 0.5, message: 'half' };
      expect(await store.recordProgress(sampleJob(1).id, hold(), half)).toBeNull();
      const job = await accept(store, 1);
      expect(await store.recordProgress(job.id, hold(), half)).toBe(2);
      expect(await store.recordProgress(job.id, hold(), half)).toBe(3);
      expect(await store.endJob(sampleEnd(job), hold())).toBe(4);
      expect((await store.listRevisions(job.id, 0)).map((at) => at.revision)).toEqual([1, 2, 3, 4]);
    });

    test.each([
      [{ state: 'succeeded', result: { a: [1, null, 'x'] } }],
      [{ state: 'succeeded', result: false }],
      [{ state: 'succeeded', result: null }],
      [{ state: 'failed', error: ERROR }],
      [{ state: 'cancelled', error: { ...ERROR, kind: 'cancelled', lock: null, bmc: null, violations: [] } }],
    ] as const)('stores the end of a job: %j', async (how) => {
      const { store } = opened();
      const job = await accept(store, 1);
      const end = sampleEnd(job, { progress: { fraction: 1, message: 'done' }, ...structuredClone(how) } as object);
      await store.endJob(end, hold());
      const ended: Job = {
        ...job,
        state: end.state,
        revision: 2,
        endTime: end.endTime,
        progress: { fraction: 1, message: 'done' },
        result: end.result,
        error: end.error,
      };
      expect(await store.getJob(job.id)).toEqual(ended);
      expect(await (await opened().reopen()).getJob(job.id)).toEqual(ended);
    });

    test('the end of a job sets the last error and releases the node', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const fence = await reserve(store, uuid);
      const job = sampleJob(1, { nodeUuid: uuid });
      await store.acceptJob(job, hold(fence), null, {});
      await store.endJob(sampleEnd(job, { state: 'failed', lastError: 'it broke' }), hold(fence));
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: 'it broke', reservation: null, fence });
    });

    test('an ended job never changes', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(job, { result: 'first' }), hold());
      const before = await store.getJob(job.id);
      const fence = await reserve(store, uuid);
      const late = sampleEnd(job, { state: 'failed', error: ERROR, lastError: 'late' });
      for (const holder of [hold(), hold(fence)]) expect(await store.endJob(late, holder)).toBeNull();
      expect(await store.getJob(job.id)).toEqual(before);
      expect(await store.listRevisions(job.id, 2)).toEqual([]);
      const reservation = sampleReservation();
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: null, reservation });
    });

    test('keeps the first of two concurrent ends', async () => {
      const { store } = opened();
      const job = await accept(store, 1);
      await Promise.all([
        store.endJob(sampleEnd(job, { result: 'first' }), hold()),
        store.endJob(sampleEnd(job, { state: 'cancelled' }), hold()),
      ]);
      // The database decides which is first.
      expect(await store.listRevisions(job.id, 1)).toHaveLength(1);
      expect(await store.listRevisions(job.id, 1)).toEqual([await store.getJob(job.id)]);
    });

    test('every revision returns the job as it was then', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: uuid, nodeName: 'node-1' });
      await accept(store, 2);
      await store.recordProgress(job.id, hold(), { fraction: 0.5, message: 'half' });
      await store.endJob(sampleEnd(job, { result: { ok: true }, progress: null }), hold());
      const revisions: Job[] = [
        job,
        { ...job, revision: 2, progress: { fraction: 0.5, message: 'half' } },
        { ...job, revision: 3, state: 'succeeded', endTime: sampleEnd(job).endTime, result: { ok: true } },
      ];
      expect(await store.listRevisions(job.id, 0)).toEqual(revisions);
      expect(await store.listRevisions(job.id, 2)).toEqual(revisions.slice(2));
      expect(await store.listRevisions(job.id, 3)).toEqual([]);
      expect(await store.listRevisions(sampleJob(9).id, 0)).toEqual([]);
    });

    test('lists jobs newest first, in pages, filtered by node, driver and state', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      for (const number of [3, 1, 5, 2, 4]) {
        const job = await accept(store, number, {
          nodeUuid: number % 2 === 0 ? uuid : null,
          driver: number < 3 ? 'ipmi' : 'redfish',
        });
        if (number > 3) await store.endJob(sampleEnd(job, { state: number === 4 ? 'failed' : 'cancelled' }), hold());
      }
      const id = (number: number) => sampleJob(number).id;
      const list = async (query: object) =>
        (await store.listJobs({ limit: 10, olderThan: null, ...query })).map((job) => job.id);
      expect(await list({})).toEqual([5, 4, 3, 2, 1].map(id));
      expect(await list({ limit: 2 })).toEqual([5, 4].map(id));
      expect(await list({ limit: 2, olderThan: id(4) })).toEqual([3, 2].map(id));
      expect(await list({ olderThan: id(1) })).toEqual([]);
      expect(await list({ nodeUuid: uuid })).toEqual([4, 2].map(id));
      expect(await list({ driver: 'redfish', olderThan: id(5) })).toEqual([4, 3].map(id));
      expect(await list({ driver: 'ipmi' })).toEqual([2, 1].map(id));
      expect(await list({ state: 'running' })).toEqual([3, 2, 1].map(id));
      expect(await list({ state: 'failed', nodeUuid: uuid })).toEqual([4].map(id));
      expect(await list({ state: 'succeeded' })).toEqual([]);
    });

    test('a page with a bound in bytes has the same jobs, or none when they take more together', async () => {
      const { store } = opened();
      for (const number of [1, 2, 3, 4]) {
        const job = await accept(store, number, { driver: number % 2 === 0 ? 'ipmi' : 'redfish' });
        await store.endJob(sampleEnd(job, { result: 'x'.repeat(10_000) }), hold());
      }
      for (const filter of [{}, { driver: 'ipmi' }, { driver: 'redfish' }, { state: 'succeeded' as const }]) {
        const query = { limit: 10, olderThan: null, ...filter };
        const all = await store.listJobs(query);
        expect(all.length).toBeGreaterThan(1);
        expect(await store.listJobs({ ...query, within: 100_000 })).toEqual(all);
        expect(await store.listJobs({ ...query, within: 19_000 })).toEqual([]);
        expect(await store.listJobs({ ...query, within: 19_000, limit: 1 })).toEqual(all.slice(0, 1));
        expect(await store.listJobs({ ...query, within: 100_000, olderThan: all[0]!.id })).toEqual(all.slice(1));
      }
    });

    test('a page may begin below an unknown id', async () => {
      const { store } = opened();
      await accept(store, 1);
      await accept(store, 3);
      const page = await store.listJobs({ limit: 10, olderThan: sampleJob(2).id });
      expect(page.map((job) => job.id)).toEqual([sampleJob(1).id]);
    });
  });
}
