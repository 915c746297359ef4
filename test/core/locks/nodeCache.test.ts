import { expect, test } from 'vitest';
import { NodeCache } from '../../../src/core/locks/nodeCache.ts';
import type { StoredNode } from '../../../src/core/store.ts';

/** A node of some 1,000 characters of JSON. */
function storedNode(uuid: string, name: string | null = null): StoredNode {
  return { uuid, name, fence: 1, extra: { note: '-'.repeat(900) } } as unknown as StoredNode;
}

test('nodes that fit in a generation stay when they are called in turn, however often', () => {
  const cache = new NodeCache(true, 10_000);
  const nodes = Array.from({ length: 9 }, (_, index) => storedNode(`uuid-${index}`));
  for (let fence = 1; fence <= 10; fence++) {
    for (const node of nodes) {
      cache.keep(node, fence);
      // Content that was read anew between the calls.
      cache.keep(storedNode('uuid-other'), fence);
    }
  }
  for (const node of nodes) expect(cache.get(node.uuid)).toMatchObject({ node, fence: 10 });
});

test('what is kept has a limit, and the nodes called most recently stay', () => {
  const cache = new NodeCache(true, 10_000);
  const called = storedNode('called', 'called-name');
  for (let index = 0; index < 100; index++) {
    cache.keep(storedNode(`uuid-${index}`, `name-${index}`), 1);
    if (index % 5 === 0) cache.keep(called, index);
  }
  const kept = Array.from({ length: 100 }, (_, index) => cache.get(`uuid-${index}`)).filter((node) => node !== null);
  expect(kept.length).toBeGreaterThanOrEqual(9);
  expect(kept.length).toBeLessThanOrEqual(20);
  expect(cache.get('name-0')).toBeNull();
  expect(cache.get('name-99')?.node.uuid).toBe('uuid-99');
  expect(cache.get('called-name')).toMatchObject({ node: called, fence: 95 });
});

test('a forgotten node is gone by its UUID and its name, which another may take', () => {
  const cache = new NodeCache(true, 3000);
  cache.keep(storedNode('a', 'web'), 1);
  for (const uuid of ['b', 'c']) cache.keep(storedNode(uuid), 1);
  cache.forget('a');
  expect([cache.get('a'), cache.get('web')]).toEqual([null, null]);
  cache.keep(storedNode('b', 'web'), 2);
  expect(cache.get('web')).toMatchObject({ node: { uuid: 'b' }, fence: 2 });
  cache.keep(storedNode('a', 'former-web'), 3);
  expect(cache.get('web')?.node.uuid).toBe('b');
});

test('where other processes rename nodes, a node is found by its UUID alone', () => {
  const cache = new NodeCache(false);
  cache.keep(storedNode('a', 'web'), 1);
  expect(cache.get('a')).not.toBeNull();
  expect(cache.get('web')).toBeNull();
});
