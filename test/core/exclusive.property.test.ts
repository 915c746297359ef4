import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LockRequest } from '../../src/core/core.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { NodeTask } from '../../src/core/task.ts';
import { nodeCall, operator, startCore, watchToEnd } from './harness.ts';

const NODES = ['n1', 'n2', 'n3'];

/** `EXCLUSIVE_SEED=1 npx vitest run test/core/exclusive.property.test.ts` runs other sequences. */
const SEED = process.env.EXCLUSIVE_SEED === undefined ? 20_261_129 : Number(process.env.EXCLUSIVE_SEED);

/** One action of a caller, after a number of turns of the event loop. */
const action = fc.record({
  what: fc.oneof(
    { weight: 5, arbitrary: fc.constant('exclusive' as const) },
    { weight: 3, arbitrary: fc.constantFrom('lock', 'unlock', 'finish') },
    { weight: 2, arbitrary: fc.constantFrom('work', 'leave', 'fail') },
    { weight: 1, arbitrary: fc.constantFrom('shared', 'update', 'renew', 'cancel') },
  ),
  node: fc.constantFrom(...NODES, 'n1', 'n1', 'n1'),
  lockWait: fc.constantFrom(0, 5, 1000),
  /** Whether the key of a lock of the node is given; the newest one, or one that may have ended. */
  key: fc.constantFrom('none', 'newest', 'newest', 'newest', 'oldest'),
  /** Of a lock, in milliseconds. */
  duration: fc.constantFrom(null, null, null, 1, 5),
  turns: fc.integer({ min: 0, max: 3 }),
});

test.each([
  ['in memory', false, 200],
  ['in the store', true, 150],
])(
  'with reservations %s, for any sequence of calls, with the key of a lock or without, no two exclusive ones run on one node at a time, none without its key while a lock lasts, and no reservation is left',
  async (_, shared, numRuns) => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 40 }), async (actions) => {
        const { core, hardware } = await startCore(NODES, { lockedRetryInterval: 2, workers: 3 }, shared);
        const busy = new Map<string, number>();
        const pending: Promise<unknown>[] = [];
        const leaving: AbortController[] = [];
        const jobs: string[] = [];
        const locks = new Map(NODES.map((node) => [node, [] as HeldLock[]]));
        let violations = 0;
        let recorded = 0;
        // Looks at each exclusive call at the moment its handler begins: it has the node, so that no lock can have begun since.
        const begin = hardware.calls.push.bind(hardware.calls);
        hardware.calls.push = (call) => {
          const { node, method } = call.task as NodeTask;
          const held = locks.get(node.name as string)!;
          const lasts = held.some((lock) => !lock.ending && Date.now() < lock.end);
          if (method !== 'shared' && lasts && call.args.word !== 'with key') violations++;
          // Its lock had ended before the call was made.
          if (call.args.word === 'late') violations++;
          return begin(call);
        };
        const unlocks = new Map(NODES.map((node) => [node, 0]));
        const unlock = async (node: string) => {
          const before = [...locks.get(node)!];
          for (const lock of before) lock.ending = true;
          unlocks.set(node, unlocks.get(node)! + 1);
          try {
            await core.nodes.unlock(node, operator);
            for (const lock of before) lock.ended = true;
          } finally {
            unlocks.set(node, unlocks.get(node)! - 1);
          }
        };
        const lock = async (node: string, request: LockRequest) => {
          const from = Date.now();
          const { reservationKey } = await core.nodes.lock(node, request);
          const end = request.duration == null ? Number.POSITIVE_INFINITY : from + request.duration - 1;
          // An unlock that is under way may end it.
          locks.get(node)!.push({ key: reservationKey, end, ending: unlocks.get(node)! > 0, ended: false });
        };
        const renew = async (node: string, held: HeldLock) => {
          await core.nodes.renewLock(node, { reservationKey: held.key, duration: null, caller: operator });
          held.end = Number.POSITIVE_INFINITY;
        };
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
        for (const { what, node, lockWait, key, duration, turns } of actions) {
          const signal = new AbortController();
          const held = key === 'none' ? undefined : locks.get(node)!.at(key === 'newest' ? -1 : 0);
          if (what === 'exclusive' || what === 'work' || what === 'shared') {
            leaving.push(signal);
            const word = held === undefined ? 'without' : held.ended ? 'late' : 'with key';
            const given = { lockWait, reservationKey: held?.key, arguments: { word } };
            const call = core.callNodeMethod(nodeCall(what, { node, ...given, signal: signal.signal }));
            pending.push(call.then((outcome) => outcome.kind === 'job' && jobs.push(outcome.job.id), refusal));
          } else if (what === 'update') {
            pending.push(core.nodes.update(node, () => ({ description: 'x' }), operator, signal.signal).catch(refusal));
          } else if (what === 'lock') {
            const request = { holder: 'x', lockWait, duration, caller: operator, signal: signal.signal };
            pending.push(lock(node, request).catch(refusal));
          } else if (what === 'unlock') pending.push(unlock(node).catch(refusal));
          else if (what === 'renew') held !== undefined && pending.push(renew(node, held).catch(refusal));
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
          for (const node of NODES) await unlock(node).catch(refusal);
          await turn();
        }
        // A lock that was granted last must be unlocked; `unlock` refuses the reservation of a call.
        for (const node of NODES) await core.nodes.unlock(node, operator);
        await core.shutdown(1000);
        expect(violations).toBe(0);
        for (const node of NODES) expect((await core.nodes.get(node)).reservation).toBeNull();
      }),
      { numRuns, seed: SEED },
    );
  },
  120_000,
);

/** A lock that a caller took. */
interface HeldLock {
  key: string;
  /** It cannot have run out before, in milliseconds since 1970. */
  end: number;
  /** Whether an unlock may have ended it. */
  ending: boolean;
  /** Whether an unlock has ended it, unless it had run out already. */
  ended: boolean;
}

/** Throws an error of a kind that no caller may get. */
function refusal(error: unknown): void {
  if (error instanceof PassthruError && ALLOWED.has(error.kind)) return;
  throw error;
}

const ALLOWED = new Set([
  'node_locked',
  'no_free_worker',
  'cancelled',
  'failed_precondition',
  'bmc_failed',
  'reservation_ended',
]);
