import { describe, expect, test } from 'vitest';
import type { NodeQuery } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { enrol, sampleNode, update } from './samples.ts';

const BY_OWNER: NodeQuery = { limit: 100, marker: null, sortKey: 'attributes.owner', sortDirection: 'asc' };

export function nodeAttributesPromises(opened: Opened): void {
  describe('attributes of nodes', () => {
    test('an instance belongs to one node', async () => {
      const { store } = opened();
      const first = await enrol(store, { attributes: { instance_uuid: 'i', owner: 'x' } });
      expect(await store.createNode(sampleNode({ attributes: { instance_uuid: 'i' } }))).toEqual({
        taken: 'instance_uuid',
      });
      const second = await enrol(store, { attributes: { owner: 'x' } });
      const time = new Date();
      const refused = await update(store, second.uuid, { description: 'd', attributes: { instance_uuid: 'i' } }, time);
      expect(refused).toEqual({ taken: 'instance_uuid' });
      // Nothing of the refused change is kept, and no node of the refused enrolment.
      expect(await store.getNodeByUuid(second.uuid)).toMatchObject({ description: null, attributes: { owner: 'x' } });
      expect(await store.listNodes(BY_OWNER)).toHaveLength(2);
      // Its own again, and another node's once it is free.
      expect(await update(store, first.uuid, { attributes: { instance_uuid: 'i' } }, time)).toHaveProperty('uuid');
      await update(store, first.uuid, { attributes: {} }, time);
      expect(await update(store, second.uuid, { attributes: { instance_uuid: 'i' } }, time)).toHaveProperty('uuid');
    });

    test('a removed node frees its instance', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store, { attributes: { instance_uuid: 'i' } });
      expect(await store.deleteNode(uuid, null)).toBe(true);
      expect(await enrol(store, { attributes: { instance_uuid: 'i' } })).toHaveProperty('uuid');
    });

    test('of two nodes that claim one instance at once, one gets it', async () => {
      const { store } = opened();
      const results = await Promise.all(
        Array.from({ length: 8 }, () => store.createNode(sampleNode({ attributes: { instance_uuid: 'i' } }))),
      );
      expect(results.filter((result) => 'uuid' in result)).toHaveLength(1);
    });

    test('a filter takes any of several values, and none of an empty list', async () => {
      const { store } = opened();
      const nodes = [];
      for (const shard of ['a', 'b', 'c']) nodes.push(await enrol(store, { attributes: { shard } }));
      const find = async (shard: string[]) =>
        (await store.listNodes({ ...BY_OWNER, attributes: { shard } }))!.map(({ uuid }) => uuid);
      expect(await find(['a', 'c', 'z'])).toEqual([nodes[0]!.uuid, nodes[2]!.uuid]);
      expect(await find(['z'])).toEqual([]);
      expect(await find([])).toEqual([]);
    });

    test('counts the nodes by the value of an attribute, and those without', async () => {
      const { store, execute } = opened();
      expect(await store.countAttribute('shard')).toEqual([]);
      for (const shard of ['a', 'b', 'a']) await enrol(store, { attributes: { shard, owner: shard } });
      const { uuid } = await enrol(store, { attributes: { shard: 'c' } });
      await enrol(store, { attributes: { owner: 'a' } });
      await update(store, uuid, { attributes: {} }, new Date());
      // As an earlier program stored them.
      await execute('update node_attributes set value = null');
      const counts = await store.countAttribute('shard');
      expect(counts).toHaveLength(3);
      expect(counts).toEqual(
        expect.arrayContaining([
          { value: null, count: 2 },
          { value: 'a', count: 2 },
          { value: 'b', count: 1 },
        ]),
      );
    });

    test('attributes that an earlier program stored without a value to sort by are sorted all the same', async () => {
      const { store, execute } = opened();
      const nodes = [];
      for (const owner of ['c', 'a', 'b']) nodes.push(await enrol(store, { attributes: { owner, retired: true } }));
      await execute('update node_attributes set value = null');
      const found = await store.listNodes(BY_OWNER);
      expect(found!.map(({ uuid }) => uuid)).toEqual([nodes[1]!.uuid, nodes[2]!.uuid, nodes[0]!.uuid]);
    });
  });
}
