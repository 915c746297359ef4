import { setImmediate as turn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { ANONYMOUS } from '../../src/core/caller.ts';
import { nodeCall, operator, startCore, startJob } from './harness.ts';

test('shutdown refuses a call that is still reading its node', async () => {
  const { core, store, hardware } = await startCore();
  const read = Promise.withResolvers<void>();
  const getNodeByName = store.getNodeByName.bind(store);
  vi.spyOn(store, 'getNodeByName').mockImplementationOnce(async (name) => {
    await read.promise;
    return getNodeByName(name);
  });
  const call = core.callNodeMethod(nodeCall('exclusive'));
  await core.shutdown(0);
  read.resolve();
  await expect(call).rejects.toMatchObject({ kind: 'shutting_down' });
  expect(hardware.calls).toHaveLength(0);
});

test.each([
  ['acceptJob', true],
  ['addJob', false],
] as const)('shutdown ends a job that is accepted while everything is aborted: %s', async (step, shared) => {
  const { core, store, hardware } = await startCore(['n1'], {}, shared);
  const stored = Promise.withResolvers<void>();
  const real = store[step].bind(store) as (...args: unknown[]) => Promise<boolean>;
  vi.spyOn(store, step).mockImplementationOnce(async (...args: unknown[]) => {
    await stored.promise;
    return real(...args);
  });
  const call = startJob(core, nodeCall('work'));
  await vi.waitFor(() => expect(store[step]).toHaveBeenCalled());
  const shutdown = core.shutdown(0);
  await turn();
  stored.resolve();
  const job = await call;
  await shutdown;
  expect(await core.jobs.get(job.id, ANONYMOUS)).toMatchObject({ state: 'failed', error: { kind: 'shutting_down' } });
  expect(hardware.calls[0]?.task.signal.aborted).toBe(true);
});

test('shutdown is not kept as the outcome of a call with a key', async () => {
  const { core, store, hardware } = await startCore();
  const finishIdempotent = vi.spyOn(store, 'finishIdempotent');
  const call = core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'k' }));
  const refused = expect(call).rejects.toMatchObject({ kind: 'outcome_unknown' });
  await hardware.call(0);
  await core.shutdown(0);
  await refused;
  expect(finishIdempotent).toHaveBeenCalledWith('operator', 'k', {
    error: expect.objectContaining({ kind: 'outcome_unknown' }),
  });
});

test('shutdown returns outcome_unknown for a call that it cut short, and shutting_down for one that had not begun', async () => {
  const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000 });
  const running = core.callNodeMethod(nodeCall('exclusive'));
  await hardware.call(0);
  const waiting = core.callNodeMethod(nodeCall('exclusive'));
  const refused = Promise.all([
    expect(running).rejects.toMatchObject({ kind: 'outcome_unknown' }),
    expect(waiting).rejects.toMatchObject({ kind: 'shutting_down' }),
  ]);
  await core.shutdown(0);
  await refused;
  expect(hardware.calls).toHaveLength(1);
});

test('shutdown does not wait for a driver that never closes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  try {
    const { core, store, hardware } = await startCore();
    hardware.hardwareType.close = () => new Promise(() => {});
    const shutdown = core.shutdown(0);
    await vi.advanceTimersByTimeAsync(10_000);
    await shutdown;
    // Its lease is given up all the same.
    expect(await store.listHosts()).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test.each([false, true])(
  'shutdown waits for a change of a node that is under way (store shared: %s)',
  async (shared) => {
    const { core, store } = await startCore(['n1'], {}, shared);
    const stored = Promise.withResolvers<void>();
    const updateNode = store.updateNode.bind(store);
    vi.spyOn(store, 'updateNode').mockImplementationOnce(async (...args) => {
      await stored.promise;
      return updateNode(...args);
    });
    const update = core.nodes.update('n1', () => ({ extra: { rack: 7 } }), operator, new AbortController().signal);
    await vi.waitFor(() => expect(store.updateNode).toHaveBeenCalled());
    let down = false;
    const shutdown = core.shutdown(30_000).then(() => {
      down = true;
    });
    for (let turns = 0; turns < 100; turns++) await turn();
    expect(down).toBe(false);
    stored.resolve();
    expect(await update).toMatchObject({ extra: { rack: 7 } });
    await shutdown;
  },
);

test('shutdown ends the wait of a change of a node and of a lock', async () => {
  const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 30_000, lockedRetryAttempts: 3 });
  const call = core.callNodeMethod(nodeCall('exclusive'));
  await hardware.call(0);
  const { signal } = new AbortController();
  const waiting = [
    core.nodes.delete('n1', operator, signal),
    core.nodes.lock('n1', { holder: 'alice', lockWait: 30_000, caller: operator, signal }),
  ];
  const refused = Promise.all([
    ...waiting.map((each) => expect(each).rejects.toMatchObject({ kind: 'shutting_down' })),
    expect(call).rejects.toMatchObject({ kind: 'outcome_unknown' }),
  ]);
  await turn();
  await core.shutdown(0);
  await refused;
});
