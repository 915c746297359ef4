import { setImmediate as turn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { Job } from '../../../src/core/job.ts';
import { AbandonedJobs } from '../../../src/core/jobs/abandonedJobs.ts';
import type { Lease } from '../../../src/core/locks/lease.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';

const unavailable = new PassthruError('store_unavailable', 'the database is away');
const job = (id: string) => ({ id, nodeUuid: null, method: 'work' }) as Job;

/** With a store whose `endJob` does as `endJob` says, and in which the jobs `stored` run. */
function abandonedJobs(endJob: (id: string) => number | null, stored: () => string[] = () => [], shared = true) {
  const asked: string[] = [];
  const ended: [string, number][] = [];
  const store = {
    shared,
    closed: new AbortController().signal,
    async endJob({ id }: { id: string }) {
      asked.push(id);
      return endJob(id);
    },
    listRunningJobs: async () => stored(),
  } as unknown as Store;
  const lease = { current: () => ({ id: 'conductor' }) } as Lease;
  const jobs = new AbandonedJobs(store, lease, silentLogger, (...told) => void ended.push(told));
  return { jobs, asked, ended };
}

test('however many jobs an outage leaves, one of them asks whether the store is back, and then all are ended', async () => {
  let isAway = true;
  const { jobs, asked, ended } = abandonedJobs(() => {
    if (isAway) throw unavailable;
    return 2;
  });
  for (let index = 0; index < 100; index++) jobs.add(job(`job-${index}`), 'conductor');
  await vi.waitFor(() => expect(asked).toHaveLength(2), { timeout: 5000 });
  isAway = false;
  await vi.waitFor(() => expect(ended).toHaveLength(100), { timeout: 5000 });
  expect(asked).toHaveLength(102);
  expect(new Set(ended.map(([id]) => id)).size).toBe(100);
});

test('one that was not there is ended when it is found later, once', async () => {
  let stored: string[] = [];
  const { jobs, ended } = abandonedJobs(
    () => (stored.length === 0 ? null : 2),
    () => stored,
  );
  jobs.add(job('late'), 'conductor');
  await turn();
  await jobs.lookAgain();
  expect(ended).toEqual([]);
  stored = ['running', 'late'];
  await jobs.lookAgain();
  await jobs.lookAgain();
  expect(ended).toEqual([['late', 2]]);
});

test('one that comes while others are ended is not forgotten', async () => {
  const { jobs, ended } = abandonedJobs(() => 2);
  jobs.add(job('a'), 'conductor');
  await Promise.resolve();
  jobs.add(job('b'), 'conductor');
  await turn();
  jobs.add(job('c'), 'conductor');
  await turn();
  expect(ended.map(([id]) => id)).toEqual(['a', 'b', 'c']);
});
