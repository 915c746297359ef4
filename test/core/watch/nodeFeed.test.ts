import { afterEach, expect, test } from 'vitest';
import type { Locks } from '../../../src/core/locks/locks.ts';
import type { Store } from '../../../src/core/store.ts';
import type { NodeChange } from '../../../src/core/watch/changeStore.ts';
import { NodeFeed } from '../../../src/core/watch/nodeFeed.ts';
import { operator, startCore, type TestCore } from '../harness.ts';

/** Reads without locks. */
const LOCKS = { readAll: (read: () => Promise<unknown>) => read() } as unknown as Locks;

let started: TestCore | null = null;

afterEach(async () => {
  await started?.core.shutdown(0);
  await started?.store.close();
  started = null;
});

/** Enrols five nodes of about 900 kB, and gives each a new description. Returns the position before. */
async function changeLongNodes(): Promise<number> {
  const names = ['a', 'b', 'c', 'd', 'e'];
  started = await startCore([]);
  const { core, store } = started;
  const after = (await store.changeBounds('node')).last;
  for (const name of names) {
    await core.nodes.create({ name, driver: 'gated', extra: { long: 'x'.repeat(900_000) } }, operator);
  }
  for (const name of names) {
    await core.nodes.update(name, () => ({ description: 'new' }), operator, new AbortController().signal);
  }
  return after;
}

/** Reads all changes after `after`, and counts those of each read. */
async function readAll(store: Store, after: number) {
  const feed = new NodeFeed(store, LOCKS);
  const sizes: number[] = [];
  const descriptions: (string | null | undefined)[] = [];
  for (let at = after; ; ) {
    const changes = (await feed.read(at)) ?? [];
    if (changes.length === 0) return { sizes, descriptions };
    sizes.push(new Set(changes.map(({ uuid }) => uuid)).size);
    descriptions.push(...changes.map((change) => change.after?.description));
    at = changes.at(-1)!.position;
  }
}

test('long nodes are read a few at once', async () => {
  const after = await changeLongNodes();
  const { sizes, descriptions } = await readAll(started!.store, after);
  expect(Math.max(...sizes)).toBe(2);
  expect(descriptions.filter((description) => description === null)).toHaveLength(10);
  expect(descriptions.filter((description) => description === 'new')).toHaveLength(10);
});

test('fewer changes are read when what follows them is too large', async () => {
  const after = await changeLongNodes();
  const { store } = started!;
  const refusing = Object.assign(Object.create(store), {
    nextNodeChanges: async (changes: readonly NodeChange[]) =>
      changes.length > 1 ? null : store.nextNodeChanges(changes),
  });
  const { sizes, descriptions } = await readAll(refusing, after);
  expect(sizes).toHaveLength(20);
  expect(descriptions).toEqual((await readAll(store, after)).descriptions);
});

test('tells copies of the nodes in the log, which keeps them longer than what watchers derive from them', async () => {
  const logged = { uuid: 'u', description: 'removed since' };
  const changes = [
    { position: 1, order: 1, nodeUuid: 'u', part: 'existence', before: null },
    { position: 2, order: 2, nodeUuid: 'u', part: 'existence', before: logged },
  ] as unknown as NodeChange[];
  const store = {
    nodeChanges: async () => changes,
    nodesByUuid: async () => [],
    nextNodeChanges: async () => [],
    changeFloor: async () => 0,
    scanNodes: async () => [],
  } as unknown as Store;
  const [enrolled, removed] = (await new NodeFeed(store, LOCKS).read(0)) ?? [];
  expect(enrolled?.after).toEqual(logged);
  expect(enrolled?.after).not.toBe(logged);
  expect(removed?.before).not.toBe(logged);
});
