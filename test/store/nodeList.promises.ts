import { describe, expect, test } from 'vitest';
import type { NodeQuery, NodeSortKey, Store, StoredNode } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { enrol, reserve, update } from './samples.ts';

const SORT_KEYS: NodeSortKey[] = [
  'id',
  'uuid',
  'name',
  'driver',
  'createTime',
  'updateTime',
  'maintenance',
  'vendorInterface',
  'description',
  'maintenanceReason',
  'lastError',
  'holder',
  'attributes.owner',
  'attributes.retired',
];

const FIRST_PAGE: NodeQuery = { limit: 100, marker: null, sortKey: 'id', sortDirection: 'asc' };

export function nodeListPromises(opened: Opened): void {
  describe('lists of nodes', () => {
    test.each(SORT_KEYS.flatMap((key) => [[key, 'asc'] as const, [key, 'desc'] as const]))(
      'pages by %s %s return every node once, in order, nulls first when ascending',
      async (sortKey, sortDirection) => {
        const { store } = opened();
        const expected = ordered(await enrolVariety(store), sortKey, sortDirection);
        for (const limit of [1, 2, 5, 100]) {
          const walked: StoredNode[] = [];
          let page: StoredNode[] | null = null;
          do {
            const marker: string | null = walked.at(-1)?.uuid ?? null;
            page = await store.listNodes({ limit, marker, sortKey, sortDirection });
            expect(page!.length).toBeLessThanOrEqual(limit);
            walked.push(...page!);
          } while (page!.length === limit && walked.length <= expected.length);
          expect(walked.map((node) => node.uuid)).toEqual(expected);
        }
      },
    );

    test('strings sort by code point, in any locale of the database', async () => {
      const { store } = opened();
      const names = ['B', 'Node-1', '_x', 'a', 'a-b', 'a.b', 'aB', 'a_b', 'b', 'node-1', 'node-10', 'node-2', '~'];
      for (const name of names.toReversed()) await enrol(store, { name });
      const list = async (marker: string | null) =>
        (await store.listNodes({ limit: 100, marker, sortKey: 'name', sortDirection: 'asc' }))!;
      const all = await list(null);
      expect(all.map((node) => node.name)).toEqual(names);
      expect((await list(all[4]!.uuid)).map((node) => node.name)).toEqual(names.slice(5));
    });

    test('a page with a bound in bytes has the same nodes, or none when they take more together', async () => {
      const { store } = opened();
      for (const driver of ['redfish', 'ipmi', 'redfish', 'ipmi', 'redfish']) {
        await enrol(store, { driver, vendorInterface: driver, extra: { text: 'x'.repeat(10_000) } });
      }
      for (const query of [
        ...(['id', 'uuid', 'createTime'] as const).map((sortKey) => ({ ...FIRST_PAGE, sortKey })),
        ...['redfish', 'ipmi'].map((driver) => ({ ...FIRST_PAGE, driver })),
      ]) {
        const all = (await store.listNodes(query))!;
        expect(all.length).toBeGreaterThan(1);
        expect(await store.listNodes({ ...query, within: 100_000 })).toEqual(all);
        expect(await store.listNodes({ ...query, within: 19_000 })).toEqual([]);
        expect(await store.listNodes({ ...query, within: 19_000, limit: 1 })).toEqual(all.slice(0, 1));
        const marker = all[0]!.uuid;
        expect(await store.listNodes({ ...query, within: 100_000, marker })).toEqual(all.slice(1));
      }
    });

    test('returns null for an unknown marker', async () => {
      const { store } = opened();
      await enrol(store);
      const marker = 'b9a3b6a8-0000-4000-8000-000000000000';
      expect(await store.listNodes({ ...FIRST_PAGE, marker })).toBeNull();
    });

    test('filters by driver, vendor interface and maintenance', async () => {
      const { store } = opened();
      const first = await enrol(store, { driver: 'redfish', vendorInterface: 'no-vendor', maintenance: true });
      const second = await enrol(store, { driver: 'ipmi', vendorInterface: 'ipmitool' });
      const find = async (query: Partial<NodeQuery>) => uuids(await store.listNodes({ ...FIRST_PAGE, ...query }));
      expect(await find({ driver: 'redfish' })).toEqual([first.uuid]);
      expect(await find({ driver: 'Redfish' })).toEqual([]);
      expect(await find({ vendorInterface: 'ipmitool' })).toEqual([second.uuid]);
      expect(await find({ maintenance: true })).toEqual([first.uuid]);
      expect(await find({ maintenance: false })).toEqual([second.uuid]);
      expect(await find({ marker: first.uuid, driver: 'redfish' })).toEqual([]);
      expect(await find({ marker: first.uuid, driver: 'ipmi' })).toEqual([second.uuid]);
    });

    test('filters by an equal attribute of any scalar type', async () => {
      const { store } = opened();
      const none = await enrol(store);
      const x = await enrol(store, { attributes: { owner: 'x', size: 1 } });
      const y = await enrol(store, { attributes: { owner: 'y', size: '1', lessee: 'x', long: 'z'.repeat(10_000) } });
      const find = async (attributes: NodeQuery['attributes']) =>
        uuids(await store.listNodes({ ...FIRST_PAGE, attributes }));
      expect(await find({ owner: 'x' })).toEqual([x.uuid]);
      expect(await find({ owner: 'x', size: 1 })).toEqual([x.uuid]);
      expect(await find({ owner: 'x', size: '1' })).toEqual([]);
      expect(await find({ size: '1' })).toEqual([y.uuid]);
      expect(await find({ long: 'z'.repeat(10_000) })).toEqual([y.uuid]);
      expect(await find({ owner: "x' or '1'='1" })).toEqual([]);
      expect(await find({ owner: null })).toEqual([none.uuid]);
      expect(await find({})).toEqual([none.uuid, x.uuid, y.uuid]);
    });

    test('filters by the presence of an attribute, and by any of several', async () => {
      const { store } = opened();
      const none = await enrol(store, { attributes: { instance_info: { owner: 'x' } } });
      const owned = await enrol(store, { attributes: { owner: 'x', instance_uuid: 'i' } });
      const leased = await enrol(store, { attributes: { owner: 'y', lessee: 'x' } });
      const both = await enrol(store, { attributes: { owner: 'x', lessee: 'x', retired: 'x' } });
      const find = async (query: Partial<NodeQuery>) => uuids(await store.listNodes({ ...FIRST_PAGE, ...query }));
      expect(await find({ hasAttribute: { instance_uuid: true } })).toEqual([owned.uuid]);
      expect(await find({ hasAttribute: { instance_uuid: false } })).toEqual([none.uuid, leased.uuid, both.uuid]);
      expect(await find({ hasAttribute: { owner: true, lessee: false } })).toEqual([owned.uuid]);
      expect(await find({ hasAttribute: { instance_info: true } })).toEqual([]);
      const project = (value: string) => ({ anyAttribute: { names: ['owner', 'lessee'], value } });
      expect(await find(project('x'))).toEqual([owned.uuid, leased.uuid, both.uuid]);
      expect(await find({ ...project('x'), limit: 2, sortDirection: 'desc' })).toEqual([both.uuid, leased.uuid]);
      expect(await find({ ...project('x'), marker: owned.uuid, attributes: { owner: 'y' } })).toEqual([leased.uuid]);
      expect(await find(project('z'))).toEqual([]);
    });

    test.each([
      ['RACK', ['in Rack 1']],
      ['rack', ['in Rack 1']],
      ['größe', ['Größe 2']],
      ['%', ['100%_']],
      ['_', ['100%_']],
      ["' or 1=1 --", []],
      ['', ['in Rack 1', 'Größe 2', '100%_', null]],
    ])('a node is found by a part of its description, %j, ignoring case', async (descriptionContains, expected) => {
      const { store } = opened();
      for (const description of ['in Rack 1', 'Größe 2', '100%_', null]) await enrol(store, { description });
      const found = await store.listNodes({ ...FIRST_PAGE, descriptionContains });
      expect(found!.map(({ description }) => description)).toEqual(expected);
    });

    test('filters by the attributes after an update', async () => {
      const { store } = opened();
      const node = await enrol(store, { attributes: { owner: 'x', lessee: 'l' } });
      await update(store, node.uuid, { attributes: { owner: 'y' } }, new Date());
      const find = async (attributes: NodeQuery['attributes']) =>
        uuids(await store.listNodes({ ...FIRST_PAGE, attributes }));
      expect(await find({ owner: 'x' })).toEqual([]);
      expect(await find({ owner: 'y' })).toEqual([node.uuid]);
      expect(await find({ lessee: null })).toEqual([node.uuid]);
    });
  });
}

/** Enrols nodes with equal, different and null values of the sort keys, and returns them in order of enrolment. */
async function enrolVariety(store: Store): Promise<StoredNode[]> {
  const nodes: StoredNode[] = [];
  for (let index = 0; index < 12; index++) {
    const node = await enrol(store, {
      name: index % 3 === 0 ? null : `node-${(index * 7) % 12}`,
      driver: `driver-${index % 2}`,
      vendorInterface: `vendor-${index % 4}`,
      maintenance: index % 5 === 0,
      maintenanceReason: index % 4 === 0 ? null : `reason-${index % 3}`,
      description: index % 3 === 1 ? null : `description-${(index * 5) % 7}`,
      attributes: {
        ...(index % 3 === 0 ? {} : { owner: `owner-${(index * 7) % 5}` }),
        ...(index % 4 === 0 ? { retired: true } : {}),
        // An object, which has no place in any order.
        instance_info: { secret: `s-${index}` },
      },
      createTime: new Date(1_700_000_000_000 + (index % 3) * 1000),
    });
    const updated = index % 2 === 0 ? null : await update(store, node.uuid, {}, new Date(1_800_000_000_000 - index));
    if (index % 4 === 1) await reserve(store, node.uuid, { kind: 'held', holder: `holder-${index % 3}` });
    nodes.push({
      ...((updated as StoredNode | null) ?? node),
      reservation: (await store.getNodeByUuid(node.uuid))!.reservation,
    });
  }
  return nodes;
}

/** Returns what a node is sorted by for a key other than `id`. */
function sortedValue(node: StoredNode, key: Exclude<NodeSortKey, 'id'>) {
  if (key === 'holder') return node.reservation?.holder ?? null;
  if (!(key in node)) return (node.attributes[key.replace('attributes.', '')] ?? null) as string | boolean | null;
  return node[key as keyof StoredNode] as string | boolean | Date | null;
}

/** Sorts `nodes`, which are in order of enrolment, as the list does, and returns their UUIDs. */
function ordered(nodes: StoredNode[], key: NodeSortKey, direction: 'asc' | 'desc'): string[] {
  const value = (node: StoredNode) => (key === 'id' ? 0 : sortedValue(node, key));
  const ascending = nodes
    .map((node, index) => ({ uuid: node.uuid, index, value: value(node) }))
    .sort((a, b) => {
      if (a.value === b.value || Number(a.value) === Number(b.value)) return a.index - b.index;
      if (a.value === null) return -1;
      if (b.value === null) return 1;
      return a.value < b.value ? -1 : 1;
    })
    .map((entry) => entry.uuid);
  return direction === 'asc' ? ascending : ascending.reverse();
}

function uuids(nodes: StoredNode[] | null): string[] {
  return nodes!.map((node) => node.uuid);
}
