import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { type Event, type EventFilterSchema, EventService } from '../../../gen/passthru/v1/event_pb.ts';
import { WatchMarker } from '../../../gen/passthru/v1/watch_pb.ts';
import { millis } from '../parts/time.tsx';
import { session } from '../session/session.ts';
import { type Change, LiveTable } from './liveTable.ts';
import { markerOf } from './marker.ts';

export type Filter = MessageInitShape<typeof EventFilterSchema>;

/** How many events are read at once. */
const PAGE_SIZE = 500;
/** A page may hold few of them when the filter selects few of many: how many are read for a first view. */
const FIRST_PAGES = 5;
/** How many events a table keeps: BMCs may send them without end. */
const MOST = 5000;

const client = createClient(EventService, session.transport);

/** Returns the newest events that `filter` selects, the oldest first, and those that arrive. */
export function eventTable(filter: Filter): LiveTable<Event> {
  return new LiveTable<Event>({
    keyOf: ({ id }) => id,
    most: MOST,
    async *pages(signal) {
      const events: Event[] = [];
      let pageToken = '';
      for (let pages = 0; pages < FIRST_PAGES && events.length < PAGE_SIZE; pages++) {
        const page = await client.listEvents({ filter, pageSize: PAGE_SIZE, pageToken }, { signal });
        events.push(...page.events);
        pageToken = page.nextPageToken;
        if (pageToken === '') break;
      }
      yield events.reverse();
    },
    async *watch(cursor, signal): AsyncGenerator<Change<Event>, void> {
      for await (const { update, cursor: reached } of client.watchEvents(
        { filter, cursor: cursor ?? '' },
        { signal },
      )) {
        if (update.case === 'event') yield { item: update.value, cursor: reached };
        else yield { marker: markerOf(update.value ?? WatchMarker.UNSPECIFIED), cursor: reached };
      }
    },
  });
}

/** Reads the events before `event`, the newest first. They may begin with some that are known: those of the same time. */
export async function eventsBefore(event: Event, filter: Filter): Promise<Event[]> {
  const until = timestampFromMs((millis(event.receiveTime) ?? 0) + 1);
  let pageToken = '';
  do {
    const page = await client.listEvents({ filter, pageSize: PAGE_SIZE, until, pageToken });
    if (page.events.some(({ id }) => id !== event.id)) return page.events;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return [];
}

/** Reads an event as the BMC sent it; undefined when it is no longer kept. */
export async function rawEvent({ id, nodeUuid, receiveTime }: Event): Promise<Event | undefined> {
  const at = millis(receiveTime) ?? 0;
  const times = { since: timestampFromMs(at), until: timestampFromMs(at + 1) };
  let pageToken = '';
  do {
    const page = await client.listEvents({
      ...{ filter: { nodes: [nodeUuid] }, ...times, pageSize: PAGE_SIZE, withRaw: true, pageToken },
    });
    const found = page.events.find((event) => event.id === id);
    if (found !== undefined) return found;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return undefined;
}
