import { afterEach, describe, expect, test, vi } from 'vitest';
import { ANONYMOUS } from '../../../src/core/caller.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import { nodeCall, operator, startCore, startJob, watchToEnd } from '../harness.ts';

afterEach(() => void vi.useRealTimers());

describe('an asynchronous call', () => {
  test('returns its job, which stores the result and releases the node at its end', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    expect(job).toMatchObject({
      nodeName: 'n1',
      driver: 'gated',
      method: 'work',
      state: 'running',
      revision: 1,
      requestedBy: 'operator',
    });
    const call = await hardware.call(0);
    expect((await core.nodes.get('n1')).reservation).toMatchObject({ job: job.id, method: 'work' });
    call.finish({ ejected: ['cd'] });
    const states = await watchToEnd(core, job.id);
    expect(states.at(-1)).toMatchObject({
      state: 'succeeded',
      result: { ejected: ['cd'] },
      error: null,
      endTime: expect.any(Date),
    });
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  });

  test('that fails sets last_error as Ironic words it, and the next accepted one clears it', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    (await hardware.call(0)).fail(
      new PassthruError('bmc_refused', 'no media', { bmc: { status: 400, extendedInfo: [{ Message: 'x' }] } }),
    );
    const [end] = (await watchToEnd(core, job.id)).slice(-1);
    expect(end).toMatchObject({
      state: 'failed',
      error: { kind: 'bmc_refused', message: 'no media', bmc: { status: 400 } },
    });
    expect((await core.nodes.get('n1')).lastError).toBe('Async execution of work failed with error: no media');
    await startJob(core, nodeCall('work'));
    expect((await core.nodes.get('n1')).lastError).toBeNull();
    (await hardware.call(1)).finish(null);
  });

  test('continues when its caller disconnects', async () => {
    const { core, hardware } = await startCore();
    const caller = new AbortController();
    const job = await startJob(core, nodeCall('work', { signal: caller.signal }));
    caller.abort(new PassthruError('cancelled', 'gone'));
    const call = await hardware.call(0);
    expect(call.task.signal.aborted).toBe(false);
    call.finish('done');
    expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'succeeded', result: 'done' });
  });

  test('is refused when every worker is busy, and accepted again when one is free', async () => {
    const { core, hardware } = await startCore(['n1'], { workers: 2 });
    const jobs = [await startJob(core, nodeCall('shared_work')), await startJob(core, nodeCall('shared_work'))];
    await expect(core.callNodeMethod(nodeCall('shared_work'))).rejects.toMatchObject({ kind: 'no_free_worker' });
    (await hardware.call(0)).finish(null);
    await watchToEnd(core, jobs[0]?.id as string);
    await startJob(core, nodeCall('shared_work'));
  });

  test('whose handler has a defect fails without exposing the internal text', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    (await hardware.call(0)).fail(new TypeError('secret internals'));
    const end = (await watchToEnd(core, job.id)).at(-1);
    expect(end).toMatchObject({ state: 'failed', error: { kind: 'internal' } });
    expect(JSON.stringify([end, await core.nodes.get('n1')])).not.toContain('secret internals');
  });
});

describe('progress', () => {
  test('is stored as revisions, at most five a second, and the last report is never lost', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const call = await hardware.call(0);
    const watched = watchToEnd(core, job.id);
    for (let step = 0; step <= 100; step++) call.task.progress(step / 100, `step ${step}`);
    await vi.waitFor(async () => expect((await core.jobs.get(job.id, ANONYMOUS)).progress?.message).toBe('step 100'));
    call.finish(null);
    const states = await watched;
    expect(states.length).toBeLessThanOrEqual(4);
    expect(states.map((state) => state.revision)).toEqual(states.map((_, index) => index + 1));
    expect(states.at(-1)).toMatchObject({ state: 'succeeded', progress: { fraction: 1, message: 'step 100' } });
  });

  test('is dropped after the end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const call = await hardware.call(0);
    call.finish(null);
    const end = (await watchToEnd(core, job.id)).at(-1);
    call.task.progress(0.5, 'late');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await core.jobs.get(job.id, ANONYMOUS)).toEqual(end);
  });
});

describe('a watcher', () => {
  test('that resumes gets every stored revision above its own, in order, and nothing twice', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const call = await hardware.call(0);
    call.task.progress(0.5, 'half');
    await vi.waitFor(async () => expect((await core.jobs.get(job.id, ANONYMOUS)).revision).toBe(2));
    call.finish('end');
    const all = await watchToEnd(core, job.id, 0);
    expect(all.map((state) => [state.revision, state.state])).toEqual([
      [1, 'running'],
      [2, 'running'],
      [3, 'succeeded'],
    ]);
    expect((await watchToEnd(core, job.id, 1)).map((state) => state.revision)).toEqual([2, 3]);
    expect(await watchToEnd(core, job.id, 3)).toEqual([]);
    expect((await watchToEnd(core, job.id)).map((state) => state.revision)).toEqual([3]);
  });

  test('of a job that does not exist gets job_not_found', async () => {
    const { core } = await startCore();
    for (const id of ['0190c8d0-0000-7000-8000-000000000000', 'no-uuid']) {
      await expect(watchToEnd(core, id)).rejects.toMatchObject({ kind: 'job_not_found' });
    }
  });

  test('ends with its signal, while the job continues', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const watcher = new AbortController();
    const states = core.jobs.watch(job.id, null, ANONYMOUS, watcher.signal);
    expect((await states.next()).value).toMatchObject({ revision: 1 });
    const next = states.next();
    watcher.abort(new Error('gone'));
    await expect(next).rejects.toThrow('gone');
    (await hardware.call(0)).finish(null);
    expect((await watchToEnd(core, job.id)).at(-1)?.state).toBe('succeeded');
  });

  test('reads nothing from the store while nothing changes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { core, store, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const states = core.jobs.watch(job.id, null, ANONYMOUS, AbortSignal.timeout(30_000));
    await states.next();
    const reads = [vi.spyOn(store, 'getJob'), vi.spyOn(store, 'listRevisions')];
    const next = states.next();
    await vi.advanceTimersByTimeAsync(10_000);
    (await hardware.call(0)).finish(null);
    expect((await next).value).toMatchObject({ state: 'succeeded' });
    for (const read of reads) expect(read).not.toHaveBeenCalled();
  });
});

describe('cancelling', () => {
  test('stops the work, ends the job as cancelled and releases the node', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    await hardware.call(0);
    const cancelled = await core.jobs.cancel(job.id, { name: 'bob', role: 'admin' });
    expect(cancelled).toMatchObject({
      state: 'cancelled',
      error: { kind: 'cancelled', message: `Job ${job.id} was cancelled by bob` },
    });
    expect(await core.nodes.get('n1')).toMatchObject({ reservation: null, lastError: null });
  });

  test('a job that has ended returns it unchanged', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    (await hardware.call(0)).finish('kept');
    await watchToEnd(core, job.id);
    expect(await core.jobs.cancel(job.id, operator)).toMatchObject({ state: 'succeeded', result: 'kept' });
  });
});

test('jobs are listed newest first, page by page, by node and state', async () => {
  const { core, hardware } = await startCore(['n1', 'n2']);
  const first = await startJob(core, nodeCall('shared_work'));
  const second = await startJob(core, nodeCall('shared_work', { node: 'n2' }));
  const third = await startJob(core, nodeCall('shared_work'));
  (await hardware.call(0)).finish(null);
  await watchToEnd(core, first.id);
  const all = { limit: 2, olderThan: null, node: null, driver: null, state: null };
  const ids = async (query: Partial<typeof all> | object) =>
    (await core.jobs.list({ ...all, ...query }, ANONYMOUS)).items.map((job) => job.id);
  expect(await ids({})).toEqual([third.id, second.id]);
  expect(await ids({ olderThan: second.id })).toEqual([first.id]);
  expect(await ids({ node: 'n2' })).toEqual([second.id]);
  expect(await ids({ state: 'succeeded' })).toEqual([first.id]);
  expect(await ids({ driver: 'other' })).toEqual([]);
  await expect(ids({ node: 'absent' })).rejects.toMatchObject({ kind: 'node_not_found' });
});

test('shutdown waits for jobs that end in time, aborts and stores the others, and refuses new calls', async () => {
  const { core, hardware } = await startCore(['n1', 'n2']);
  const ending = await startJob(core, nodeCall('work'));
  const hanging = await startJob(core, nodeCall('work', { node: 'n2' }));
  const call = await hardware.call(0);
  const shutdown = core.shutdown(200);
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({ kind: 'shutting_down' });
  await expect(core.checkReady()).rejects.toMatchObject({ kind: 'shutting_down' });
  call.finish('in time');
  await shutdown;
  expect(await core.jobs.get(ending.id, ANONYMOUS)).toMatchObject({ state: 'succeeded', result: 'in time' });
  expect(await core.jobs.get(hanging.id, ANONYMOUS)).toMatchObject({
    state: 'failed',
    error: { kind: 'shutting_down' },
  });
  expect(await core.nodes.get('n2')).toMatchObject({
    reservation: null,
    lastError: expect.stringContaining('shut down'),
  });
});
