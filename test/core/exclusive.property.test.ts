import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import { nodeCall, operator, startCore, watchToEnd } from './harness.ts';

const NODES = ['n1', 'n2', 'n3'];

/** One action of a caller, after a number of turns of the event loop. */
const action = fc.record({
  what: fc.constantFrom('exclusive', 'work', 'shared', 'update', 'lock', 'unlock', 'cancel', 'leave', 'fail', 'finish'),
  node: fc.constantFrom(...NODES),
  lockWait: fc.constantFrom(0, 5, 1000),
  turns: fc.integer({ min: 0, max: 3 }),
});

test.each([
  ['in memory', false, 200],
  ['in the store', true, 150],
])(
  'with reservations %s, for any sequence of calls no two exclusive ones run on one node at a time, and no reservation is left',
  async (_, shared, numRuns) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 40 }), async (actions) => {
        const { core, hardware } = await startCore(NODES, { lockedRetryInterval: 2, workers: 3 }, shared);
        const busy = new Map<string, number>();
        const pending: Promise<unknown>[] = [];
        const leaving: AbortController[] = [];
        const jobs: string[] = [];
        let violations = 0;
        let recorded = 0;
        // Counts each call from the moment its handler begins to the moment it ends.
        const observe = () => {
          for (; recorded < hardware.calls.length; recorded++) {
            const call = hardware.calls[recorded] as (typeof hardware.calls)[number];
            const { task } = call;
            if (task.method === 'shared') continue;
            const uuid = (task as unknown as { node: { uuid: string } }).node.uuid;
            busy.set(uuid, (busy.get(uuid) ?? 0) + 1);
            if ((busy.get(uuid) as number) > 1) violations++;
            const done = () => busy.set(uuid, (busy.get(uuid) as number) - 1);
            task.signal.addEventListener('abort', done, { once: true });
            const { finish, fail } = call;
            let ended = false;
            const once = (end: () => void) => {
              if (ended || task.signal.aborted) return;
              ended = true;
              task.signal.removeEventListener('abort', done);
              done();
              end();
            };
            call.finish = (result) => once(() => finish(result));
            call.fail = (error) => once(() => fail(error));
          }
        };
        const turn = async () => {
          await new Promise((resolve) => setImmediate(resolve));
          observe();
        };
        for (const { what, node, lockWait, turns } of actions) {
          const signal = new AbortController();
          if (what === 'exclusive' || what === 'work' || what === 'shared') {
            leaving.push(signal);
            const call = core.callNodeMethod(nodeCall(what, { node, lockWait, signal: signal.signal }));
            pending.push(call.then((outcome) => outcome.kind === 'job' && jobs.push(outcome.job.id), refusal));
          } else if (what === 'update') {
            pending.push(core.nodes.update(node, () => ({ description: 'x' }), operator, signal.signal).catch(refusal));
          } else if (what === 'lock') {
            pending.push(
              core.nodes.lock(node, { holder: 'x', lockWait, caller: operator, signal: signal.signal }).catch(refusal),
            );
          } else if (what === 'unlock') pending.push(core.nodes.unlock(node, operator).catch(refusal));
          else if (what === 'cancel' && jobs.length > 0) pending.push(core.jobs.cancel(jobs.pop() as string, operator));
          else if (what === 'leave') leaving.pop()?.abort(new PassthruError('cancelled', 'gone'));
          else if (what === 'fail') hardware.calls[recorded - 1]?.fail(new PassthruError('bmc_failed', 'broken'));
          else if (what === 'finish') hardware.calls[recorded - 1]?.finish(null);
          for (let index = 0; index <= turns; index++) await turn();
        }
        // Everything ends: held nodes are released, and every handler that still runs finishes.
        let settled = false;
        const end = Promise.all(pending).then(() => Promise.all(jobs.map((id) => watchToEnd(core, id))));
        void end.then(() => {
          settled = true;
        });
        while (!settled) {
          for (const call of hardware.calls) call.finish(null);
          for (const node of NODES) await core.nodes.unlock(node, operator).catch(refusal);
          await turn();
        }
        // A lock that was granted last must be unlocked; `unlock` refuses the reservation of a call.
        for (const node of NODES) await core.nodes.unlock(node, operator);
        await core.shutdown(1000);
        expect(violations).toBe(0);
        for (const node of NODES) expect((await core.nodes.get(node)).reservation).toBeNull();
      }),
      { numRuns },
    );
  },
  120_000,
);

/** Throws an error of a kind that no caller may get. */
function refusal(error: unknown): void {
  if (error instanceof PassthruError && ALLOWED.has(error.kind)) return;
  throw error;
}

const ALLOWED = new Set(['node_locked', 'no_free_worker', 'cancelled', 'failed_precondition', 'bmc_failed']);
