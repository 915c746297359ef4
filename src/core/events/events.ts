import type { WatchSink } from '../watch/watchEvent.ts';
import type { EventSeverity, StoredEvent } from './event.ts';

/** Selects events, as a caller asks for them; empty and null match all. */
export interface EventSelector {
  /** UUIDs or names. */
  nodes: readonly string[];
  minSeverity: EventSeverity | null;
  /** Message ids, their last parts, or names of registries; in any case. */
  messages: readonly string[];
  /** The URI of a resource, or of one above it. */
  origin: string | null;
}

/** Selects the events to list. */
export interface EventsQuery extends EventSelector {
  limit: number;
  /** `EventsPage.next` of the page before; null for the first page. */
  before: number | null;
  since: Date | null;
  until: Date | null;
  withRaw: boolean;
}

export interface EventsPage {
  /** The newest first. May be empty although there are more, when a filter selects few of many. */
  events: StoredEvent[];
  /** `EventsQuery.before` of the next page; null on the last one. */
  next: number | null;
  /** The cursor with which `watch` tells what came after the first page; null on others. */
  cursor: string | null;
}

/** Selects the events to watch. */
export interface EventsWatch extends EventSelector {
  /** Null without one. A malformed one throws `invalid_argument`. */
  cursor: string | null;
  withRaw: boolean;
}

/** Lists and watches events. An unknown node throws `node_not_found`. */
export interface Events {
  list(query: EventsQuery): Promise<EventsPage>;
  /**
   * Tells `sink` every event from now on; with a cursor, every event after it. Ends with the reason of `signal`.
   */
  watch(request: EventsWatch, sink: WatchSink<StoredEvent>, signal: AbortSignal): Promise<never>;
}
