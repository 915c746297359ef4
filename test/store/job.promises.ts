import { describe, expect, test } from 'vitest';
import type { ErrorRecord } from '../../src/core/errors.ts';
import type { Job } from '../../src/core/job.ts';
import type { Opened } from './promises.ts';
import { accept, enrol, reserve, sampleEnd, sampleJob, sampleReservation } from './samples.ts';

const ERROR: ErrorRecord = {
  kind: 'bmc_refused',
  message: 'Redfish exception occurred. Error: no',
  violations: [{ field: 'arguments.a', description: 'must be b' }],
  lock: sampleReservation(),
  bmc: { status: 400, extendedInfo: [{ MessageId: 'Base.1.8.GeneralError' }] },
};

export function jobPromises(opened: Opened): void {
  describe('jobs', () => {
    test('an accepted job is read back, also after the store was opened again', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: uuid, nodeName: 'node-1' });
      expect(await store.getJob(job.id)).toEqual(job);
      expect(await (await opened().reopen()).getJob(job.id)).toEqual(job);
    });

    test('an unknown job is null', async () => {
      expect(await opened().store.getJob(sampleJob(1).id)).toBeNull();
      expect(await opened().store.getJob('../etc')).toBeNull();
    });

    test('an accepted job is named in the reservation it runs under, and clears the last error', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const failing = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(failing, { state: 'failed', lastError: { nodeUuid: uuid, text: 'no' } }));
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: 'no' });
      const fence = await reserve(store, uuid);
      const job = sampleJob(2, { nodeUuid: uuid });
      await store.acceptJob(job, fence, null, {});
      const reservation = sampleReservation({ job: job.id });
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: null, reservation, fence });
    });

    test('a job whose fence is no longer the node’s is not named in the reservation', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const old = await reserve(store, uuid);
      await store.release(uuid, old);
      await store.acceptJob(sampleJob(1, { nodeUuid: uuid }), old, null, {});
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: null });
      await reserve(store, uuid);
      await store.acceptJob(sampleJob(2, { nodeUuid: uuid }), old, null, {});
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: sampleReservation() });
    });

    test('a job that cannot be stored changes nothing', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const failed = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(failed, { state: 'failed', lastError: { nodeUuid: uuid, text: 'no' } }));
      const fence = await reserve(store, uuid);
      await expect(store.acceptJob(sampleJob(1, { nodeUuid: uuid }), fence, null, {})).rejects.toThrow();
      const reservation = sampleReservation();
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: 'no', reservation });
      expect(await store.getJob(failed.id)).toMatchObject({ state: 'failed', revision: 2 });
    });

    test('progress is what the job shows, until it ends', async () => {
      const { store } = opened();
      const job = await accept(store, 1);
      await store.recordProgress(job.id, 2, { fraction: 0.25, message: 'a quarter' });
      await store.recordProgress(job.id, 3, { fraction: null, message: '' });
      expect(await store.getJob(job.id)).toEqual({ ...job, revision: 3, progress: { fraction: null, message: '' } });
      await store.recordProgress(job.id, 4, { fraction: 1 / 3, message: 'a third' });
      const third = { ...job, revision: 4, progress: { fraction: 1 / 3, message: 'a third' } };
      expect(await store.getJob(job.id)).toEqual(third);
      expect(await store.listJobs({ limit: 9, olderThan: null })).toEqual([third]);
      await store.endJob(sampleEnd(job, { revision: 5 }));
      await store.recordProgress(job.id, 6, { fraction: 1, message: 'late' });
      expect(await store.getJob(job.id)).toMatchObject({ state: 'succeeded', revision: 5, progress: null });
    });

    test('progress of an unknown job is nothing, and progress told twice is one revision', async () => {
      const { store } = opened();
      await store.recordProgress(sampleJob(1).id, 2, { fraction: 0.5, message: 'half' });
      const job = await accept(store, 1);
      await store.recordProgress(job.id, 2, { fraction: 0.5, message: 'half' });
      await store.recordProgress(job.id, 2, { fraction: 0.5, message: 'half' });
      expect((await store.listRevisions(job.id, 0)).map((at) => at.revision)).toEqual([1, 2]);
    });

    test.each([
      [{ state: 'succeeded', result: { a: [1, null, 'x'] } }],
      [{ state: 'succeeded', result: false }],
      [{ state: 'succeeded', result: null }],
      [{ state: 'failed', error: ERROR }],
      [{ state: 'cancelled', error: { ...ERROR, kind: 'cancelled', lock: null, bmc: null, violations: [] } }],
    ] as const)('a job ends as it was told: %j', async (how) => {
      const { store } = opened();
      const job = await accept(store, 1);
      const end = sampleEnd(job, { progress: { fraction: 1, message: 'done' }, ...structuredClone(how) } as object);
      await store.endJob(end);
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
      await store.acceptJob(job, fence, null, {});
      await store.endJob(
        sampleEnd(job, {
          state: 'failed',
          lastError: { nodeUuid: uuid, text: 'it broke' },
          release: { nodeUuid: uuid, fence },
        }),
      );
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: 'it broke', reservation: null, fence });
    });

    test('the end of a job leaves a reservation that is no longer its own', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const old = await reserve(store, uuid);
      const job = sampleJob(1, { nodeUuid: uuid });
      await store.acceptJob(job, old, null, {});
      await store.release(uuid, old);
      await reserve(store, uuid, { holder: 'host-2' });
      await store.endJob(sampleEnd(job, { release: { nodeUuid: uuid, fence: old } }));
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ reservation: { holder: 'host-2' } });
      expect(await store.getJob(job.id)).toMatchObject({ state: 'succeeded' });
    });

    test('a job that has ended stays as it ended', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: uuid });
      await store.endJob(sampleEnd(job, { result: 'first' }));
      const before = await store.getJob(job.id);
      const fence = await reserve(store, uuid);
      await store.endJob(
        sampleEnd(job, {
          revision: 3,
          state: 'failed',
          error: ERROR,
          lastError: { nodeUuid: uuid, text: 'late' },
          release: { nodeUuid: uuid, fence },
        }),
      );
      expect(await store.getJob(job.id)).toEqual(before);
      expect(await store.listRevisions(job.id, 2)).toEqual([]);
      const reservation = sampleReservation();
      expect(await store.getNodeByUuid(uuid)).toMatchObject({ lastError: null, reservation });
    });

    test('of two ends at once the first is kept', async () => {
      const { store } = opened();
      const job = await accept(store, 1);
      await Promise.all([
        store.endJob(sampleEnd(job, { result: 'first' })),
        store.endJob(sampleEnd(job, { state: 'cancelled' })),
      ]);
      expect(await store.listRevisions(job.id, 1)).toMatchObject([{ state: 'succeeded', result: 'first' }]);
    });

    test('every revision shows the job as it was then', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const job = await accept(store, 1, { nodeUuid: uuid, nodeName: 'node-1' });
      await accept(store, 2);
      await store.recordProgress(job.id, 2, { fraction: 0.5, message: 'half' });
      await store.endJob(sampleEnd(job, { revision: 3, result: { ok: true }, progress: null }));
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

    test('jobs are listed newest first, page by page, by node, driver and state', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      for (const number of [3, 1, 5, 2, 4]) {
        const job = await accept(store, number, {
          nodeUuid: number % 2 === 0 ? uuid : null,
          driver: number < 3 ? 'ipmi' : 'redfish',
        });
        if (number > 3) await store.endJob(sampleEnd(job, { state: number === 4 ? 'failed' : 'cancelled' }));
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
      expect(await list({ state: 'running' })).toEqual([3, 2, 1].map(id));
      expect(await list({ state: 'failed', nodeUuid: uuid })).toEqual([4].map(id));
      expect(await list({ state: 'succeeded' })).toEqual([]);
    });

    test('a page begins below an id that is no job', async () => {
      const { store } = opened();
      await accept(store, 1);
      await accept(store, 3);
      const page = await store.listJobs({ limit: 10, olderThan: sampleJob(2).id });
      expect(page.map((job) => job.id)).toEqual([sampleJob(1).id]);
    });
  });
}
