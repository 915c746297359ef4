import { type Timestamp, timestampDate } from '@bufbuild/protobuf/wkt';
import type { ServiceImpl } from '@connectrpc/connect';
import {
  type EventFilter,
  type EventService,
  type WatchEventsRequest,
  WatchEventsResponseSchema,
} from '../../gen/passthru/v1/event_pb.ts';
import { eventToMessage, eventUpdateToMessage, severityFromMessage } from '../contract/event.ts';
import type { StoredEvent } from '../core/events/event.ts';
import type { EventSelector, EventsWatch } from '../core/events/events.ts';
import type { Enter } from './authorize.ts';
import { invalidField, nextToken, pageSize, previousKey, textOrNull } from './fields.ts';
import { watchStreams } from './watchStream.ts';

/** Implements the RPCs of EventService that list and watch events. */
export function eventService(enter: Enter): Partial<ServiceImpl<typeof EventService>> {
  const stream = watchStreams<StoredEvent, typeof WatchEventsResponseSchema>(
    WatchEventsResponseSchema,
    eventUpdateToMessage,
  );
  return {
    async listEvents(request, context) {
      const limit = pageSize(request.pageSize);
      const last = previousKey('events', request.pageToken, isPosition);
      const before = last === null ? null : Number(last);
      const times = { since: timeOf('since', request.since), until: timeOf('until', request.until) };
      const query = { ...eventSelector(request.filter), ...times, limit, before, withRaw: request.withRaw };
      const { core } = enter(context);
      const { events, next, cursor } = await core.events.list(query);
      return {
        events: events.map(eventToMessage),
        nextPageToken: nextToken('events', { items: [String(next)], more: next !== null }, (position) => position),
        cursor: cursor ?? '',
      };
    },
    async *watchEvents(request, context) {
      const watch = eventsWatch(request);
      const { core } = enter(context);
      yield* stream(context, (sink, signal) => core.events.watch(watch, sink, signal));
    },
  };
}

/** Returns what a request selects. Throws kind `invalid_argument`. */
export function eventsWatch({ filter, cursor, withRaw }: WatchEventsRequest): EventsWatch {
  return { ...eventSelector(filter), cursor: textOrNull(cursor), withRaw };
}

function eventSelector(filter: EventFilter | undefined): EventSelector {
  if (filter === undefined) return { nodes: [], minSeverity: null, messages: [], origin: null };
  const minSeverity = severityFromMessage(filter.minSeverity);
  if (minSeverity === undefined) {
    throw invalidField('filter.min_severity', `must be an EventSeverity, not ${filter.minSeverity}`);
  }
  const { nodes, messages, origin } = filter;
  return { nodes, minSeverity, messages, origin: textOrNull(origin) };
}

function timeOf(field: string, time: Timestamp | undefined): Date | null {
  if (time === undefined) return null;
  const date = timestampDate(time);
  if (!Number.isNaN(date.getTime())) return date;
  throw invalidField(field, 'must be a time from the year 1 to 9999');
}

function isPosition(text: string): boolean {
  return /^\d{1,15}$/.test(text);
}
