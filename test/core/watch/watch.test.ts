import { afterEach, describe, expect, test } from 'vitest';
import { nodeCall, operator, startCore, startJob, type TestCore, watchToEnd } from '../harness.ts';
import { watchJobs, watchNodes, words } from './watching.ts';

let started: TestCore;

afterEach(async () => {
  await started.core.shutdown(0);
  await started.store.close();
});

const signal = new AbortController().signal;

describe('a watcher of nodes', () => {
  test('is told the present nodes, then every change in order', async () => {
    started = await startCore(['a', 'b']);
    const { core, hardware } = started;
    const watcher = watchNodes(core);
    expect(words(await watcher.current()).sort()).toEqual(['CURRENT', 'a free', 'b free']);
    const before = watcher.events.length;
    await core.nodes.create({ name: 'c', driver: 'gated' }, operator);
    await core.nodes.update('a', () => ({ description: 'new' }), operator, signal);
    const job = await startJob(core, nodeCall('work', { node: 'b' }));
    (await hardware.call(0)).fail(new Error('broken'));
    await watcher.until((events) => events.some((event) => event.kind === 'item' && event.item.lastError !== null));
    await core.nodes.lock('c', { holder: null, lockWait: 0, caller: operator, signal });
    await core.nodes.unlock('c', operator);
    await core.nodes.delete('c', operator, signal);
    await watcher.until((events) => events.at(-1)?.kind === 'removed');
    expect(job).toBeDefined();
    expect(words(watcher.events.slice(before))).toEqual([
      'c free',
      'a update',
      'a update  new',
      'a free  new',
      'b work',
      'b work+job',
      'b work+job error',
      'b free error',
      'c held',
      'c free',
      'c delete',
      'removed',
    ]);
    await watcher.stop();
  });
});

describe('a watcher of jobs', () => {
  test('is told the present jobs, the oldest first, then every revision', async () => {
    started = await startCore(['a', 'b']);
    const { core, hardware } = started;
    const first = await startJob(core, nodeCall('work', { node: 'a' }));
    (await hardware.call(0)).finish(null);
    await watchToEnd(core, first.id);
    const second = await startJob(core, nodeCall('work', { node: 'b' }));
    const watcher = watchJobs(core);
    await watcher.current();
    expect(watcher.events.map((event) => (event.kind === 'item' ? event.item.id : event.kind))).toEqual([
      first.id,
      second.id,
      'marker',
    ]);
    (await hardware.call(1)).finish(null);
    await watcher.until((events) => events.at(-1)?.kind === 'item');
    expect(words(watcher.events.slice(3))).toEqual(['work 2 succeeded']);
    await watcher.stop();
  });
});
