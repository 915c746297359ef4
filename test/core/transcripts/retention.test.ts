import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import { nodeCall, operator, startCore, startJob, watchToEnd } from '../harness.ts';

/** The interval at which old jobs and transcripts are removed, in milliseconds. */
const INTERVAL = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

test.each([
  ['older than the retention time', { time: 1000, count: null }, 0],
  ['beyond the retention count', { time: null, count: 1 }, 1],
])('removes the transcripts of jobs and calls that are %s', async (_, retention, kept) => {
  const { core, store, hardware } = await startCore(['n1'], { retention });
  const ids: { jobs: string[]; calls: string[] } = { jobs: [], calls: [] };
  for (let round = 0; round < 3; round++) {
    const job = await startJob(core, nodeCall('work'));
    const call = core.callNodeMethod(nodeCall('shared')).catch((error: PassthruError) => error);
    for (const index of [2 * round, 2 * round + 1]) {
      const { task, fail } = await hardware.call(index);
      task.recorder?.add(1, () => ({}));
      fail(new PassthruError('bmc_refused', 'no'));
    }
    await watchToEnd(core, job.id);
    ids.jobs.push(job.id);
    ids.calls.push(((await call) as PassthruError).transcriptId as string);
    for (const id of [job.id, ids.calls.at(-1) as string]) {
      expect(JSON.parse(await core.jobs.transcript(id, operator))).toMatchObject({ id });
    }
  }
  await vi.advanceTimersByTimeAsync(INTERVAL);
  for (const all of [ids.jobs, ids.calls]) {
    await vi.waitFor(async () => {
      const found = await Promise.all(all.map(async (id) => (await store.getTranscript(id)) !== null));
      expect(found).toEqual([0, 1, 2].map((round) => round >= 3 - kept));
    });
  }
  for (const id of [ids.jobs[0], ids.calls[0]]) {
    await expect(core.jobs.transcript(id as string, operator)).rejects.toMatchObject({ kind: 'job_not_found' });
  }
  await core.shutdown(0);
  await store.close();
});
