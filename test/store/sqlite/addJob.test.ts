import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';
import { accept, enrol, hold, sampleConductor, sampleEnd, sampleJob } from '../samples.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

const ALL = { limit: 10, olderThan: null };
const running = () => null;

let file: ReturnType<typeof temporaryDatabase>;
let store: Store;
const open = async () => {
  store = await openStore(`sqlite:${file.path}`, { log: silentLogger });
};

beforeEach(async () => {
  file = temporaryDatabase();
  await open();
  await store.addConductor(sampleConductor());
});
afterEach(async () => {
  await store.close();
  file.remove();
});

test('a job that has not ended when its turn comes is stored as an accepted one', async () => {
  const { uuid } = await enrol(store);
  const failing = await accept(store, 1, { nodeUuid: uuid });
  await store.endJob(sampleEnd(failing, { state: 'failed', lastError: 'no' }), hold());
  const job = sampleJob(2, { nodeUuid: uuid, nodeName: 'node-1' });
  expect(await store.addJob(job, hold().owner, running)).toBe(false);
  expect(await store.getJob(job.id)).toEqual(job);
  expect((await store.getNodeByUuid(uuid))?.lastError).toBeNull();
  expect(await store.listRunningJobs(hold().owner)).toEqual([job.id]);
  expect(await store.recordProgress(job.id, hold(), { fraction: 0.5, message: 'half' })).toBe(2);
  expect(await store.endJob(sampleEnd(job), hold())).toBe(3);
});

test('a job that has ended when its turn comes is stored with its end, as revision 2', async () => {
  const { uuid } = await enrol(store);
  const job = sampleJob(1, { nodeUuid: uuid, nodeName: 'node-1' });
  const end = sampleEnd(job, { result: { ok: [1] }, progress: { fraction: 1, message: 'all' } });
  let asked = 0;
  const stored = store.addJob(job, hold().owner, () => {
    asked++;
    return end;
  });
  // It waits for its turn.
  expect(asked).toBe(0);
  expect(await stored).toBe(true);
  expect(asked).toBe(1);
  const { lastError: _, ...ended } = end;
  const whole = { ...job, ...ended, revision: 2 };
  expect(await store.getJob(job.id)).toEqual(whole);
  expect(await store.listRevisions(job.id, 0)).toEqual([whole]);
  expect(await store.listRevisions(job.id, 1)).toEqual([whole]);
  expect(await store.listRevisions(job.id, 2)).toEqual([]);
  expect((await store.jobChanges(0, 10)).map((change) => change.job)).toEqual([whole]);
  expect(await store.listJobs({ ...ALL, state: 'succeeded', nodeUuid: uuid })).toEqual([whole]);
  expect(await store.listRunningJobs(hold().owner)).toEqual([]);
  // It has ended: nothing ends it again, or takes it for lost.
  expect(await store.endJob(sampleEnd(job, { state: 'failed' }), hold())).toBeNull();
  await store.close();
  await open();
  expect(await store.getJob(job.id)).toEqual(whole);
});

test('the end of such a job sets or clears the last error of its node, and counts among the ended', async () => {
  const { uuid } = await enrol(store);
  // Counted here; later ones are added to the count.
  expect(await store.placeAfterNewest(1)).toBeNull();
  const lastErrors: unknown[] = [];
  for (const [number, lastError] of [
    [1, 'broke'],
    [2, null],
    [3, 'again'],
    [4, 'again'],
  ] as const) {
    const job = sampleJob(number, { nodeUuid: uuid });
    const state = lastError === null ? 'succeeded' : 'failed';
    const end = sampleEnd(job, { state, lastError, endTime: new Date(1000 + number) });
    expect(await store.addJob(job, hold().owner, () => end)).toBe(true);
    lastErrors.push((await store.getNodeByUuid(uuid))?.lastError);
  }
  expect(lastErrors).toEqual(['broke', null, 'again', 'again']);
  const place = await store.placeAfterNewest(1);
  expect(place).toEqual({ endTime: new Date(1003), id: sampleJob(3).id });
  expect(await store.removeEndedJobs(place!, 10)).toBe(3);
  expect((await store.listJobs(ALL)).map(({ id }) => id)).toEqual([sampleJob(4).id]);
});

test('stores nothing of a job whose end it refuses, and others of the same turn', async () => {
  const jobs = Array.from({ length: 8 }, (_, index) => sampleJob(index));
  const outcomes = await Promise.allSettled(
    jobs.map((job, index) =>
      store.addJob(job, hold().owner, () => {
        if (index % 3 === 0) throw new RangeError('too long');
        return index % 3 === 1 ? sampleEnd(job) : null;
      }),
    ),
  );
  expect(outcomes.map((one) => (one.status === 'fulfilled' ? one.value : one.reason.message))).toEqual(
    jobs.map((_, index) => ['too long', true, false][index % 3]),
  );
  expect((await store.listJobs(ALL)).map(({ id }) => id).sort()).toEqual(
    jobs.filter((_, index) => index % 3 > 0).map(({ id }) => id),
  );
});

test('a job of a node that is removed meanwhile is stored', async () => {
  const job = sampleJob(1, { nodeUuid: randomUUID() });
  expect(await store.addJob(job, hold().owner, () => sampleEnd(job, { state: 'failed', lastError: 'no' }))).toBe(true);
});
