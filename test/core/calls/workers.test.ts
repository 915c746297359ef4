import { afterEach, expect, test, vi } from 'vitest';
import { nodeCall, startCore, type TestCore } from '../harness.ts';

let started: TestCore;
afterEach(async () => {
  await started.core.shutdown(0);
  await started.store.close();
});

const refused = (why: RegExp) =>
  expect.objectContaining({ kind: 'no_free_worker', message: expect.stringMatching(why) });
const by = (name: string) => ({ caller: { name, role: 'operator' as const } });

test('calls that wait for a locked node hold no worker', async () => {
  started = await startCore(['n1', 'n2'], { workers: 2 });
  const { core, hardware } = started;
  await core.callNodeMethod(nodeCall('work'));
  const waiting = Array.from({ length: 5 }, () => core.callNodeMethod(nodeCall('work', { lockWait: 50_000 })));
  await vi.waitFor(() => expect(core.load().runningCalls).toBe(5));
  expect(core.load().busyWorkers).toBe(1);
  await core.callNodeMethod(nodeCall('work', { node: 'n2' }));
  // The pool is full now: refused before the lock.
  await expect(core.callNodeMethod(nodeCall('work', { lockWait: 0 }))).rejects.toEqual(refused(/all 2 are busy/));
  (await hardware.call(0)).finish(null);
  for (let call = 2; call <= 6; call++) (await hardware.call(call)).finish(null);
  expect(await Promise.all(waiting)).toHaveLength(5);
});

test('a call whose worker is taken when it gets the lock is refused, and leaves the node free', async () => {
  started = await startCore(['n1', 'n2'], { workers: 1 });
  const { core, hardware } = started;
  const holding = core.callNodeMethod(nodeCall('exclusive'));
  const first = await hardware.call(0);
  const waiting = core.callNodeMethod(nodeCall('work', { lockWait: 50_000 })).catch((error: unknown) => error);
  await vi.waitFor(() => expect(core.load().runningCalls).toBe(2));
  await core.callNodeMethod(nodeCall('work', { node: 'n2' }));
  first.finish(null);
  await holding;
  expect(await waiting).toEqual(refused(/all 1 are busy/));
  expect((await core.nodes.get('n1')).reservation).toBeNull();
  expect(hardware.calls).toHaveLength(2);
});

test('one caller gets no more than its share of the workers; others get the rest', async () => {
  started = await startCore(['n1'], { workers: 5, workerShares: { caller: 2, node: 5 } });
  const { core, hardware } = started;
  const call = (name: string) => core.callNodeMethod(nodeCall('shared_work', by(name)));
  await call('alice');
  await call('alice');
  await expect(call('alice')).rejects.toEqual(refused(/alice has all 2 of its share/));
  await call('bob');
  (await hardware.call(0)).finish(null);
  await vi.waitFor(() => expect(core.load().busyWorkers).toBe(2));
  await call('alice');
});

test('one node gets no more than its share of the workers', async () => {
  started = await startCore(['n1', 'n2'], { workers: 5, workerShares: { caller: 5, node: 2 } });
  const { core } = started;
  const call = (node: string) => core.callNodeMethod(nodeCall('shared_work', { node }));
  await call('n1');
  await call('n1');
  await expect(call('n1')).rejects.toEqual(refused(/node .* has all 2 of its share/));
  await call('n2');
});
