import { getEventListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { Json } from '../../src/core/json.ts';
import type { Store } from '../../src/core/store.ts';
import { nodeCall, operator, startCore, startJob, type TestCore, watchToEnd } from './harness.ts';

const NODES = ['n1', 'n2'];
const WORKERS = 3;

/** One action of a caller or the hardware. */
const action = fc.record({
  what: fc.constantFrom('call', 'call', 'call', 'leave', 'cancel', 'update', 'finish', 'finish', 'fail', 'defect'),
  method: fc.constantFrom('exclusive', 'work', 'shared', 'shared_work'),
  node: fc.constantFrom(...NODES),
  lockWait: fc.constantFrom(0, 5, 500),
  key: fc.option(fc.integer({ min: 0, max: 15 })),
  pause: fc.integer({ min: 0, max: 3 }),
});

/** The fates of the steps of the store, in turn. `late` fails after the step was done. */
const fate = fc.constantFrom(...Array(9).fill('done'), 'unavailable', 'defect', 'late');

/** The steps that fail; `late` ones also when they were done, as where the connection to the database breaks. */
const STEPS: [
  step: Exclude<keyof Store, 'closed' | 'shared' | 'takesChanges' | 'onChange' | 'onOwnChange' | 'noteReservation'>,
  late: boolean,
][] = [
  ['getNodeByName', false],
  ['acquire', true],
  ['acceptJob', true],
  ['addJob', true],
  ['onDisk', false],
  ['beginIdempotent', true],
  ['acceptIdempotent', true],
  ['recordProgress', true],
  ['release', true],
  ['endJob', true],
  ['finishIdempotent', true],
  ['forgetIdempotent', true],
];

test('after failures of the store no job runs, no node is reserved, no worker is busy, no listener is left', async () => {
  const plans = fc.sample(
    fc.tuple(fc.array(action, { minLength: 80, maxLength: 120 }), fc.array(fate, { minLength: 99, maxLength: 99 })),
    30,
  );
  // At once, for each waits for retries that are a second apart.
  await Promise.all(plans.map(([actions, fates], index) => play(actions, fates, index % 2 === 0)));
}, 60_000);

async function play(
  actions: (typeof action extends fc.Arbitrary<infer T> ? T : never)[],
  fates: string[],
  shared: boolean,
) {
  const test = await startCore(NODES, { lockedRetryInterval: 5, workers: WORKERS }, shared);
  const { core, hardware } = test;
  const heal = failBy(test.store, fates);
  const pending: Promise<unknown>[] = [];
  // Any outcome is allowed; vitest fails for an unhandled rejection.
  const expectEnd = (work: Promise<unknown>) => void pending.push(work.catch(() => {}));
  const callers: AbortController[] = [];
  const jobs: string[] = [];
  for (const { what, method, node, lockWait, key, pause } of actions) {
    const caller = new AbortController();
    callers.push(caller);
    if (what === 'call') {
      const idempotencyKey = key === null ? null : `${key}-${method}-${node}`;
      const call = nodeCall(method, { node, lockWait, idempotencyKey, signal: caller.signal });
      expectEnd(core.callNodeMethod(call).then((outcome) => outcome.kind === 'job' && jobs.push(outcome.job.id)));
    } else if (what === 'leave') callers.at(-2)?.abort(new PassthruError('cancelled', 'gone'));
    else if (what === 'cancel' && jobs.length > 0) expectEnd(core.jobs.cancel(jobs.at(-1) as string, operator));
    else if (what === 'update') expectEnd(core.nodes.update(node, () => ({ extra: {} }), operator, caller.signal));
    for (const call of hardware.calls.slice(-3)) {
      call.task.progress(0.5, 'half');
      if (what === 'finish') call.finish(1);
      else if (what === 'fail') call.fail(new PassthruError('bmc_failed', 'broken'));
      else if (what === 'defect') call.finish(5n as unknown as Json);
    }
    if (pause > 0) await delay(pause);
  }
  heal();
  await everythingEnds(test, pending);
  for (const { signal } of callers) expect(getEventListeners(signal, 'abort')).toEqual([]);
  await core.shutdown(1000);
}

/** Makes the steps of `store` fail by `fates`, over and over. Returns a function that ends this. */
function failBy(store: Store, fates: string[]): () => void {
  let failing = true;
  let count = 0;
  for (const [step, late] of STEPS) {
    const real = store[step].bind(store) as (...args: unknown[]) => Promise<unknown>;
    const faulty = async (...args: unknown[]) => {
      const what = failing ? fates[count++ % fates.length] : 'done';
      if (what === 'defect') throw new TypeError(`a defect in ${step}`);
      if (what === 'unavailable') throw new PassthruError('store_unavailable', `${step} failed`);
      const result = await real(...args);
      if (what === 'late' && late) throw new PassthruError('store_unavailable', `${step} was done and failed`);
      return result;
    };
    Object.assign(store, { [step]: faulty });
  }
  return () => {
    failing = false;
  };
}

/** Finishes all calls and jobs until every worker is free again. */
async function everythingEnds({ core, hardware }: TestCore, pending: Promise<unknown>[]): Promise<void> {
  const finishing = setInterval(() => {
    for (const call of hardware.calls) call.finish(null);
  }, 5);
  await Promise.all(pending);
  const running = { limit: 100, olderThan: null, node: null, driver: null, state: 'running' } as const;
  await expect.poll(async () => (await core.jobs.list(running, ANONYMOUS)).items, { timeout: 20_000 }).toEqual([]);
  for (const node of NODES) {
    await expect.poll(async () => (await core.nodes.get(node)).reservation, { timeout: 20_000 }).toBeNull();
    await core.callNodeMethod(nodeCall('exclusive', { node, lockWait: 20_000 }));
  }
  clearInterval(finishing);
  // A worker whose job has ended late is freed by the retry.
  await expect
    .poll(
      async () => {
        const all = await Promise.allSettled(
          NODES.concat('n1').map((node) => startJob(core, nodeCall('shared_work', { node }))),
        );
        const begun = all.filter((one) => one.status === 'fulfilled').map((one) => one.value.id);
        for (const call of hardware.calls) call.finish(null);
        await Promise.all(begun.map((id) => watchToEnd(core, id)));
        return begun.length;
      },
      { timeout: 20_000 },
    )
    .toBe(WORKERS);
}
