import { describe, expect, test } from 'vitest';
import type { Store } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { sampleNode } from './samples.ts';

const NOW = new Date(1_800_000_000_000);
const WISH = {
  transport: 'push' as const,
  selection: {
    registryPrefixes: ['ResourceEvent'],
    messageIds: [],
    resourceTypes: [],
    severities: ['warning' as const],
  },
};

/** Enrols a node with a source. */
async function begin(store: Store, number = 1): Promise<string> {
  const given = { uuid: `${`${number}${number}`.repeat(4)}-0000-4000-8000-000000000000`, name: `node-${number}` };
  const { uuid } = (await store.createNode(sampleNode(given))) as { uuid: string };
  await store.setEventSource(uuid, WISH, NOW);
  return uuid;
}

export function eventSourcePromises(opened: Opened): void {
  describe('event sources', () => {
    test('returns a source as it was set, also after reopening the store', async () => {
      const uuid = await begin(opened().store);
      const source = await opened().store.getEventSource(uuid);
      expect(source).toMatchObject({ ...WISH, nodeUuid: uuid, state: 'pending', generation: 1, createTime: NOW });
      expect(await (await opened().reopen()).getEventSource(uuid)).toEqual(source);
    });

    test('sets no source of a node that does not exist', async () => {
      expect(await opened().store.setEventSource(sampleNode().uuid, WISH, NOW)).toBeNull();
    });

    test('counts each change of the wish', async () => {
      const { store } = opened();
      const uuid = await begin(store);
      expect(await store.setEventSource(uuid, WISH, NOW)).toMatchObject({
        generation: 2,
        revision: 2,
        updateTime: NOW,
      });
    });

    test('gives a source to one conductor, and to another when its lease has ended', async () => {
      const { store } = opened();
      const uuid = await begin(store);
      expect(await store.claimEventSources('process-1', 10)).toBe(1);
      expect(await store.claimEventSources('process-2', 10)).toBe(0);
      expect(await store.getEventSource(uuid)).toMatchObject({ owner: 'host-1' });
      expect(await store.recordEventSource(uuid, 'process-2', 1, { state: 'active' }, NOW)).toBe(false);
      await store.removeConductor('process-1');
      expect(await store.recordEventSource(uuid, 'process-1', 1, { state: 'active' }, NOW)).toBe(false);
      expect(await store.claimEventSources('process-1', 10)).toBe(0);
      expect(await store.claimEventSources('process-2', 10)).toBe(1);
      expect(await store.dueEventSources('process-2', NOW, 10)).toMatchObject([{ nodeUuid: uuid }]);
    });

    test('is due when it was recorded to be, and at once after a change', async () => {
      const { store } = opened();
      const uuid = await begin(store);
      await store.claimEventSources('process-1', 10);
      const due = new Date(NOW.getTime() + 1000);
      const lastTest = { requestTime: NOW, roundTrip: 12, error: null };
      const progress = {
        state: 'active' as const,
        reason: null,
        verifyTime: NOW,
        lastReset: NOW,
        tokenDigest: 'd',
        lastTest,
      };
      expect(await store.recordEventSource(uuid, 'process-1', 1, progress, due)).toBe(true);
      expect(await store.getEventSource(uuid)).toMatchObject({ ...progress, nextVerifyTime: due });
      expect(await store.dueEventSources('process-1', NOW, 10)).toEqual([]);
      expect(await store.dueEventSources('process-1', due, 10)).toHaveLength(1);
      await store.wakeEventSource(uuid);
      expect(await store.dueEventSources('process-1', NOW, 10)).toHaveLength(1);
      // What was found before the change is kept, except what it says about the wish.
      await store.deleteEventSource(uuid, NOW);
      await store.recordEventSource(uuid, 'process-1', 1, { state: 'active', subscription: '/s/1' }, due);
      expect(await store.getEventSource(uuid)).toMatchObject({ state: 'deleting', subscription: '/s/1' });
      expect(await store.dueEventSources('process-1', NOW, 10)).toHaveLength(1);
    });

    test('is found by the digests of its secrets until it is removed', async () => {
      const { store } = opened();
      const uuid = await begin(store);
      await store.claimEventSources('process-1', 10);
      await store.recordEventSource(uuid, 'process-1', 1, { tokenDigest: 'new', previousDigest: 'old' }, NOW);
      const found = { nodeUuid: uuid, digests: ['new', 'old'] };
      expect(await store.findEventSource('new')).toEqual(found);
      expect(await store.findEventSource('old')).toEqual(found);
      expect(await store.findEventSource('other')).toBeNull();
      expect(await store.removeEventSource(uuid, 1)).toBe(false);
      await store.deleteEventSource(uuid, NOW);
      expect(await store.findEventSource('new')).toBeNull();
      const { revision } = (await store.getEventSource(uuid))!;
      expect(await store.removeEventSource(uuid, revision - 1)).toBe(false);
      expect(await store.removeEventSource(uuid, revision)).toBe(true);
      expect(await store.getEventSource(uuid)).toBeNull();
    });

    test('outlives its node, with what it takes to remove its subscription', async () => {
      const { store } = opened();
      const uuid = await begin(store);
      const node = (await store.getNodeByUuid(uuid))!;
      await store.deleteNode(uuid, null);
      const { name, driver, vendorInterface, driverInfo } = node;
      const formerNode = { name, driver, vendorInterface, driverInfo, left: null };
      expect(await store.getEventSource(uuid)).toMatchObject({ state: 'deleting', formerNode, nodeName: null });
      const query = { limit: 10, after: null, state: null, driver: null };
      expect(await store.listEventSources(query)).toEqual([]);
    });

    test('keeps the BMC that its node had before a change, until a pass has left it', async () => {
      const { store } = opened();
      const uuid = await begin(store);
      const { driverInfo } = (await store.getNodeByUuid(uuid))!;
      const change = (bmc: string) => store.updateNode(uuid, null, { driverInfo: { bmc } }, NOW);
      await change('before anything was subscribed to');
      expect(await store.getEventSource(uuid)).toMatchObject({ formerNode: null, revision: 2, nextVerifyTime: null });
      await store.claimEventSources('process-1', 10);
      const made = { tokenDigest: 'digest', subscription: '/1' };
      await store.recordEventSource(uuid, 'process-1', 2, made, NOW);
      await change('b');
      await change('c');
      const left = { subscription: '/1', digests: ['digest'] };
      const formerNode = { driverInfo: { bmc: 'before anything was subscribed to' }, left };
      expect(await store.getEventSource(uuid)).toMatchObject({ formerNode, revision: 4 });
      await store.recordEventSource(uuid, 'process-1', 3, { formerNode: null }, NOW);
      expect(await store.getEventSource(uuid)).toMatchObject({ formerNode });
      await store.recordEventSource(uuid, 'process-1', 4, { formerNode: null }, NOW);
      expect(await store.getEventSource(uuid)).toMatchObject({ formerNode: null });
      expect(driverInfo).not.toEqual({ bmc: 'c' });
    });

    test('lists sources in the order of creation, by state and driver', async () => {
      const { store } = opened();
      const uuids = [await begin(store, 1), await begin(store, 2), await begin(store, 3)];
      const list = async (given: object) => {
        const query = { limit: 2, after: null, state: null, driver: null, ...given };
        return (await store.listEventSources(query))?.map(({ nodeUuid }) => nodeUuid) ?? null;
      };
      expect(await list({})).toEqual(uuids.slice(0, 2));
      expect(await list({ after: uuids[1]! })).toEqual(uuids.slice(2));
      expect(await list({ after: '11111111-1111-4111-8111-111111111111' })).toBeNull();
      expect(await list({ state: 'active' })).toEqual([]);
      expect(await list({ driver: 'another' })).toEqual([]);
      expect(await store.countEventSources()).toEqual([{ state: 'pending', count: 3 }]);
      await store.noteEventsArrived(uuids.slice(1), NOW);
      expect(await store.getEventSource(uuids[2]!)).toMatchObject({ lastEventTime: NOW });
      expect(await store.serviceId()).toMatch(/^[0-9a-f]{16}$/);
    });
  });
}
