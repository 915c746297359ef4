import { setImmediate as turn } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { nodeCall, openMemoryStore, operator, startCore, startCoreOn, startJob, watchToEnd } from '../harness.ts';

const signal = () => AbortSignal.timeout(30_000);

test('a call on a store that is not shared reserves its node without a statement, and the node shows the reservation', async () => {
  const { core, store, hardware } = await startCore();
  const steps = (['acquire', 'release'] as const).map((step) => vi.spyOn(store, step));
  const call = core.callNodeMethod(nodeCall('exclusive'));
  const { finish } = await hardware.call(0);
  const reservation = { kind: 'call', holder: 'host-a', method: 'exclusive', requestedBy: 'operator', job: null };
  expect((await core.nodes.get('n1')).reservation).toMatchObject(reservation);
  const query = { limit: 9, marker: null, sortKey: 'id', sortDirection: 'asc' } as const;
  expect((await core.nodes.list(query)).items[0]?.reservation).toMatchObject(reservation);
  await expect(core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }))).rejects.toMatchObject({
    kind: 'node_locked',
    lock: reservation,
  });
  await expect(core.nodes.unlock('n1', operator)).rejects.toMatchObject({ kind: 'failed_precondition' });
  finish(null);
  await call;
  expect((await core.nodes.get('n1')).reservation).toBeNull();
  expect(steps.flatMap(({ mock }) => mock.calls)).toEqual([]);
});

test('a job is named in the reservation until its end frees the node', async () => {
  const { core, hardware } = await startCore();
  const { id } = await startJob(core, nodeCall('work'));
  expect((await core.nodes.get('n1')).reservation).toMatchObject({ job: id });
  (await hardware.call(0)).finish(null);
  await watchToEnd(core, id);
  expect((await core.nodes.get('n1')).reservation).toBeNull();
});

test('after a crash calls are released, held nodes stay held, and fences continue above all earlier ones', async () => {
  const store = await openMemoryStore();
  const before = await startCoreOn(store, 'host-a');
  for (const name of ['n1', 'n2']) await before.core.nodes.create({ name, driver: 'gated' }, operator);
  await before.core.nodes.lock('n2', { holder: 'alice', lockWait: 0, caller: operator, signal: signal() });
  const fences: number[] = [];
  for (let index = 0; index < 3; index++) {
    const call = before.core.callNodeMethod(nodeCall('exclusive'));
    const { task, finish } = await before.hardware.call(index);
    fences.push(task.fence as number);
    finish(null);
    await call;
  }
  void before.core.callNodeMethod(nodeCall('exclusive'));
  fences.push((await before.hardware.call(3)).task.fence as number);

  const after = await startCoreOn(store, 'host-a');
  expect((await after.core.nodes.get('n1')).reservation).toBeNull();
  expect((await after.core.nodes.get('n2')).reservation).toMatchObject({ kind: 'held', holder: 'alice' });
  const held = after.core.callNodeMethod(nodeCall('exclusive', { node: 'n2', lockWait: 0 }));
  await expect(held).rejects.toMatchObject({ kind: 'node_locked', lock: { holder: 'alice' } });
  const call = after.core.callNodeMethod(nodeCall('exclusive'));
  const { task, finish } = await after.hardware.call(0);
  fences.push(task.fence as number);
  finish(null);
  await call;
  expect(fences).toEqual([...fences].sort((a, b) => a - b));
  expect(new Set(fences).size).toBe(fences.length);
  expect((await after.core.nodes.unlock('n2', operator)).reservation).toBeNull();
  expect((await (await startCoreOn(store, 'host-a')).core.nodes.get('n2')).reservation).toBeNull();
});

test('of two concurrent unlocks one releases the node, and a waiting call gets it', async () => {
  const { core, store, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000 });
  await core.nodes.lock('n1', { holder: 'alice', lockWait: 0, caller: operator, signal: signal() });
  const waiting = core.callNodeMethod(nodeCall('exclusive', { lockWait: 30_000 }));
  const end = vi.spyOn(store, 'endHold');
  await Promise.all([core.nodes.unlock('n1', operator), core.nodes.unlock('n1', operator)]);
  (await hardware.call(0)).finish('after it');
  expect(await waiting).toMatchObject({ result: 'after it' });
  const ended = await Promise.all(end.mock.results.map(({ value }) => value));
  expect(ended.filter(Boolean)).toHaveLength(1);
});

test('a removed node cannot be called, even by a caller that had read it before', async () => {
  const { core, hardware } = await startCore(['n1'], { lockedRetryInterval: 60_000 });
  const running = core.callNodeMethod(nodeCall('exclusive'));
  const { finish } = await hardware.call(0);
  const removal = core.nodes.delete('n1', operator, signal());
  // Waits in line behind the removal.
  await turn();
  const late = core.callNodeMethod(nodeCall('exclusive', { lockWait: 30_000 }));
  finish(null);
  await Promise.all([running, removal]);
  await expect(late).rejects.toMatchObject({ kind: 'node_not_found' });
  expect(hardware.calls).toHaveLength(1);
});

test('a hold that ran out and was ended in the store before its taker knew of it does not keep the node', async () => {
  const { core, store, hardware } = await startCore();
  const { acquire } = store;
  vi.spyOn(store, 'acquire').mockImplementationOnce(async (...args) => {
    const acquired = await acquire(...args);
    await vi.waitUntil(async () => (await store.endOverdueHolds()).length > 0, { interval: 5, timeout: 30_000 });
    return acquired;
  });
  const request = { holder: 'alice', lockWait: 0, caller: operator, signal: signal(), duration: 1 };
  const { node } = await core.nodes.lock('n1', request);
  const call = core.callNodeMethod(nodeCall('exclusive', { lockWait: 0 }));
  (await hardware.call(0)).finish('free');
  expect(await call).toMatchObject({ result: 'free' });
  expect((await core.nodes.get(node.uuid)).reservation).toBeNull();
});
