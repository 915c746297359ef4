import { describe, expect, test } from 'vitest';
import type { Store } from '../../src/core/store.ts';
import { openMemoryStore, operator, startCoreOn } from './harness.ts';

const never = new AbortController().signal;

/** Counts the nodes that a store reads, and lets a test hold up what a read returns. */
function watchReads(store: Store) {
  const reads = { count: 0, wait: Promise.resolve() };
  for (const name of ['getNodeByUuid', 'getNodeByName'] as const) {
    const read = store[name].bind(store);
    store[name] = async (ident) => {
      reads.count++;
      const { wait } = reads;
      const node = await read(ident);
      await wait;
      return node;
    };
  }
  return reads;
}

async function start(shared: boolean) {
  const store = await openMemoryStore(shared);
  const reads = watchReads(store);
  const { core } = await startCoreOn(store, 'host-a');
  const { uuid } = await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const list = async (ident: string) => (await core.listNodeMethods(ident)).map(({ name }) => name);
  const setInterface = (vendorInterface: string) =>
    core.nodes.update('n1', () => ({ vendorInterface }), operator, never);
  return { core, reads, uuid, list, setInterface };
}

describe('the methods of a node', () => {
  test('are listed without reading a node again that only this process changes', async () => {
    const { reads, uuid, list } = await start(false);
    const first = await list(uuid);
    const { count } = reads;
    expect([await list(uuid), await list('n1')]).toEqual([first, first]);
    expect(reads.count).toBe(count);
  });

  test('are listed by what a shared store has: another process may have changed the node', async () => {
    const { reads, uuid, list } = await start(true);
    await list(uuid);
    const { count } = reads;
    await list(uuid);
    expect(reads.count).toBe(count + 1);
  });

  test('are those of its new vendor interface after a change', async () => {
    const { list, setInterface } = await start(false);
    expect(await list('n1')).toContain('exclusive');
    await setInterface('no-vendor');
    expect(await list('n1')).toEqual([]);
    await setInterface('gated');
    expect(await list('n1')).toContain('exclusive');
  });

  test('are those of its new vendor interface after a change that overtook a read', async () => {
    const { reads, list, setInterface } = await start(false);
    const gate = Promise.withResolvers<void>();
    reads.wait = gate.promise;
    const overtaken = list('n1');
    reads.wait = Promise.resolve();
    await setInterface('no-vendor');
    gate.resolve();
    expect(await overtaken).toContain('exclusive');
    expect(await list('n1')).toEqual([]);
  });

  test('are not listed by a name that the node no longer has, nor of a node that is gone', async () => {
    const { core, uuid, list } = await start(false);
    await list('n1');
    await core.nodes.update('n1', () => ({ name: 'n2' }), operator, never);
    await expect(list('n1')).rejects.toMatchObject({ kind: 'node_not_found' });
    await list('n2');
    await core.nodes.delete('n2', operator, never);
    await expect(list(uuid)).rejects.toMatchObject({ kind: 'node_not_found' });
  });
});
