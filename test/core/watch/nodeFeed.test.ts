import { expect, test } from 'vitest';
import type { Locks } from '../../../src/core/locks/locks.ts';
import type { Store } from '../../../src/core/store.ts';
import type { NodeChange } from '../../../src/core/watch/changeStore.ts';
import { NodeFeed } from '../../../src/core/watch/nodeFeed.ts';

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
    changeBounds: async () => ({ log: '0', floor: 0, last: 2 }),
  } as unknown as Store;
  const locks = { readAll: (read: () => Promise<unknown>) => read() } as unknown as Locks;
  const [enrolled, removed] = (await new NodeFeed(store, locks).read(0)) ?? [];
  expect(enrolled?.after).toEqual(logged);
  expect(enrolled?.after).not.toBe(logged);
  expect(removed?.before).not.toBe(logged);
});
