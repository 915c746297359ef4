import { describe, expect, test } from 'vitest';
import { type EventRecord, NO_RAW, type StoredEvent } from '../../src/core/events/event.ts';
import { messagePattern } from '../../src/core/events/eventFilter.ts';
import type { EventQuery, NewEvent } from '../../src/core/events/eventStore.ts';
import type { Store } from '../../src/core/store.ts';
import type { Opened } from './promises.ts';
import { enrol } from './samples.ts';

const NODES = ['11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222'] as const;
const EARLIER = new Date(0);
const LATER = new Date('2200-01-01T00:00:00Z');
const HOUR = 3_600_000;

function record(number: number, changes: Partial<EventRecord> = {}): EventRecord {
  return {
    kind: 'record',
    bmcTime: new Date('2026-01-02T03:04:05.678Z'),
    messageId: 'ResourceEvent.1.0.ResourceChanged',
    registry: 'ResourceEvent',
    message: `Event ${number}`,
    messageArgs: [],
    severity: 'ok',
    origin: '/redfish/v1/Systems/1',
    eventType: 'Alert',
    bmcEventId: String(number),
    raw: { EventId: String(number) },
    truncated: false,
    reference: null,
    ...changes,
  };
}

function event(number: number, changes: Partial<EventRecord> = {}, more: Partial<NewEvent> = {}): NewEvent {
  const content = record(number, changes);
  return { nodeUuid: NODES[0], content, digest: null, repeatedWithin: null, ...more };
}

async function add(store: Store, ...events: NewEvent[]): Promise<StoredEvent[]> {
  return (await store.addEvents(events)).filter((stored) => stored !== null);
}

const ALL: EventQuery = {
  nodes: null,
  minSeverity: null,
  messages: null,
  origin: null,
  limit: 1000,
  before: null,
  since: null,
  until: null,
  withRaw: false,
};

/** Returns the numbers of the events on a page. */
async function list(store: Store, query: Partial<EventQuery> = {}): Promise<string[]> {
  const { events } = await store.listEvents({ ...ALL, ...query });
  return events.map(({ content }) => (content.kind === 'gap' ? 'gap' : content.bmcEventId));
}

export function eventPromises(opened: Opened): void {
  describe('events', () => {
    test('are kept as they were given, with the name of their node and the time of the store', async () => {
      const { store } = opened();
      const node = await enrol(store);
      const given = record(1, {
        messageArgs: ['a', 'ü "quoted"'],
        severity: 'critical',
        raw: { Text: 'a\0b\ud800c', Deep: [{ a: null }] },
        message: 'NUL \0 and \ud800',
        truncated: true,
        reference: '/redfish/v1/Log/1',
      });
      const gap = { kind: 'gap' as const, start: EARLIER, end: LATER, message: 'The BMC was away' };
      const before = await store.time();
      const [first, second] = await add(
        store,
        { nodeUuid: node.uuid, content: given, digest: 'a', repeatedWithin: null },
        { nodeUuid: NODES[1], content: gap, digest: null, repeatedWithin: null },
      );
      expect(first).toMatchObject({ nodeUuid: node.uuid, nodeName: node.name });
      expect(first!.receiveTime.getTime()).toBeGreaterThanOrEqual(before);
      expect(first!.receiveTime.getTime()).toBeLessThanOrEqual(await store.time());
      expect(first!.content).toEqual({ ...given, message: 'NUL \ufffd and \ufffd' });
      expect(second).toMatchObject({ nodeUuid: NODES[1], nodeName: null, content: gap });
      expect(second!.position).toBe(first!.position + 1);
      expect(second!.id).not.toBe(first!.id);
      expect((await store.listEvents({ ...ALL, withRaw: true })).events).toEqual([second, first]);
      expect(await store.eventsAbove(0, 10)).toEqual([first, second]);
      const [, withoutRaw] = (await store.listEvents(ALL)).events;
      expect((withoutRaw!.content as EventRecord).raw).toBe(NO_RAW);
      // They outlive their node.
      await store.deleteNode(node.uuid, null);
      expect(await list(await opened().reopen())).toEqual(['gap', '1']);
    });

    test('that are delivered again are stored once, within the time in which they count as the same', async () => {
      const { store } = opened();
      const always = { digest: 'always', repeatedWithin: null };
      const within = { digest: 'within', repeatedWithin: HOUR };
      expect(await add(store, event(1, {}, always), event(1, {}, always))).toHaveLength(1);
      expect(await add(store, event(2, {}, within), event(1, {}, always), event(3))).toHaveLength(2);
      expect(await add(store, event(2, {}, within), event(3))).toHaveLength(1);
      await opened().execute(`update events set time = time - ${2 * HOUR}`);
      expect(await add(store, event(2, {}, within), event(1, {}, always))).toHaveLength(1);
      expect(await add(store, event(2, {}, within), event(1, {}, always))).toEqual([]);
      expect(await list(store)).toEqual(['2', '3', '3', '2', '1']);
      const positions = (await store.eventsAbove(0, 10)).map(({ position }) => position);
      expect(positions).toEqual([1, 2, 3, 4, 5].map((place) => positions[0]! - 1 + place));
      expect((await store.changeBounds('event')).last).toBe(positions.at(-1));
    });

    test('are in the order of their positions, whoever stores them at the same time', async () => {
      const { store } = opened();
      const { last } = await store.changeBounds('event');
      const batches = await Promise.all(
        Array.from({ length: 20 }, (_, batch) =>
          add(store, event(batch * 2, {}, { digest: `${batch}` }), event(batch * 2 + 1, {}, { digest: 'shared' })),
        ),
      );
      const stored = batches.flat();
      expect(stored).toHaveLength(21);
      const read = await store.eventsAbove(last, 100);
      expect(read.map(({ position }) => position)).toEqual(stored.map((_, index) => last + 1 + index));
      expect([...stored].sort((a, b) => a.position - b.position)).toEqual(read);
    });

    test('are listed newest first, by each filter and page by page', async () => {
      const { store } = opened();
      await add(
        store,
        event(1),
        event(2, { severity: 'warning', messageId: 'resourceevent.RESOURCECHANGED' }),
        event(3, { severity: 'critical', messageId: 'Base.1.8.Success', origin: '/redfish/v1/Systems/11' }),
        event(4, { severity: null, messageId: 'ResourceChanged', origin: '/redfish/v1/Systems/1/Memory/2' }),
        event(5, { messageId: 'SYS1003', origin: '/redfish/v1/Systems/1#/Fans/0' }, { nodeUuid: NODES[1] }),
      );
      const nodes = (...uuids: string[]) => ({ nodes: new Set(uuids) });
      const messages = (...texts: string[]) => ({ messages: texts.map(messagePattern) });
      expect(await list(store)).toEqual(['5', '4', '3', '2', '1']);
      expect(await list(store, nodes(NODES[0]))).toEqual(['4', '3', '2', '1']);
      expect(await list(store, nodes(...NODES))).toEqual(['5', '4', '3', '2', '1']);
      expect(await list(store, nodes('99999999-9999-4999-8999-999999999999'))).toEqual([]);
      expect(await list(store, { minSeverity: 'ok' })).toEqual(['5', '3', '2', '1']);
      expect(await list(store, { minSeverity: 'warning' })).toEqual(['3', '2']);
      expect(await list(store, { minSeverity: 'critical' })).toEqual(['3']);
      expect(await list(store, messages('ResourceChanged'))).toEqual(['4', '2', '1']);
      expect(await list(store, messages('RESOURCEEVENT'))).toEqual(['2', '1']);
      expect(await list(store, messages('ResourceEvent.1.3.ResourceChanged', 'base.success'))).toEqual(['3', '2', '1']);
      expect(await list(store, messages('ResourceEvent.1.0', 'sys1003'))).toEqual(['5', '2', '1']);
      expect(await list(store, { origin: '/redfish/v1/Systems/1' })).toEqual(['5', '4', '2', '1']);
      expect(await list(store, { origin: '/redfish/v1/Systems/1/' })).toEqual(['5', '4', '2', '1']);
      expect(await list(store, { ...nodes(NODES[0]), ...messages('ResourceChanged'), minSeverity: 'ok' })).toEqual([
        '2',
        '1',
      ]);
      const pages: string[][] = [];
      for (let before: number | null = null; ; ) {
        const page = await store.listEvents({ ...ALL, limit: 2, before });
        pages.push(page.events.map(({ content }) => (content as EventRecord).bmcEventId));
        if (page.next === null) break;
        before = page.next;
      }
      expect(pages).toEqual([['5', '4'], ['3', '2'], ['1']]);
    });

    test('are listed by the time at which they were received', async () => {
      const { store } = opened();
      const stored = await add(store, event(1), event(2), event(3), event(4));
      for (const { position } of stored) {
        const hours = position - stored[0]!.position;
        await opened().execute(`update events set time = ${hours * HOUR} where position = ${position}`);
      }
      const at = (hours: number) => new Date(hours * HOUR);
      expect(await list(store, { since: at(1) })).toEqual(['4', '3', '2']);
      expect(await list(store, { until: at(1) })).toEqual(['1']);
      expect(await list(store, { since: at(1), until: at(3) })).toEqual(['3', '2']);
      expect(await list(store, { since: at(4) })).toEqual([]);
      expect(await list(store, { until: at(0) })).toEqual([]);
      expect(await list(store, { since: at(1), until: at(3), limit: 1 })).toEqual(['3']);
    });

    test('are found among thousands that a filter does not select', async () => {
      const { store } = opened();
      await add(store, event(1, { origin: '/here' }));
      for (let batch = 0; batch < 5; batch++) {
        await add(store, ...Array.from({ length: 500 }, (_, index) => event(index, { origin: '/elsewhere' })));
      }
      await add(store, event(2, { origin: '/here' }));
      expect(await list(store, { origin: '/here' })).toEqual(['2', '1']);
      expect(await list(store, { origin: '/here', nodes: new Set(NODES) })).toEqual(['2', '1']);
    });

    test('fill pages of bounded size', async () => {
      const { store } = opened();
      const raw = { text: 'x'.repeat(300_000) };
      const stored = await add(store, ...Array.from({ length: 10 }, (_, index) => event(index, { raw })));
      const page = await store.listEvents({ ...ALL, withRaw: true });
      expect(page.events.length).toBeGreaterThan(1);
      expect(page.events.length).toBeLessThan(10);
      expect(page.next).toBe(page.events.at(-1)!.position);
      expect((await store.eventsAbove(stored[0]!.position - 1, 100)).length).toBeLessThan(10);
      expect((await store.listEvents(ALL)).events).toHaveLength(10);
    });

    test('are removed from the oldest on, those beyond a number and those before a time', async () => {
      const { store } = opened();
      const stored = await add(store, event(1), event(2), event(3), event(4), event(5));
      const first = stored[0]!.position;
      await opened().execute(`update events set time = 0 where position = ${first}`);
      expect(await store.removeChanges('event', new Date(1), 1000, 10)).toBe(1);
      expect(await store.changeFloor('event')).toBe(first);
      expect(await store.removeChanges('event', EARLIER, 2, 1)).toBe(1);
      expect(await store.removeChanges('event', EARLIER, 2, 10)).toBe(1);
      expect(await store.removeChanges('event', EARLIER, 2, 10)).toBe(0);
      expect(await list(store)).toEqual(['5', '4']);
      expect(await store.removeChanges('event', LATER, 1000, 10)).toBe(2);
      const { floor, last } = await store.changeBounds('event');
      expect([floor, last]).toEqual([first + 4, first + 4]);
      // Positions are not given twice.
      expect((await add(store, event(6)))[0]!.position).toBe(first + 5);
    });
  });
}
