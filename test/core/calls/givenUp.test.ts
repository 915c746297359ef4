import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { ANONYMOUS } from '../../../src/core/caller.ts';
import { STOP_TIME } from '../../../src/core/calls/runMethod.ts';
import { createCore } from '../../../src/core/create.ts';
import { PassthruError } from '../../../src/core/errors.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { defineMethod } from '../../../src/core/method.ts';
import type { NodeTask } from '../../../src/core/task.ts';
import { nodeCall, openMemoryStore, operator, startJob } from '../harness.ts';

const LONGEST_REQUEST = 7000;

/** The running handlers, which ignore their signal and end when the test ends them. */
let runs: { task: NodeTask; end(): void }[];

beforeEach(() => {
  runs = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

async function startDeaf(shared: boolean) {
  const method = (name: string, async: boolean) =>
    defineMethod<NodeTask, z.ZodObject, z.ZodNull>({
      name,
      httpMethods: ['POST'],
      description: 'Ignores its signal',
      async,
      arguments: z.object({}),
      result: z.null(),
      handler: (task) => new Promise((resolve) => runs.push({ task, end: () => resolve(null) })),
    });
  const core = await createCore({
    store: await openMemoryStore(shared),
    hardwareTypes: [
      {
        name: 'deaf',
        properties: {},
        vendorInterfaces: [{ name: 'deaf', methods: [method('sync', false), method('work', true)] }],
        longestRequest: () => LONGEST_REQUEST,
      },
    ],
    host: 'host-a',
    log: silentLogger,
    settings: { lockedRetryAttempts: 1, lockedRetryInterval: 20, maxLockWait: 1000, workers: 1, lease: 3_600_000 },
  });
  await core.nodes.create({ name: 'n1', driver: 'deaf' }, operator);
  return core;
}

const begun = (count: number) => vi.waitUntil(() => runs.length === count && runs[count - 1]);

test.each([
  ['in memory', false],
  ['in the store', true],
])(
  'a handler that ignores its signal keeps its node until none of its requests can be in flight, reservations %s',
  async (_, shared) => {
    const core = await startDeaf(shared);
    const caller = new AbortController();
    const call = core.callNodeMethod(nodeCall('sync', { signal: caller.signal }));
    const { task } = (await begun(1)) as (typeof runs)[0];
    await vi.advanceTimersByTimeAsync(2 * STOP_TIME);
    task.beforeSend();
    caller.abort(new PassthruError('cancelled', 'gone'));
    await expect(call).rejects.toMatchObject({ kind: 'cancelled' });
    await vi.advanceTimersByTimeAsync(STOP_TIME - 1);
    task.beforeSend();
    await vi.advanceTimersByTimeAsync(1);
    expect(() => task.beforeSend()).toThrow(expect.objectContaining({ kind: 'outcome_unknown' }));
    await vi.advanceTimersByTimeAsync(LONGEST_REQUEST - 1);
    expect((await core.nodes.get('n1')).reservation).toMatchObject({ method: 'sync' });
    await vi.advanceTimersByTimeAsync(1);
    await vi.waitFor(async () => expect((await core.nodes.get('n1')).reservation).toBeNull());
    const next = core.callNodeMethod(nodeCall('sync', { lockWait: 0 }));
    const second = (await begun(2)) as (typeof runs)[0];
    // The late end of the first handler does not affect the reservation of the next call.
    runs[0]?.end();
    await vi.advanceTimersByTimeAsync(10);
    second.task.beforeSend();
    expect((await core.nodes.get('n1')).reservation).not.toBeNull();
    second.end();
    expect(await next).toMatchObject({ kind: 'result' });
  },
);

test('a cancelled job whose handler continues fails with an unknown outcome and frees its node and worker', async () => {
  const core = await startDeaf(false);
  const job = await startJob(core, nodeCall('work'));
  await begun(1);
  void core.jobs.cancel(job.id, operator);
  await vi.advanceTimersByTimeAsync(10);
  await vi.advanceTimersByTimeAsync(STOP_TIME);
  expect(await core.jobs.get(job.id, ANONYMOUS)).toMatchObject({ state: 'running' });
  await vi.advanceTimersByTimeAsync(LONGEST_REQUEST);
  await vi.waitFor(async () =>
    expect(await core.jobs.get(job.id, ANONYMOUS)).toMatchObject({
      state: 'failed',
      error: { kind: 'outcome_unknown', message: expect.stringContaining('work of deaf did not stop within 60 s') },
    }),
  );
  expect((await core.nodes.get('n1')).reservation).toBeNull();
  await startJob(core, nodeCall('work', { lockWait: 0 }));
});
