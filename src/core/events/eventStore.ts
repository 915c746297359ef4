import type { EventGap, EventRecord, StoredEvent } from './event.ts';
import type { EventFilter } from './eventFilter.ts';

/** An event to store. */
export interface NewEvent {
  nodeUuid: string;
  content: EventRecord | EventGap;
  /** Equal for repeated deliveries of one record; null for an event that has none. */
  digest: string | null;
  /** An event with the same digest is the same one if it is at most this old, in milliseconds; null: however old it is. */
  repeatedWithin: number | null;
}

/** Selects events to list, the newest first. */
export interface EventQuery extends EventFilter {
  limit: number;
  /** Only those below this position; null for the newest ones. */
  before: number | null;
  /** Only those received at this time or later. */
  since: Date | null;
  /** Only those received before this time. */
  until: Date | null;
  /** Whether `raw` is read. */
  withRaw: boolean;
}

export interface EventPage {
  /** At most as many as asked for, and of about `PAGE_BYTES`. May be empty although there are more. */
  events: StoredEvent[];
  /** `EventQuery.before` of the next page; null on the last one. */
  next: number | null;
}

/** The part of `Store` that keeps events. */
export interface EventStore {
  /**
   * Stores events durably, all or none, in this order, and gives each the next position. Returns them; null in place of one
   * that was stored before.
   */
  addEvents(events: readonly NewEvent[]): Promise<(StoredEvent | null)[]>;
  /** Returns a page of events. However many there are, it keeps other work waiting for a few milliseconds at most. */
  listEvents(query: EventQuery): Promise<EventPage>;
  /** Returns the first events above the position `after`, at most `limit` and about `PAGE_BYTES`. */
  eventsAbove(after: number, limit: number): Promise<StoredEvent[]>;
}
