import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import type { Core, LockRequest } from '../../../src/core/core.ts';
import { nodeCall, openMemoryStore, operator, startCore, startCoreOn, startJob, watchToEnd } from '../harness.ts';

const signal = () => AbortSignal.timeout(30_000);
const alice: Caller = { name: 'alice', role: 'operator' };
const bob: Caller = { name: 'bob', role: 'operator' };
const PATIENT = { lockedRetryInterval: 60_000, maxLockWait: 600_000 };

/** Locks n1 for alice and returns the key. */
async function lock(core: Core, given: Partial<LockRequest> = {}, node = 'n1'): Promise<string> {
  const request = { holder: null, lockWait: 0, caller: alice, signal: signal(), ...given };
  return (await core.nodes.lock(node, request)).reservationKey;
}

const within = (reservationKey: string, given: Parameters<typeof nodeCall>[1] = {}) =>
  nodeCall('exclusive', { reservationKey, lockWait: 0, caller: alice, ...given });

/** Lets the lock of n1 run out. */
async function runOut(core: Core, reservationKey: string): Promise<void> {
  await core.nodes.renewLock('n1', { reservationKey, duration: 1, caller: alice });
  await vi.waitUntil(async () => (await core.nodes.get('n1')).reservation?.kind !== 'held', {
    interval: 20,
    timeout: 30_000,
  });
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await turn();
}

describe.each([
  ['in memory', false],
  ['in the store', true],
])('with reservations %s', (_, shared) => {
  test('calls with the key run on a held node, which stays held; others are refused with its reason and end', async () => {
    const { core, hardware } = await startCore(['n1'], {}, shared);
    const key = await lock(core, { holder: 'console', reason: 'firmware', duration: 60_000 });
    const hold = { kind: 'held', holder: 'console', requestedBy: 'alice', reason: 'firmware', method: null };
    for (let index = 0; index < 2; index++) {
      const call = core.callNodeMethod(within(key));
      const { finish, task } = await hardware.call(index);
      expect((await core.nodes.get('n1')).reservation).toMatchObject({ ...hold, method: 'exclusive' });
      await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
        kind: 'node_locked',
        message: expect.stringContaining('is locked by host console'),
        lock: { ...hold, method: 'exclusive', expireTime: expect.any(Date) },
      });
      task.beforeSend();
      finish(index);
      expect(await call).toEqual({ kind: 'result', result: index });
      expect((await core.nodes.get('n1')).reservation).toMatchObject(hold);
    }
    await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({ lock: hold });
    await expect(core.nodes.update('n1', () => ({}), operator, signal())).rejects.toMatchObject({ lock: hold });
  });

  test('calls with the key take turns, first come, first served, and before those that wait for the end of the hold', async () => {
    const { core, hardware } = await startCore(['n1'], PATIENT, shared);
    const key = await lock(core);
    const outside = core.callNodeMethod(nodeCall('exclusive', { arguments: { count: 9 }, lockWait: 600_000 }));
    await settle();
    const calls = [0, 1, 2].map((count) =>
      core.callNodeMethod(within(key, { arguments: { count }, lockWait: 600_000, caller: count === 1 ? bob : alice })),
    );
    for (let index = 0; index < calls.length; index++) {
      const call = await hardware.call(index);
      await settle();
      expect(hardware.calls).toHaveLength(index + 1);
      expect(call.args).toEqual({ count: index });
      call.finish(index);
    }
    expect(await Promise.all(calls)).toHaveLength(3);
    await settle();
    expect(hardware.calls).toHaveLength(3);
    await core.nodes.unlock('n1', alice);
    (await hardware.call(3)).finish('after it');
    expect(await outside).toMatchObject({ result: 'after it' });
  });

  test('a second call with the key that does not wait is refused, and sees the call that runs', async () => {
    const { core, hardware } = await startCore(['n1'], {}, shared);
    const key = await lock(core, { holder: 'console' });
    const job = await startJob(core, nodeCall('work', { reservationKey: key }));
    await hardware.call(0);
    await expect(core.callNodeMethod(within(key))).rejects.toMatchObject({
      kind: 'node_locked',
      lock: { holder: 'console', method: 'work', job: job.id },
    });
    (await hardware.call(0)).finish(null);
    await watchToEnd(core, job.id);
    expect((await core.nodes.get('n1')).reservation).toMatchObject({ kind: 'held', method: null, job: null });
  });

  test('a cancelled job leaves the node held', async () => {
    const { core, hardware } = await startCore(['n1'], {}, shared);
    const key = await lock(core);
    const job = await startJob(core, nodeCall('work', { reservationKey: key }));
    await hardware.call(0);
    expect(await core.jobs.cancel(job.id, operator)).toMatchObject({ state: 'cancelled' });
    expect((await core.nodes.get('n1')).reservation).toMatchObject({ kind: 'held', job: null });
    await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'node_locked',
    });
  });

  test('the key may be handed on: its bearer calls, renews and unlocks; without it another caller may do neither', async () => {
    const { core, hardware } = await startCore(['n1'], {}, shared);
    const key = await lock(core, { duration: 60_000 });
    const call = core.callNodeMethod(within(key, { caller: bob }));
    (await hardware.call(0)).finish(null);
    await call;
    const denied = { kind: 'permission_denied' };
    const renewal = { duration: 600_000, caller: bob };
    await expect(core.nodes.renewLock('n1', { ...renewal, reservationKey: null })).rejects.toMatchObject(denied);
    await expect(core.nodes.unlock('n1', bob)).rejects.toMatchObject(denied);
    const renewed = await core.nodes.renewLock('n1', { ...renewal, reservationKey: key });
    expect(renewed.reservation?.expireTime?.getTime()).toBeGreaterThan(Date.now() + 300_000);
    expect((await core.nodes.unlock('n1', bob, key)).reservation).toBeNull();
  });

  test('who took the lock and an admin renew and end it without its key', async () => {
    const { core } = await startCore(['n1'], {}, shared);
    for (const caller of [alice, operator]) {
      await lock(core);
      const renewed = await core.nodes.renewLock('n1', { reservationKey: null, duration: 60_000, caller });
      expect(renewed.reservation?.expireTime).toBeInstanceOf(Date);
      expect((await core.nodes.unlock('n1', caller)).reservation).toBeNull();
    }
  });

  test('a lock that runs out lets the next in line take the node, and its key is of no more use', async () => {
    const { core, hardware } = await startCore(['n1'], PATIENT, shared);
    const key = await lock(core, { duration: 50 });
    const waiting = core.callNodeMethod(nodeCall('exclusive', { lockWait: 600_000 }));
    (await hardware.call(0)).finish('after it');
    expect(await waiting).toMatchObject({ result: 'after it' });
    expect((await core.nodes.get('n1')).reservation).toBeNull();
    await expect(core.callNodeMethod(within(key))).rejects.toMatchObject({ kind: 'reservation_ended' });
    await expect(
      core.nodes.renewLock('n1', { reservationKey: key, duration: null, caller: alice }),
    ).rejects.toMatchObject({ kind: 'reservation_ended' });
    await expect(core.nodes.unlock('n1', alice, key)).rejects.toMatchObject({ kind: 'reservation_ended' });
  });

  test('a lock that runs out is ended without anyone who waits, and the log tells whose it was', async () => {
    const info = vi.fn();
    const log = { debug() {}, info, warn() {}, error() {}, child: () => log };
    const { core } = await startCoreOn(await openMemoryStore(shared), 'host-a', {}, undefined, log as never);
    await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
    const key = await lock(core, { holder: 'console', duration: 50 });
    await vi.waitUntil(async () => (await core.nodes.get('n1')).reservation === null, { interval: 20, timeout: 9000 });
    const told = info.mock.calls.find(([, message]) => message.includes('has run out'));
    expect(told?.[0]).toMatchObject({ holder: 'console', caller: 'alice' });
    expect(JSON.stringify(info.mock.calls)).not.toContain(key);
  });

  test('a renewed lock does not end when it would have', async () => {
    const { core } = await startCore(['n1'], {}, shared);
    let end: Date | null = null;
    // On a busy computer it may end before it is renewed.
    for (let renewed = false; !renewed; ) {
      const key = await lock(core, { duration: 300 });
      end = (await core.nodes.get('n1')).reservation?.expireTime ?? null;
      const renewal = core.nodes.renewLock('n1', { reservationKey: key, duration: null, caller: alice });
      renewed = await renewal.then(
        () => true,
        () => false,
      );
    }
    await vi.waitUntil(() => Date.now() > (end?.getTime() ?? 0) + 50, { timeout: 9000 });
    await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
      kind: 'node_locked',
      lock: { expireTime: null },
    });
  });

  test.each([
    ['unlocked', (core: Core, key: string) => core.nodes.unlock('n1', bob, key)],
    ['out of time', runOut],
  ])('when the lock is %s during a call, the call ends before anyone else has the node', async (_, end) => {
    const { core, hardware } = await startCore(['n1'], PATIENT, shared);
    const key = await lock(core);
    const call = core.callNodeMethod(within(key));
    const running = await hardware.call(0);
    const next = core.callNodeMethod(nodeCall('exclusive', { lockWait: 600_000 }));
    const late = core.callNodeMethod(within(key, { lockWait: 600_000 })).catch((error: unknown) => error);
    await settle();
    await end(core, key);
    await settle();
    expect(hardware.calls).toHaveLength(1);
    expect(running.task.signal.aborted).toBe(false);
    running.task.beforeSend();
    running.finish('undisturbed');
    expect(await call).toMatchObject({ result: 'undisturbed' });
    expect(await late).toMatchObject({ kind: 'reservation_ended' });
    (await hardware.call(1)).finish('next');
    expect(await next).toMatchObject({ result: 'next' });
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  });

  test('a key that has ended, or of another node, runs nothing, not even a method without a lock', async () => {
    const { core, hardware } = await startCore(['n1', 'n2'], {}, shared);
    const old = await lock(core);
    await core.nodes.unlock('n1', alice, old);
    const key = await lock(core);
    const other = await lock(core, {}, 'n2');
    const ended = { kind: 'reservation_ended', message: expect.not.stringContaining('passthru_rsv_') };
    for (const wrong of [old, other]) {
      await expect(core.callNodeMethod(within(wrong))).rejects.toMatchObject(ended);
      await expect(core.callNodeMethod(nodeCall('shared', { reservationKey: wrong }))).rejects.toMatchObject(ended);
      await expect(core.callNodeMethod(nodeCall('shared_work', { reservationKey: wrong }))).rejects.toMatchObject(
        ended,
      );
      await expect(core.nodes.unlock('n1', alice, wrong)).rejects.toMatchObject(ended);
      const renewal = { reservationKey: wrong, duration: null, caller: alice };
      await expect(core.nodes.renewLock('n1', renewal)).rejects.toMatchObject(ended);
    }
    expect(hardware.calls).toHaveLength(0);
    const call = core.callNodeMethod(nodeCall('shared', { reservationKey: key }));
    (await hardware.call(0)).finish(null);
    await call;
  });

  test('the repeat of a call by its idempotency key returns the first outcome, after the lock has ended too', async () => {
    const { core, hardware } = await startCore(['n1'], {}, shared);
    const key = await lock(core);
    const call = within(key, { idempotencyKey: 'key' });
    const first = core.callNodeMethod(call);
    (await hardware.call(0)).finish('once');
    const outcome = await first;
    await core.nodes.unlock('n1', alice);
    expect(await core.callNodeMethod(call)).toEqual(outcome);
    expect(hardware.calls).toHaveLength(1);
  });

  test('there is no lock to renew on a free node, nor on one that a call has', async () => {
    const { core, hardware } = await startCore(['n1'], {}, shared);
    const renew = () => core.nodes.renewLock('n1', { reservationKey: null, duration: null, caller: operator });
    await expect(renew()).rejects.toMatchObject({ kind: 'reservation_ended' });
    void core.callNodeMethod(nodeCall('exclusive'));
    await hardware.call(0);
    await expect(renew()).rejects.toMatchObject({ kind: 'reservation_ended' });
  });
});

test.each(['', 'x', 'passthru_rsv_short', `passthru_rsv_${'a'.repeat(33)}`, `passthru_rsv_${'a'.repeat(31)}!`])(
  'the malformed key %j is refused by the name of its field, without its value',
  async (reservationKey) => {
    const { core } = await startCore();
    const refused = { kind: 'invalid_argument', violations: [{ field: 'reservation_key' }] };
    for (const attempt of [
      () => core.callNodeMethod(nodeCall('exclusive', { reservationKey })),
      () => core.nodes.unlock('n1', operator, reservationKey),
      () => core.nodes.renewLock('n1', { reservationKey, duration: null, caller: operator }),
    ]) {
      const error = await attempt().catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject(refused);
      if (reservationKey !== '' && reservationKey !== 'x') {
        expect(JSON.stringify(error) + (error as Error).message).not.toContain(reservationKey);
      }
    }
  },
);

test.each([
  ['reason', { reason: 'x'.repeat(256) }],
  ['reason', { reason: 'two\nlines' }],
  ['holder', { holder: '' }],
  ['duration', { duration: 0 }],
  ['duration', { duration: -1 }],
  ['duration', { duration: 3_600_001 }],
])('a lock with an invalid %s is refused: %j', async (field, given) => {
  const { core } = await startCore(['n1'], { maxLockDuration: 3_600_000 });
  await expect(lock(core, given)).rejects.toMatchObject({ kind: 'invalid_argument', violations: [{ field }] });
  expect((await core.nodes.get('n1')).reservation).toBeNull();
  await lock(core, { duration: 3_600_000 });
});

test('each lock has a key of its own, which no node shows', async () => {
  const { core } = await startCore(['n1', 'n2']);
  const keys = [await lock(core), await lock(core, {}, 'n2')];
  expect(new Set(keys).size).toBe(2);
  for (const key of keys) expect(key).toMatch(/^passthru_rsv_[\w-]{32}$/);
  expect(JSON.stringify(await core.nodes.get('n1'))).not.toContain(keys[0]?.slice(13));
});

test('on a store that is not shared a call with a key needs no statement for its reservation', async () => {
  const { core, store, hardware } = await startCore();
  const key = await lock(core);
  const first = core.callNodeMethod(within(key));
  (await hardware.call(0)).finish(null);
  await first;
  // `noteReservation` is no step of the store: it notes in memory what watchers of nodes are told.
  const names = Object.keys(store).filter(
    (name) => typeof (store as never)[name] === 'function' && name !== 'noteReservation',
  );
  const steps = names.map((name) => vi.spyOn(store, name as 'acquire'));
  const second = core.callNodeMethod(within(key));
  (await hardware.call(1)).finish(null);
  await second;
  expect(steps.flatMap(({ mock }) => mock.calls)).toEqual([]);
});

test('after a crash during a call with a key the node is held, and the key runs calls', async () => {
  const store = await openMemoryStore();
  const before = await startCoreOn(store, 'host-a');
  await before.core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const key = await lock(before.core, { reason: 'firmware', duration: 60_000 });
  void before.core.callNodeMethod(within(key));
  const { task } = await before.hardware.call(0);

  const after = await startCoreOn(store, 'host-a');
  expect((await after.core.nodes.get('n1')).reservation).toMatchObject({
    kind: 'held',
    reason: 'firmware',
    method: null,
    expireTime: expect.any(Date),
  });
  await expect(after.core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
    kind: 'node_locked',
  });
  const call = after.core.callNodeMethod(within(key));
  const running = await after.hardware.call(0);
  expect(running.task.fence).toBeGreaterThan(task.fence as number);
  running.finish(null);
  await call;
  await after.core.nodes.unlock('n1', alice, key);
  expect((await (await startCoreOn(store, 'host-a')).core.nodes.get('n1')).reservation).toBeNull();
});
