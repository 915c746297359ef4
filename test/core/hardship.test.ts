import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { PassthruError } from '../../src/core/errors.ts';
import type { Json } from '../../src/core/json.ts';
import { Attachment } from '../../src/core/method.ts';
import type { Store } from '../../src/core/store.ts';
import { type HeldCall, nodeCall, operator, startCore, startJob, watchToEnd } from './harness.ts';

/** Ends a gated call with a value that its type forbids, as a driver in JavaScript can. */
function finishWith(call: HeldCall, value: unknown): void {
  call.finish(value as Json);
}

function failWith(call: HeldCall, thrown: unknown): void {
  call.fail(thrown as Error);
}

/** The asynchronous steps of a store. */
type StoreStep = Exclude<
  keyof Store,
  'shared' | 'takesChanges' | 'closed' | 'onChange' | 'onOwnChange' | 'noteReservation'
>;

/** Lets the next call of `step` fail as a store that cannot be reached. */
function loseOnce<K extends StoreStep>(store: Store, step: K) {
  const gone = () => Promise.reject(new PassthruError('store_unavailable', 'The store is not available'));
  return vi.spyOn(store, step).mockImplementationOnce(gone as never);
}

const circle: Record<string, unknown> = {};
circle.self = circle;

describe('a result that is not JSON', () => {
  test.each<[string, unknown]>([
    ['a BigInt', 5n],
    ['a BigInt inside', { count: 5n }],
    ['a function', () => {}],
    ['a symbol', Symbol('x')],
    ['a circular object', circle],
    [
      'a value that throws when read',
      {
        toJSON: () => {
          throw new Error('no');
        },
      },
    ],
    ['an attachment', new Attachment(Buffer.from('x'), 'text/csv')],
  ])('%s: the job fails, and its node and worker are free', async (_, result) => {
    const { core, hardware } = await startCore(['n1'], { workers: 1 });
    const job = await startJob(core, nodeCall('work'));
    finishWith(await hardware.call(0), result);
    expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'failed' });
    const next = await startJob(core, nodeCall('work', { lockWait: 0 }));
    finishWith(await hardware.call(1), 1);
    expect((await watchToEnd(core, next.id)).at(-1)).toMatchObject({ state: 'succeeded', result: 1 });
  });

  test.each<[string, unknown, Json]>([
    ['NaN and infinities', [Number.NaN, Number.POSITIVE_INFINITY], [null, null]],
    ['undefined members', { a: undefined, b: [undefined] }, { b: [null] }],
    ['a Date', { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    ['holes', new Array(2), [null, null]],
    ['an instance', { map: new Map([[1, 2]]) }, { map: {} }],
  ])('%s: the watcher, the store and a synchronous caller get the same', async (_, result, expected) => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const watched = watchToEnd(core, job.id);
    finishWith(await hardware.call(0), result);
    expect((await watched).at(-1)?.result).toStrictEqual(expected);
    expect((await core.jobs.get(job.id, ANONYMOUS)).result).toStrictEqual(expected);
    const outcome = core.callNodeMethod(nodeCall('exclusive'));
    finishWith(await hardware.call(1), result);
    expect(await outcome).toStrictEqual({ kind: 'result', result: expected });
  });

  test('NUL, lone surrogates and a member __proto__ are returned unchanged', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const result = JSON.parse('{"__proto__": 1, "nul": "a\\u0000b", "\\ud800": "\\udfff"}');
    finishWith(await hardware.call(0), result);
    await watchToEnd(core, job.id);
    expect(JSON.stringify((await core.jobs.get(job.id, ANONYMOUS)).result)).toBe(JSON.stringify(result));
  });
});

describe('any value that a method throws', () => {
  test.each([[undefined], [null], ['text'], [5n], [Object.create(null)], [{ kind: 'cancelled' }]])(
    '%o is a defect: the job fails, a synchronous caller gets an error, and the node is free',
    async (thrown) => {
      const { core, hardware } = await startCore();
      const job = await startJob(core, nodeCall('work'));
      failWith(await hardware.call(0), thrown);
      expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'failed', error: { kind: 'internal' } });
      const outcome = core.callNodeMethod(nodeCall('exclusive', { lockWait: 0, idempotencyKey: 'k' }));
      const expected = outcome.then(
        () => 'no error',
        () => 'an error',
      );
      failWith(await hardware.call(1), thrown);
      expect(await expected).toBe('an error');
      expect((await core.nodes.get('n1')).reservation).toBeNull();
    },
  );

  test('an error of an unknown kind becomes internal, so that the job can be shown', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    failWith(await hardware.call(0), new PassthruError('bmc_on_fire' as never, 'hot'));
    expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ error: { kind: 'internal', message: 'hot' } });
  });
});

test.each<[unknown, unknown, { fraction: number | null; message: string }]>([
  [Number.NaN, 'x', { fraction: null, message: 'x' }],
  [Number.POSITIVE_INFINITY, 'x', { fraction: 1, message: 'x' }],
  [-1, 'x', { fraction: 0, message: 'x' }],
  ['50%', undefined, { fraction: null, message: '' }],
  [5n, 5, { fraction: null, message: '' }],
  [0.5, `${'x'.repeat(999)}😀`, { fraction: 0.5, message: `${'x'.repeat(999)}\ufffd` }],
])('progress of %o and %o does not end the work', async (fraction, message, shown) => {
  const { core, hardware } = await startCore();
  const job = await startJob(core, nodeCall('work'));
  const call = await hardware.call(0);
  (call.task.progress as (fraction: unknown, message: unknown) => void)(fraction, message);
  call.finish('done');
  expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'succeeded', progress: shown });
  expect(await core.jobs.get(job.id, ANONYMOUS)).toMatchObject({ progress: shown });
});

test.each([
  [[null, 'x']],
  [[undefined]],
  [[]],
  [['text']],
  [[5n, circle]],
  [[() => {}, null]],
  [[{ a: Symbol('x') }, {}]],
])('a method that logs %o does not fail by it', async (given) => {
  const { core, hardware } = await startCore(['n1']);
  const answer = core.callNodeMethod(nodeCall('exclusive'));
  const call = await hardware.call(0);
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    (call.task.log[level] as (...any: unknown[]) => void)(...given);
  }
  call.finish('done');
  expect(await answer).toMatchObject({ result: 'done' });
});

describe('a failure of the store', () => {
  test('at the acceptance refuses the call and frees its node and worker', async () => {
    const { core, store, hardware } = await startCore(['n1'], { workers: 1 }, true);
    loseOnce(store, 'acceptJob');
    await expect(core.callNodeMethod(nodeCall('work'))).rejects.toMatchObject({ kind: 'store_unavailable' });
    await startJob(core, nodeCall('work', { lockWait: 0 }));
    (await hardware.call(0)).finish(null);
  });

  test('at the reservation passes the node to the next in line', async () => {
    const { core, store, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000 }, true);
    loseOnce(store, 'acquire');
    const failing = core.callNodeMethod(nodeCall('exclusive'));
    const waiting = core.callNodeMethod(nodeCall('exclusive'));
    await expect(failing).rejects.toMatchObject({ kind: 'store_unavailable' });
    (await hardware.call(0)).finish('ran');
    expect(await waiting).toMatchObject({ result: 'ran' });
  });

  test('at the end of a reservation or a job is retried until it succeeds', async () => {
    const { core, store, hardware } = await startCore(['n1'], { maxLockWait: 60_000 }, true);
    loseOnce(store, 'release');
    const sync = core.callNodeMethod(nodeCall('exclusive'));
    (await hardware.call(0)).finish('done');
    expect(await sync).toMatchObject({ result: 'done' });
    const job = await startJob(core, nodeCall('work', { lockWait: 60_000 }));
    loseOnce(store, 'endJob');
    (await hardware.call(1)).finish('kept');
    expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({ state: 'succeeded', result: 'kept' });
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  });

  test('to store a large result fails the job and frees its node', async () => {
    const { core, store, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    // The error of node:sqlite for a text of a gigabyte.
    vi.spyOn(store, 'endJob').mockRejectedValueOnce(
      Object.assign(new Error('string or blob too big'), { errcode: 18 }),
    );
    (await hardware.call(0)).finish('long');
    expect((await watchToEnd(core, job.id)).at(-1)).toMatchObject({
      state: 'failed',
      result: null,
      error: { kind: 'internal' },
    });
    expect(await core.nodes.get('n1')).toMatchObject({
      reservation: null,
      lastError: expect.stringContaining('could not be stored'),
    });
  });

  test('to store the outcome of a call with a key leaves the caller and the repeat with that outcome', async () => {
    const { core, store, hardware } = await startCore();
    loseOnce(store, 'finishIdempotent');
    const first = core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k' }));
    (await hardware.call(0)).finish('done');
    expect(await first).toEqual({ kind: 'result', result: 'done' });
    expect(await core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k' }))).toEqual({
      kind: 'result',
      result: 'done',
    });
    expect(hardware.calls).toHaveLength(1);
  });

  test('to remove the key of a refused call lets the repeat run', async () => {
    const { core, store, hardware } = await startCore();
    loseOnce(store, 'forgetIdempotent');
    const key = { idempotencyKey: 'k' };
    await expect(core.callNodeMethod(nodeCall('nope', key))).rejects.toMatchObject({ kind: 'unknown_method' });
    await expect(core.callNodeMethod(nodeCall('exclusive', { ...key, arguments: { word: 1 } }))).rejects.toMatchObject({
      kind: 'invalid_argument',
    });
    const repeat = core.callNodeMethod(nodeCall('exclusive', { ...key, arguments: { word: 1 } }));
    await expect(repeat).rejects.toMatchObject({ message: expect.stringContaining('word') });
    const other = core.callNodeMethod(nodeCall('exclusive', key));
    (await hardware.call(0)).finish(1);
    expect(await other).toMatchObject({ result: 1 });
  });

  test('to store a large outcome returns outcome_unknown to the repeat', async () => {
    const { core, store, hardware } = await startCore();
    vi.spyOn(store, 'finishIdempotent').mockRejectedValueOnce(new RangeError('Invalid string length'));
    const first = core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k' }));
    (await hardware.call(0)).finish('long');
    expect(await first).toMatchObject({ result: 'long' });
    await expect(core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k' }))).rejects.toMatchObject({
      kind: 'outcome_unknown',
    });
  });
});

describe('a disconnected caller', () => {
  const gone = new PassthruError('cancelled', 'gone');
  const aborted = AbortSignal.abort(gone);

  test.each(['exclusive', 'shared', 'work', 'attachment'])(
    'before the call of %s begins gets nothing done',
    async (method) => {
      const { core, hardware } = await startCore();
      for (const idempotencyKey of [null, 'k']) {
        await expect(core.callNodeMethod(nodeCall(method, { signal: aborted, idempotencyKey }))).rejects.toBe(gone);
      }
      await turn();
      expect(hardware.calls).toHaveLength(0);
      expect(await core.nodes.get('n1')).toMatchObject({ reservation: null });
    },
  );

  test('of a call with a key that waits for the node causes no action, and the repeat runs', async () => {
    const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000 });
    const holder = core.callNodeMethod(nodeCall('exclusive'));
    await hardware.call(0);
    const key = { idempotencyKey: 'k', lockWait: 60_000 };
    const caller = new AbortController();
    const first = core.callNodeMethod(nodeCall('exclusive', { ...key, signal: caller.signal }));
    const other = new AbortController();
    const second = core.callNodeMethod(nodeCall('exclusive', { ...key, signal: other.signal }));
    other.abort(gone);
    await expect(second).rejects.toBe(gone);
    caller.abort(gone);
    await expect(first).rejects.toBe(gone);
    (await hardware.call(0)).finish(null);
    await holder;
    const nextCall = core.callNodeMethod(nodeCall('exclusive', { arguments: { word: 'next' } }));
    const next = await hardware.call(1);
    expect(next.args).toEqual({ word: 'next' });
    next.finish(null);
    await nextCall;
    const repeat = core.callNodeMethod(nodeCall('exclusive', key));
    (await hardware.call(2)).finish('repeat');
    expect(await repeat).toMatchObject({ result: 'repeat' });
  });
});

describe('the node of a waiting call', () => {
  test('is read again when it was removed and enrolled again meanwhile', async () => {
    const { core, store, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000, maxLockWait: 600_000 });
    const { uuid } = await core.nodes.get('n1');
    const remove = store.deleteNode.bind(store);
    vi.spyOn(store, 'deleteNode').mockImplementationOnce(async (id, fence) => {
      const removed = await remove(id, fence);
      await core.nodes.create({ uuid, name: 'n1', driver: 'gated', driverInfo: { address: 'new' } }, operator);
      return removed;
    });
    const removal = core.nodes.delete('n1', operator, AbortSignal.timeout(30_000));
    const outcome = core.callNodeMethod(nodeCall('exclusive', { lockWait: 600_000 }));
    const call = await hardware.call(0);
    expect(call.task).toMatchObject({ node: { driverInfo: { address: 'new' } } });
    call.finish(null);
    await Promise.all([removal, outcome]);
  });

  test('is taken at once when it is unlocked just after the store reported it as held', async () => {
    const settings = { lockedRetryInterval: 60_000, maxLockWait: 600_000 };
    const { core, store, hardware } = await startCore(['n1'], settings, true);
    await core.nodes.lock('n1', { holder: 'b', lockWait: 0, caller: operator, signal: AbortSignal.timeout(30_000) });
    const acquire = store.acquire.bind(store);
    vi.spyOn(store, 'acquire').mockImplementationOnce(async (...args) => {
      const acquired = await acquire(...args);
      await core.nodes.unlock('n1', operator);
      return acquired;
    });
    const outcome = core.callNodeMethod(nodeCall('exclusive', { lockWait: 600_000 }));
    (await hardware.call(0)).finish('at once');
    expect(await outcome).toMatchObject({ result: 'at once' });
  });
});

describe('a watcher', () => {
  test.each([
    [-7, [1, 2]],
    [0, [1, 2]],
    [2, []],
    [3, []],
    [Number.MAX_SAFE_INTEGER, []],
  ])('after revision %d gets the revisions above it', async (after, revisions) => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const live = watchToEnd(core, job.id, after);
    (await hardware.call(0)).finish(null);
    expect((await live).map(({ revision }) => revision)).toEqual(revisions);
    expect((await watchToEnd(core, job.id, after)).map(({ revision }) => revision)).toEqual(revisions);
  });

  test('that is slow gets the same revisions as a fast one', async () => {
    const { core, hardware } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const call = await hardware.call(0);
    const fast = watchToEnd(core, job.id);
    const slow = core.jobs.watch(job.id, null, ANONYMOUS, AbortSignal.timeout(30_000));
    const seen = [(await slow.next()).value];
    for (const step of [1, 2]) {
      call.task.progress(step / 4, `step ${step}`);
      await vi.waitFor(async () => expect((await core.jobs.get(job.id, ANONYMOUS)).revision).toBe(1 + step));
    }
    call.finish('end');
    const all = await fast;
    for await (const state of slow) seen.push(state);
    expect(seen).toEqual(all);
    expect(all.map(({ revision }) => revision)).toEqual([1, 2, 3, 4]);
  });

  test('that has disconnected gets nothing', async () => {
    const { core } = await startCore();
    const job = await startJob(core, nodeCall('work'));
    const gone = new Error('gone');
    await expect(core.jobs.watch(job.id, null, ANONYMOUS, AbortSignal.abort(gone)).next()).rejects.toBe(gone);
    await core.jobs.cancel(job.id, operator);
  });
});
