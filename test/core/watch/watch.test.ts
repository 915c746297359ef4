import { afterEach, describe, expect, test } from 'vitest';
import type { Caller } from '../../../src/core/caller.ts';
import type { Core, JobsWatch } from '../../../src/core/core.ts';
import type { Node } from '../../../src/core/node.ts';
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

  test('is told only of the nodes that its filter selects, and of one that leaves them', async () => {
    started = await startCore(['a', 'b', 'c']);
    const { core } = started;
    const node = watchNodes(core, { nodes: ['a', 'a'] });
    const driver = watchNodes(core, { driver: 'gated' });
    const none = watchNodes(core, { driver: 'other' });
    await Promise.all([node.current(), driver.current(), none.current()]);
    expect([words(node.events), words(none.events)]).toEqual([['a free', 'CURRENT'], ['CURRENT']]);
    const { uuid } = await core.nodes.get('b');
    await hold(core, 'a');
    await core.nodes.delete('b', operator, signal);
    await driver.until((events) => events.at(-1)?.kind === 'removed');
    expect(words(node.events.slice(2))).toEqual(['a held', 'a free']);
    expect(driver.events.at(-1)).toMatchObject({ kind: 'removed', uuid });
    expect(none.events).toHaveLength(1);
    await Promise.all([node.stop(), driver.stop(), none.stop()]);
  });

  test('that resumes by a cursor is told what it missed, once and as it was', async () => {
    started = await startCore(['a', 'b']);
    const { core } = started;
    const first = watchNodes(core);
    await first.current();
    await hold(core, 'a');
    await first.until((events) => events.length >= 5);
    const { cursor } = first;
    await core.nodes.update('b', () => ({ description: 'new' }), operator, signal);
    await hold(core, 'a');
    await first.until((events) => events.length === 10);
    const second = watchNodes(core, { cursor });
    await second.until((events) => events.length === 5);
    expect(second.events).toEqual(first.events.slice(5));
    expect(words(second.events)).toEqual(['b update', 'b update  new', 'b free  new', 'a held', 'a free']);
    await Promise.all([first.stop(), second.stop()]);
  });

  test('that reads slowly while more changes than is kept in memory is told to start again', async () => {
    started = await startCore(['a']);
    const { core } = started;
    const slow = watchNodes(core);
    const cursor = (await slow.current()) && slow.cursor;
    slow.slowDown();
    await hold(core, 'a');
    // The log keeps the content before each change; about 16 MiB of it.
    for (let count = 0; count < 20; count++) {
      await core.nodes.update('a', () => ({ extra: { long: 'x'.repeat(1_000_000), count } }), operator, signal);
    }
    slow.hurry();
    const late = watchNodes(core, { cursor });
    for (const watcher of [slow, late]) {
      await watcher.until((events) => words(events).join().includes('RESET,a free,CURRENT'));
      expect(words(watcher.events).slice(-3)).toEqual(['RESET', 'a free', 'CURRENT']);
      const { item } = watcher.events.at(-2) as { item: Node };
      expect(item.extra.count).toBe(19);
    }
    await Promise.all([slow.stop(), late.stop()]);
  });
});

/** Locks a node and unlocks it: two changes. */
async function hold(core: Core, node: string): Promise<void> {
  await core.nodes.lock(node, { holder: null, lockWait: 0, caller: operator, signal });
  await core.nodes.unlock(node, operator);
}

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

  test('is told only of the jobs that its filter selects', async () => {
    started = await startCore(['a', 'b']);
    const { core, hardware } = started;
    const other: Caller = { name: 'other', role: 'admin' };
    const filters: Partial<JobsWatch>[] = [
      { nodes: ['b'] },
      { driver: 'gated' },
      { driver: 'other' },
      { state: 'failed' },
      { requestedBy: 'other' },
      { nodes: ['b'], state: 'succeeded' },
    ];
    const watchers = [{}, ...filters].map((filter) => watchJobs(core, filter));
    await Promise.all(watchers.map((watcher) => watcher.current()));
    await startJob(core, nodeCall('work', { node: 'a' }));
    await startJob(core, nodeCall('work', { node: 'b', caller: other }));
    (await hardware.call(0)).fail(new Error('broken'));
    (await hardware.call(1)).finish(null);
    await watchers[0]!.until((events) => events.length === 5);
    await new Promise(setImmediate);
    const told = watchers.map(({ events }) =>
      words(events.slice(1))
        .map((word) => word.replace('work ', ''))
        .sort(),
    );
    const all = ['1 running', '1 running', '2 failed', '2 succeeded'];
    const ofB = ['1 running', '2 succeeded'];
    expect(told).toEqual([all, ofB, all, [], ['2 failed'], ofB, ['2 succeeded']]);
    await Promise.all(watchers.map((watcher) => watcher.stop()));
  });

  test('whose cursor is too old is told so, then the current state', async () => {
    started = await startCore(['a']);
    const { core, store, hardware } = started;
    const first = watchJobs(core);
    await first.current();
    const { cursor } = first;
    const { id } = await startJob(core, nodeCall('work', { node: 'a' }));
    (await hardware.call(0)).finish(null);
    await first.until((events) => events.length === 3);
    await store.removeChanges('job', new Date(Date.now() + 1000), 1000, 1);
    const late = watchJobs(core, { cursor });
    await late.current();
    expect(words(late.events)).toEqual(['RESET', 'work 2 succeeded', 'CURRENT']);
    // What it was told before it knows from the same place.
    const [begun] = first.events.slice(1);
    const known = watchJobs(core, { cursor: begun!.cursor });
    await known.until((events) => events.length === 1);
    expect(words(known.events)).toEqual(['work 2 succeeded']);
    expect(known.events).toEqual(first.events.slice(2));
    expect(id).toBeDefined();
    await Promise.all([first.stop(), late.stop(), known.stop()]);
  });

  test('whose cursor is before the changes of a job that was removed is told to start again', async () => {
    started = await startCore(['a']);
    const { core, store, hardware } = started;
    const first = watchJobs(core);
    await first.current();
    const { cursor } = first;
    await startJob(core, nodeCall('work', { node: 'a' }));
    (await hardware.call(0)).finish(null);
    await first.until((events) => events.length === 3);
    // Nobody has them in memory any more.
    await first.stop();
    await store.removeEndedJobs({ endTime: new Date(Date.now() + 1000), id: '' }, 10);
    const late = watchJobs(core, { cursor });
    await late.current();
    expect(words(late.events)).toEqual(['RESET', 'CURRENT']);
    await late.stop();
  });
});
