import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/core/json.ts';
import type { Opened } from './promises.ts';
import { accept, enrol, reserve, sampleNode, sampleReservation, update } from './samples.ts';

const CHANGED = new Date('2026-02-03T04:05:06.007Z');

export function nodePromises(opened: Opened): void {
  describe('nodes', () => {
    test('returns an enrolled node by UUID and by name, free and never changed', async () => {
      const { store } = opened();
      const given = sampleNode({
        name: 'node-1',
        driver: 'redfish',
        vendorInterface: 'redfish',
        driverInfo: { redfish_address: 'https://bmc.example', redfish_password: 'p"w\'d\\', redfish_verify_ca: false },
        extra: { deep: [1, -2.5e300, { ünïcode: '🦊 \u0000 \ud800', none: null }] },
        properties: { cpus: 8 },
        attributes: { owner: 'x', instance_info: { a: [1] }, resource_class: null },
        description: 'rack 3\nunit "7"',
        maintenance: true,
        maintenanceReason: "it's broken; drop table nodes",
      });
      const expected = { ...given, lastError: null, reservation: null, updateTime: null, fence: 0 };
      expect(await store.createNode(given)).toEqual(expected);
      expect(await store.getNodeByUuid(given.uuid)).toEqual(expected);
      expect(await store.getNodeByName('node-1')).toEqual(expected);
      expect(await (await opened().reopen()).getNodeByUuid(given.uuid)).toEqual(expected);
    });

    test('keeps a member named __proto__ without changing a prototype', async () => {
      const { store } = opened();
      const extra: JsonObject = JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1}');
      const node = await enrol(store, { extra, attributes: JSON.parse('{"__proto__": "x"}') });
      expect(Object.keys(node.extra)).toEqual(['__proto__', 'constructor']);
      expect(JSON.stringify(node.extra)).toBe(JSON.stringify(extra));
      expect(({} as JsonObject).polluted).toBeUndefined();
      expect(node.extra.polluted).toBeUndefined();
    });

    test('callers may modify a returned node', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store, { extra: { list: [1] } });
      const first = await store.getNodeByUuid(uuid);
      (first!.extra.list as number[]).push(2);
      first!.createTime.setFullYear(1999);
      const second = await store.getNodeByUuid(uuid);
      expect(second!.extra).toEqual({ list: [1] });
      expect(second!.createTime.getUTCFullYear()).toBe(2026);
    });

    test('returns null for an unknown node; names are case-sensitive', async () => {
      const { store } = opened();
      await enrol(store, { name: 'node-1' });
      expect(await store.getNodeByUuid('b9a3b6a8-0000-4000-8000-000000000000')).toBeNull();
      expect(await store.getNodeByName('NODE-1')).toBeNull();
      expect(await store.getNodeByName('')).toBeNull();
    });

    test('reports a UUID or name that is taken, and stores nothing', async () => {
      const { store } = opened();
      const first = await enrol(store, { name: 'node-1' });
      expect(await store.createNode(sampleNode({ uuid: first.uuid, attributes: { owner: 'y' } }))).toEqual({
        taken: 'uuid',
      });
      expect(await store.createNode(sampleNode({ name: 'node-1', attributes: { owner: 'y' } }))).toEqual({
        taken: 'name',
      });
      expect(await store.createNode(sampleNode({ uuid: first.uuid, name: 'node-1' }))).toEqual({ taken: 'uuid' });
      const all = await store.listNodes({ limit: 10, marker: null, sortKey: 'id', sortDirection: 'asc' });
      expect(all).toEqual([first]);
    });

    test('exactly one of many concurrent enrolments of a name succeeds', async () => {
      const { store } = opened();
      const created = await Promise.all(
        Array.from({ length: 20 }, () => store.createNode(sampleNode({ name: 'node-1' }))),
      );
      expect(created.filter((node) => !('taken' in node))).toHaveLength(1);
      expect(created.filter((node) => 'taken' in node && node.taken === 'name')).toHaveLength(19);
    });

    test('nodes without a name do not conflict', async () => {
      const { store } = opened();
      const first = await enrol(store);
      const second = await enrol(store);
      expect([first.name, second.name]).toEqual([null, null]);
    });

    test('an update changes the given fields alone', async () => {
      const { store } = opened();
      const node = await enrol(store, { name: 'node-1', extra: { a: 1 }, attributes: { owner: 'x' } });
      const renamed = await update(store, node.uuid, { name: 'node-2', extra: undefined }, CHANGED);
      expect(renamed).toEqual({
        ...node,
        name: 'node-2',
        updateTime: CHANGED,
        fence: 1,
        reservation: sampleReservation(),
      });
      const all = {
        name: null,
        driver: 'ipmi',
        vendorInterface: 'ipmitool',
        driverInfo: { ipmi_address: '192.0.2.1' },
        extra: { b: 2 },
        properties: { c: 3 },
        description: 'd',
        maintenance: true,
        maintenanceReason: 'e',
        attributes: { lessee: 'f' },
      };
      const later = new Date(CHANGED.getTime() + 1);
      const expected = { ...node, ...all, updateTime: later, fence: 2 };
      expect(await update(store, node.uuid, all, later)).toEqual({ ...expected, reservation: sampleReservation() });
      expect(await store.getNodeByUuid(node.uuid)).toEqual(expected);
      expect(await store.getNodeByName('node-1')).toBeNull();
    });

    test('an update keeps the reservation and the last error', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store);
      const fence = await reserve(store, uuid);
      const updated = await store.updateNode(uuid, fence, { description: 'new' }, CHANGED);
      expect(updated).toMatchObject({ fence, reservation: sampleReservation() });
    });

    test('reports a rename to a name that is taken, and changes nothing', async () => {
      const { store } = opened();
      await enrol(store, { name: 'node-1' });
      const node = await enrol(store, { name: 'node-2', attributes: { owner: 'x' } });
      const renamed = await update(store, node.uuid, { name: 'node-1', attributes: { owner: 'y' } }, CHANGED);
      expect(renamed).toEqual({ taken: 'name' });
      expect(await store.getNodeByUuid(node.uuid)).toEqual({ ...node, fence: 1 });
    });

    test('a node may be renamed to its own name', async () => {
      const { store } = opened();
      const node = await enrol(store, { name: 'node-1' });
      expect(await update(store, node.uuid, { name: 'node-1' }, CHANGED)).toMatchObject({ name: 'node-1' });
    });

    test('an update or removal with an outdated fence, or of an unknown node, changes nothing', async () => {
      const { store } = opened();
      const unknown = 'b9a3b6a8-0000-4000-8000-000000000000';
      const changes = { name: 'late', attributes: { owner: 'x' } };
      expect(await store.updateNode(unknown, 0, changes, CHANGED)).toBeNull();
      expect(await store.deleteNode(unknown, 0)).toBe(false);
      const node = await enrol(store);
      const fence = await reserve(store, node.uuid);
      for (const other of [fence - 1, fence + 1]) {
        expect(await store.updateNode(node.uuid, other, changes, CHANGED)).toBeNull();
        expect(await store.deleteNode(node.uuid, other)).toBe(false);
      }
      await store.release(node.uuid, fence);
      expect(await store.updateNode(node.uuid, fence, changes, CHANGED)).toBeNull();
      expect(await store.deleteNode(node.uuid, fence)).toBe(false);
      expect(await store.getNodeByUuid(node.uuid)).toEqual({ ...node, fence });
    });

    test('deleting a node removes its reservation but not its jobs', async () => {
      const { store } = opened();
      const { uuid } = await enrol(store, { name: 'node-1', attributes: { owner: 'x' } });
      const fence = await reserve(store, uuid);
      const job = await accept(store, 1, { nodeUuid: uuid, nodeName: 'node-1' });
      expect(await store.deleteNode(uuid, fence)).toBe(true);
      expect(await store.deleteNode(uuid, fence)).toBe(false);
      expect(await store.getNodeByName('node-1')).toBeNull();
      expect(await store.acquire(uuid, sampleReservation(), 'process-1')).toEqual({ outcome: 'missing' });
      expect(await store.getJob(job.id)).toEqual(job);
      expect(await store.listJobs({ limit: 10, olderThan: null, nodeUuid: uuid })).toEqual([job]);
      expect(await enrol(store, { uuid, name: 'node-1' })).toMatchObject({ fence: 0, reservation: null });
    });
  });

  describe('the store itself', () => {
    test('works until it is closed; every later step fails with that reason', async () => {
      const { store } = opened();
      await store.ping();
      const running = [enrol(store), enrol(store)];
      await store.close();
      await store.close();
      await Promise.all(running);
      const closed = { name: 'PassthruError', kind: 'store_unavailable', message: 'The store is closed' };
      await expect(store.ping()).rejects.toMatchObject(closed);
      await expect(store.getNodeByName('node-1')).rejects.toMatchObject(closed);
      await expect(store.createNode(sampleNode())).rejects.toMatchObject(closed);
      expect(
        await (await opened().reopen()).listNodes({ limit: 9, marker: null, sortKey: 'id', sortDirection: 'asc' }),
      ).toHaveLength(2);
    });
  });
}
