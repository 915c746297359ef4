import { expect, onTestFinished, test, vi } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import { type Lease, Tenure } from '../../../src/core/locks/lease.ts';
import { Locks } from '../../../src/core/locks/locks.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Node } from '../../../src/core/node.ts';
import type { Store } from '../../../src/core/store.ts';
import { nodeCall, operator, startCore, startJob } from '../harness.ts';

const signal = () => AbortSignal.timeout(30_000);

test('a second caller gets the holder, the method and the job when its wait times out', async () => {
  const { core, hardware } = await startCore();
  const job = await startJob(core, nodeCall('work', { caller: { name: 'alice', role: 'operator' } }));
  await hardware.call(0);
  const error = await core.callNodeMethod(nodeCall('exclusive')).catch((thrown) => thrown);
  expect(error).toMatchObject({
    kind: 'node_locked',
    message: `Node ${job.nodeUuid} is locked by host host-a, please retry after the current operation is completed.`,
    lock: { holder: 'host-a', kind: 'call', method: 'work', requestedBy: 'alice', since: expect.any(Date) },
  });
  expect((await core.nodes.get('n1')).reservation?.job).toBe(job.id);
});

test('with lock_wait 0 a second caller fails at once, despite the configured wait', async () => {
  const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000 });
  void core.callNodeMethod(nodeCall('exclusive'));
  await hardware.call(0);
  await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
    kind: 'node_locked',
  });
});

test('waiting callers get the node first come, first served, as soon as it is free', async () => {
  // The interval is longer than the test may take: only a wake-up can end the waits.
  const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000, maxLockWait: 600_000 });
  const calls = Array.from({ length: 10 }, (_, count) =>
    core.callNodeMethod(nodeCall('exclusive', { arguments: { count }, lockWait: 600_000 })),
  );
  for (let index = 0; index < calls.length; index++) {
    const call = await hardware.call(index);
    expect(call.args.count).toBe(index);
    expect(hardware.calls).toHaveLength(index + 1);
    call.finish(index);
  }
  expect(await Promise.all(calls)).toHaveLength(10);
});

test('a caller that disconnects while it waits leaves the line', async () => {
  const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000 });
  const first = core.callNodeMethod(nodeCall('exclusive'));
  await hardware.call(0);
  const leaving = new AbortController();
  const second = core.callNodeMethod(nodeCall('exclusive', { signal: leaving.signal, lockWait: 60_000 }));
  const third = core.callNodeMethod(nodeCall('exclusive', { arguments: { word: 'third' }, lockWait: 60_000 }));
  const gone = new PassthruError('cancelled', 'gone');
  leaving.abort(gone);
  await expect(second).rejects.toBe(gone);
  (await hardware.call(0)).finish(null);
  await first;
  const call = await hardware.call(1);
  expect(call.args).toEqual({ word: 'third' });
  call.finish(null);
  await third;
});

test.each([-1, 60_001])('a lock_wait of %d ms is invalid', async (lockWait) => {
  const { core } = await startCore(['n1'], { maxLockWait: 60_000 });
  await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait }))).rejects.toMatchObject({
    kind: 'invalid_argument',
    violations: [{ field: 'lock_wait' }],
  });
});

test('a held node refuses exclusive calls, changes and removal, until it is unlocked', async () => {
  const { core, hardware } = await startCore();
  const held = await core.nodes.lock('n1', { holder: 'conductor-b', lockWait: 0, caller: operator, signal: signal() });
  expect(held.node.reservation).toMatchObject({
    holder: 'conductor-b',
    kind: 'held',
    method: null,
    requestedBy: 'operator',
  });
  const locked = { kind: 'node_locked', lock: { holder: 'conductor-b' } };
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject(locked);
  await expect(core.nodes.update('n1', () => ({ description: 'x' }), operator, signal())).rejects.toMatchObject(locked);
  await expect(core.nodes.delete('n1', operator, signal())).rejects.toMatchObject(locked);
  await expect(
    core.nodes.lock('n1', { holder: null, lockWait: 0, caller: operator, signal: signal() }),
  ).rejects.toMatchObject(locked);

  expect((await core.nodes.unlock('n1', operator)).reservation).toBeNull();
  const outcome = core.callNodeMethod(nodeCall('exclusive'));
  (await hardware.call(0)).finish(null);
  await outcome;
});

test('unlocking wakes a caller that waits for a held node', async () => {
  const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000, maxLockWait: 600_000 });
  await core.nodes.lock('n1', { holder: 'b', lockWait: 0, caller: operator, signal: signal() });
  const outcome = core.callNodeMethod(nodeCall('exclusive', { lockWait: 600_000 }));
  await new Promise((resolve) => setImmediate(resolve));
  await core.nodes.unlock('n1', operator);
  (await hardware.call(0)).finish('woken');
  expect(await outcome).toEqual({ kind: 'result', result: 'woken' });
});

test('unlocking does not end the reservation of a running call', async () => {
  const { core, hardware } = await startCore();
  const job = await startJob(core, nodeCall('work'));
  await hardware.call(0);
  await expect(core.nodes.unlock('n1', operator)).rejects.toMatchObject({
    kind: 'failed_precondition',
    message: expect.stringContaining(`cancel job ${job.id}`),
  });
});

test('a caller that waits for a node gets node_not_found when it is removed meanwhile', async () => {
  const { core } = await startCore(['n1'], { lockedRetryInterval: 60_000, maxLockWait: 600_000 });
  const removal = core.nodes.delete('n1', operator, signal());
  const call = core.callNodeMethod(nodeCall('exclusive', { lockWait: 600_000 }));
  await removal;
  await expect(call).rejects.toMatchObject({ kind: 'node_not_found' });
});

test('reservations stored late are searched for ten minutes after the last attempt without a response', async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const listCalls = vi.fn(async () => []);
  const store = {
    acquire: () => Promise.reject(new PassthruError('store_unavailable', 'no response')),
    releaseOwn: async () => {},
    closed: new AbortController().signal,
    listCalls,
  };
  const lease = { current: () => new Tenure('process-1', Number.POSITIVE_INFINITY, () => 0) };
  const settings = { retryInterval: 1000, defaultWait: 0, maxWait: 0 };
  const locks = new Locks(store as unknown as Store, null, lease as unknown as Lease, settings, silentLogger);
  const minutes = async (count: number) => {
    for (let second = 0; second < count * 60; second += 5) {
      await vi.advanceTimersByTimeAsync(5000);
      await locks.releaseUnknown();
    }
  };
  await minutes(1);
  expect(listCalls).not.toHaveBeenCalled();
  const purpose = {
    holder: 'host-a',
    kind: 'call',
    method: 'work',
    requestedBy: 'alice',
    job: null,
    reason: null,
  } as const;
  const attempt = () => locks.acquire({ uuid: 'n' } as Node, purpose, 0, signal());
  await expect(attempt()).rejects.toMatchObject({ kind: 'store_unavailable' });
  await minutes(5);
  expect(listCalls).toHaveBeenCalledTimes(60);
  await expect(attempt()).rejects.toMatchObject({ kind: 'store_unavailable' });
  await minutes(11);
  const searches = listCalls.mock.calls.length;
  expect(searches).toBeGreaterThanOrEqual(60 + 119);
  await minutes(10);
  expect(listCalls).toHaveBeenCalledTimes(searches);
});
