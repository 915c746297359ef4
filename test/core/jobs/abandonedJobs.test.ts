import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { Job } from '../../../src/core/job.ts';
import { AbandonedJobs } from '../../../src/core/jobs/abandonedJobs.ts';
import type { Lease } from '../../../src/core/locks/lease.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';

const unavailable = new PassthruError('store_unavailable', 'the database is away');
const job = (id: string) => ({ id, nodeUuid: null, method: 'work' }) as Job;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** Makes AbandonedJobs on a store with this `endJob`, in which the jobs `stored` run. */
function abandonedJobs(endJob: (id: string) => number | null, stored: () => string[] = () => [], shared = true) {
  const attempted: string[] = [];
  const closing = new AbortController();
  let searches = 0;
  const ended: [string, number][] = [];
  const store = {
    shared,
    closed: closing.signal,
    async endJob({ id }: { id: string }) {
      attempted.push(id);
      return endJob(id);
    },
    async listRunningJobs() {
      searches++;
      return stored();
    },
  } as unknown as Store;
  const world = { conductor: 'conductor', time: 0 };
  const lease = { current: () => ({ id: world.conductor }) } as Lease;
  const jobs = new AbandonedJobs(
    store,
    lease,
    silentLogger,
    (...given) => void ended.push(given),
    () => world.time,
  );
  return { jobs, attempted, ended, world, searches: () => searches, close: () => closing.abort() };
}

test('tries one job at a time until the store responds, then ends all', async () => {
  let isAway = true;
  const { jobs, attempted, ended } = abandonedJobs(() => {
    if (isAway) throw unavailable;
    return 2;
  });
  for (let index = 0; index < 100; index++) jobs.add(job(`job-${index}`), 'conductor');
  await vi.advanceTimersByTimeAsync(1500);
  expect(attempted).toHaveLength(2);
  isAway = false;
  await vi.advanceTimersByTimeAsync(1000);
  expect(ended).toHaveLength(100);
  expect(attempted).toHaveLength(102);
  expect(new Set(ended.map(([id]) => id)).size).toBe(100);
});

test('ends a job that is stored late once', async () => {
  let stored: string[] = [];
  const { jobs, ended } = abandonedJobs(
    () => (stored.length === 0 ? null : 2),
    () => stored,
  );
  jobs.add(job('late'), 'conductor');
  await turn();
  await jobs.poll();
  expect(ended).toEqual([]);
  stored = ['running', 'late'];
  await jobs.poll();
  await jobs.poll();
  expect(ended).toEqual([['late', 2]]);
});

test('ends a job that is added while others are ended', async () => {
  const { jobs, ended } = abandonedJobs(() => 2);
  jobs.add(job('a'), 'conductor');
  await Promise.resolve();
  jobs.add(job('b'), 'conductor');
  await turn();
  jobs.add(job('c'), 'conductor');
  await turn();
  expect(ended.map(([id]) => id)).toEqual(['a', 'b', 'c']);
});

describe('searches for a job that was never stored', () => {
  test('for ten minutes', async () => {
    const { jobs, searches, world } = abandonedJobs(() => null);
    jobs.add(job('never'), 'conductor');
    await turn();
    world.time = 599_000;
    await jobs.poll();
    expect(searches()).toBe(1);
    world.time = 601_000;
    await jobs.poll();
    await jobs.poll();
    expect(searches()).toBe(1);
  });

  test('until the lease that it was to be accepted under ends', async () => {
    const { jobs, searches, world } = abandonedJobs(() => null);
    jobs.add(job('never'), 'conductor');
    await turn();
    world.conductor = 'next';
    await jobs.poll();
    expect(searches()).toBe(0);
    jobs.add(job('another'), 'next');
    await turn();
    await jobs.poll();
    expect(searches()).toBe(1);
  });
});

test('makes no attempt after the store is closed', async () => {
  const { jobs, attempted, close } = abandonedJobs(() => {
    throw unavailable;
  });
  jobs.add(job('a'), 'conductor');
  await vi.advanceTimersByTimeAsync(500);
  expect(attempted).toHaveLength(1);
  close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(attempted).toHaveLength(1);
});
