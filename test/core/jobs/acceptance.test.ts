import { renameSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { Json } from '../../../src/core/json.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';
import { temporaryDatabase } from '../../store/temporaryDatabase.ts';
import { driverCall, nodeCall, operator, startCore, startCoreOn, startJob, watchToEnd } from '../harness.ts';
import { watchJobs, words } from '../watch/watching.ts';

// Also of a test that fails: the next would get its clock.
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const REFUSED = new PassthruError('store_unavailable', 'The disk is full');

function spies(store: Store) {
  return {
    addJob: vi.spyOn(store, 'addJob'),
    acceptJob: vi.spyOn(store, 'acceptJob'),
    endJob: vi.spyOn(store, 'endJob'),
  };
}

/** Has the next `step` of the store wait until the returned promise is resolved. */
function holdBack(store: Store, step: 'addJob' | 'acceptJob'): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  const real = store[step].bind(store) as (...args: unknown[]) => Promise<boolean>;
  vi.spyOn(store, step).mockImplementationOnce(async (...args: unknown[]) => {
    await gate.promise;
    return real(...args);
  });
  return gate;
}

/** Returns the revisions of a job that are stored. */
async function stored(store: Store, id: string): Promise<[number, string][]> {
  return (await store.listRevisions(id, 0)).map(({ revision, state }) => [revision, state]);
}

describe('on a store of one process', () => {
  test.each<[name: string, end: Json | Error, state: string, lastError: unknown]>([
    ['a result', { fans: 3 }, 'succeeded', null],
    ['an error', new PassthruError('bmc_failed', 'it smokes'), 'failed', expect.stringContaining('it smokes')],
    ['a defect', new TypeError('oops'), 'failed', expect.stringContaining('work')],
  ])('a job whose method needs no wait is stored once, with its end: %s', async (_, end, state, lastError) => {
    const { core, store, hardware } = await startCore();
    const before = startJob(core, nodeCall('work'));
    (await hardware.call(0)).fail(new PassthruError('bmc_failed', 'before'));
    await before;
    const steps = spies(store);
    const call = startJob(core, nodeCall('work'));
    const held = await hardware.call(1);
    if (end instanceof Error) held.fail(end);
    else held.finish(end);
    const job = await call;
    // As it was accepted: what a caller is told does not depend on how long the method takes.
    expect(job).toMatchObject({ state: 'running', revision: 1, endTime: null });
    expect(await core.jobs.get(job.id, operator)).toMatchObject({
      ...{ state, revision: 2, createTime: job.createTime, requestedBy: 'operator' },
      result: end instanceof Error ? null : end,
    });
    expect(await stored(store, job.id)).toEqual([[2, state]]);
    expect(await core.nodes.get('n1')).toMatchObject({ lastError, reservation: null });
    expect([steps.addJob, steps.acceptJob, steps.endJob].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 0]);
    await expect(watchToEnd(core, job.id, job.revision)).resolves.toMatchObject([{ state, revision: 2 }]);
    await expect(watchToEnd(core, job.id, 0)).resolves.toMatchObject([{ state, revision: 2 }]);
  });

  test('a job whose method takes longer is stored when it begins, and named in its reservation then', async () => {
    const { core, store, hardware } = await startCore();
    const steps = spies(store);
    const job = await startJob(core, nodeCall('work'));
    expect(await stored(store, job.id)).toEqual([[1, 'running']]);
    expect((await core.nodes.get('n1')).reservation).toMatchObject({ method: 'work', job: job.id });
    hardware.calls[0]!.finish('done');
    expect(await watchToEnd(core, job.id, 0)).toMatchObject([{ revision: 1 }, { revision: 2, result: 'done' }]);
    expect([steps.addJob, steps.acceptJob, steps.endJob].map(({ mock }) => mock.calls.length)).toEqual([1, 0, 1]);
  });

  test('a caller hears of its job, and another of its node, when the job is stored', async () => {
    const { core, store, hardware } = await startCore();
    const disk = holdBack(store, 'addJob');
    let told = false;
    const call = startJob(core, nodeCall('work')).finally(() => {
      told = true;
    });
    (await hardware.call(0)).finish(null);
    await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'node_locked',
      lock: { method: 'work', job: null },
    });
    expect(told).toBe(false);
    disk.resolve();
    await call;
    const next = core.callNodeMethod(nodeCall('exclusive', { lockWait: 1000 }));
    (await hardware.call(1)).finish('free');
    expect(await next).toMatchObject({ result: 'free' });
  });

  test('a method without a lock, or of a driver, is stored so too', async () => {
    const { core, store, hardware } = await startCore();
    for (const [index, begin] of [
      () => core.callNodeMethod(nodeCall('shared_work')),
      () => core.callDriverMethod(driverCall('survey')),
    ].entries()) {
      const call = begin();
      (await hardware.call(index)).finish(index);
      const outcome = await call;
      if (outcome.kind !== 'job') throw new TypeError(outcome.kind);
      expect(await stored(store, outcome.job.id)).toEqual([[2, 'succeeded']]);
    }
  });

  test('a watcher of all jobs is told of such a job once', async () => {
    const { core, hardware } = await startCore();
    const watcher = watchJobs(core);
    await watcher.current();
    for (const index of [0, 1]) {
      const call = startJob(core, nodeCall('work', { lockWait: 1000 }));
      (await hardware.call(index)).finish(index);
      await call;
    }
    await watcher.until((events) => events.length === 3);
    expect(words(watcher.events)).toEqual(['CURRENT', 'work 2 succeeded', 'work 2 succeeded']);
    await watcher.stop();
  });

  test('a call with a key is stored before its method begins', async () => {
    const { core, store, hardware } = await startCore();
    const steps = spies(store);
    const call = startJob(core, nodeCall('work', { idempotencyKey: 'k' }));
    (await hardware.call(0)).finish(null);
    const job = await call;
    expect((await watchToEnd(core, job.id, 0)).length).toBe(2);
    expect([steps.addJob, steps.acceptJob].map(({ mock }) => mock.calls.length)).toEqual([0, 1]);
  });
});

test('while the store hangs no further method begins before its job is stored', async () => {
  const { core, store, hardware } = await startCore(['n1', 'n2', 'n3', 'n4']);
  const hanging = Promise.withResolvers<boolean>();
  const steps = spies(store);
  steps.addJob.mockImplementationOnce(() => hanging.promise);
  let now = Math.ceil(performance.now());
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  const first = core.callNodeMethod(nodeCall('work'));
  await hardware.call(0);
  now += 249;
  const second = startJob(core, nodeCall('work', { node: 'n2' }));
  await second;
  // The store is heard of: it does not hang.
  now += 249;
  await startJob(core, nodeCall('work', { node: 'n3' }));
  expect(steps.acceptJob).not.toHaveBeenCalled();
  now += 250;
  steps.acceptJob.mockRejectedValueOnce(REFUSED);
  await expect(core.callNodeMethod(nodeCall('work', { node: 'n4' }))).rejects.toBe(REFUSED);
  expect(hardware.calls).toHaveLength(3);
  hanging.reject(REFUSED);
  clock.mockRestore();
  expect((await first).kind).toBe('job');
});

test('while the store refuses changes no method begins before its job is stored', async () => {
  const file = temporaryDatabase();
  const store = await openStore(`sqlite:${file.path}`, { log: silentLogger });
  const { core, hardware } = await startCoreOn(store, 'host-a');
  for (const name of ['n1', 'n2', 'n3', 'n4']) await core.nodes.create({ name, driver: 'gated' }, operator);
  const { addJob, acceptJob } = spies(store);
  const other = new DatabaseSync(file.path);
  other.exec('begin immediate');
  const first = startJob(core, nodeCall('work'));
  await vi.waitFor(() => expect(store.takesChanges).toBe(false), 5000);
  for (const node of ['n2', 'n3']) {
    await expect(core.callNodeMethod(nodeCall('work', { node }))).rejects.toMatchObject({ kind: 'store_unavailable' });
  }
  expect(hardware.calls).toHaveLength(1);
  other.exec('rollback');
  other.close();
  await startJob(core, nodeCall('work', { node: 'n2' }));
  // The job that had begun is stored, and whoever comes next may begin first again.
  const job = await first;
  hardware.calls[0]!.finish('kept');
  expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'succeeded', result: 'kept' });
  const [added, accepted] = [addJob.mock.calls.length, acceptJob.mock.calls.length];
  await startJob(core, nodeCall('work', { node: 'n4' }));
  expect([addJob.mock.calls.length - added, acceptJob.mock.calls.length - accepted]).toEqual([1, 0]);
  for (const call of hardware.calls) call.finish(null);
  await core.shutdown(1000);
  await store.close();
  file.remove();
});

test('once the file of the store is gone no method begins', async () => {
  const file = temporaryDatabase();
  const store = await openStore(`sqlite:${file.path}`, { log: silentLogger });
  const { core, hardware } = await startCoreOn(store, 'host-a');
  await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  // From now on the node is known, and a call reads nothing that would fail.
  const before = core.callNodeMethod(nodeCall('exclusive'));
  (await hardware.call(0)).finish(null);
  await before;
  renameSync(file.path, `${file.path}.away`);
  await expect.poll(() => store.takesChanges, { timeout: 5000 }).toBe(false);
  await expect(core.callNodeMethod(nodeCall('work'))).rejects.toMatchObject({ kind: 'store_unavailable' });
  expect(hardware.calls).toHaveLength(1);
  await store.close();
  file.remove();
});

test('on a shared store a job is stored before its method begins', async () => {
  const { core, store, hardware } = await startCore(['n1'], {}, true);
  const steps = spies(store);
  const stored = holdBack(store, 'acceptJob');
  const call = startJob(core, nodeCall('work'));
  await vi.waitFor(() => expect(steps.acceptJob).toHaveBeenCalled());
  await turn();
  expect(hardware.calls).toHaveLength(0);
  stored.resolve();
  (await hardware.call(0)).finish(null);
  const job = await call;
  expect((await watchToEnd(core, job.id, 0)).length).toBe(2);
  expect(steps.addJob).not.toHaveBeenCalled();
});

describe('a job whose method has begun', () => {
  test.each([false, true])(
    'runs on while the store fails, and is stored when it responds; ended by then: %s',
    async (ended) => {
      const { core, store, hardware } = await startCore(['n1'], { workers: 1 });
      spies(store).addJob.mockRejectedValueOnce(REFUSED);
      const call = startJob(core, nodeCall('work'));
      const held = await hardware.call(0);
      if (ended) held.finish('kept');
      await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
        kind: 'node_locked',
      });
      expect((await core.jobs.list(ALL, operator)).items).toEqual([]);
      const job = await call;
      expect(held.task.signal.aborted).toBe(false);
      held.finish('kept');
      expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({
        state: 'succeeded',
        result: 'kept',
        revision: 2,
      });
      expect(await stored(store, job.id)).toHaveLength(ended ? 1 : 2);
      const next = core.callNodeMethod(nodeCall('work', { lockWait: 1000 }));
      (await hardware.call(1)).finish(2);
      await next;
    },
  );

  test('leaves its caller an unknown outcome when the store fails for long, and is stored all the same', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const { core, store, hardware } = await startCore();
    const addJob = spies(store).addJob.mockRejectedValue(REFUSED);
    const call = core.callNodeMethod(nodeCall('work'));
    let told = false;
    const unknown = expect(call.finally(() => (told = true))).rejects.toMatchObject({
      kind: 'outcome_unknown',
      message: expect.stringContaining('has started but may not be kept: The disk is full'),
    });
    (await hardware.call(0)).finish('kept');
    await vi.advanceTimersByTimeAsync(9000);
    expect(told).toBe(false);
    await vi.advanceTimersByTimeAsync(2000);
    await unknown;
    addJob.mockRestore();
    await vi.advanceTimersByTimeAsync(2000);
    vi.useRealTimers();
    await vi.waitFor(async () => expect((await core.jobs.list(ALL, operator)).items).toHaveLength(1), 5000);
    const [job] = (await core.jobs.list(ALL, operator)).items;
    expect(job).toMatchObject({ state: 'succeeded', result: 'kept' });
    await expect(call).rejects.toThrow(`Job ${job?.id} has started`);
  });

  test.each([false, true])(
    'is stopped when the store refuses it, and frees node and worker; ended: %s',
    async (ended) => {
      const { core, store, hardware } = await startCore(['n1'], { workers: 1 });
      const refusal = Promise.withResolvers<boolean>();
      spies(store)
        .addJob.mockImplementationOnce(() => refusal.promise)
        .mockRejectedValueOnce(new TypeError('a defect'));
      const call = core.callNodeMethod(nodeCall('work'));
      const unknown = expect(call).rejects.toMatchObject({ kind: 'outcome_unknown' });
      const held = await hardware.call(0);
      if (ended) {
        held.finish(1);
        await turn();
      }
      refusal.reject(new TypeError('a defect'));
      await unknown;
      expect(held.task.signal.aborted).toBe(!ended);
      vi.restoreAllMocks();
      const next = startJob(core, nodeCall('work', { lockWait: 1000 }));
      (await hardware.call(1)).finish(2);
      const { id } = await next;
      expect((await core.jobs.list(ALL, operator)).items).toMatchObject([{ id }]);
    },
  );

  test('is ended when the store has kept it although it said that it failed', async () => {
    const { core, store, hardware } = await startCore();
    const addJob = store.addJob.bind(store);
    vi.spyOn(store, 'addJob').mockImplementationOnce(async (...args) => {
      await addJob(...args);
      throw REFUSED;
    });
    await expect(core.callNodeMethod(nodeCall('work'))).rejects.toMatchObject({ kind: 'outcome_unknown' });
    expect(hardware.calls).toHaveLength(1);
    await expect
      .poll(async () => (await core.jobs.list(ALL, operator)).items, { timeout: 5000 })
      .toMatchObject([{ state: 'failed', error: { kind: 'outcome_unknown' } }]);
    expect(hardware.calls[0]!.task.signal.aborted).toBe(true);
    expect(await core.nodes.get('n1')).toMatchObject({
      reservation: null,
      lastError: expect.stringContaining('may have acted'),
    });
  });

  test.each([false, true])(
    'keeps the progress that it reports before it is stored; ended by then: %s',
    async (ended) => {
      const { core, store, hardware } = await startCore();
      const disk = holdBack(store, 'addJob');
      const recordProgress = vi.spyOn(store, 'recordProgress');
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
      const call = startJob(core, nodeCall('work'));
      const held = await hardware.call(0);
      held.task.progress(0.1, 'a tenth');
      await vi.advanceTimersByTimeAsync(400);
      held.task.progress(0.5, 'half');
      await vi.advanceTimersByTimeAsync(400);
      if (ended) held.finish('done');
      await turn();
      disk.resolve();
      vi.useRealTimers();
      const job = await call;
      const progress = { fraction: 0.5, message: 'half' };
      await expect.poll(async () => (await core.jobs.get(job.id, operator)).progress).toEqual(progress);
      held.finish('done');
      expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'succeeded', progress });
      expect(recordProgress).toHaveBeenCalledTimes(ended ? 0 : 1);
    },
  );

  test('for its end stores its beginning, and that its end could not be stored', async () => {
    const { core, store, hardware } = await startCore();
    // The error of node:sqlite for a text of a gigabyte.
    const tooBig = () => Object.assign(new Error('string or blob too big'), { errcode: 18 });
    const addJob = store.addJob.bind(store);
    vi.spyOn(store, 'addJob').mockImplementation((job, owner, ended) =>
      addJob(job, owner, () => {
        if (ended() === null) return null;
        throw tooBig();
      }),
    );
    vi.spyOn(store, 'endJob').mockRejectedValueOnce(tooBig());
    const call = startJob(core, nodeCall('work'));
    (await hardware.call(0)).finish('long');
    const job = await call;
    expect(await watchToEnd(core, job.id, 0)).toMatchObject([
      { state: 'running', revision: 1 },
      { state: 'failed', revision: 2, result: null, error: { kind: 'internal' } },
    ]);
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  });
});

const ALL = { limit: 10, olderThan: null, node: null, driver: null, state: null } as const;
