import type { Caller } from '../caller.ts';
import type { EventSource, EventSourceState } from './eventSource.ts';
import type { SourceQuery, SourceWish } from './sources/sourceStore.ts';

/** A page of sources. */
export interface SourcePage {
  sources: EventSource[];
  /** `SourceQuery.after` of the next page; null on the last one. */
  next: string | null;
}

/** Sets, tells and tests event sources. Every `ident` is a node's UUID or name; an unknown one throws `node_not_found`. */
export interface EventSources {
  /** Throws `invalid_argument`; `failed_precondition` when events are not received here, or not from the node's driver. */
  set(ident: string, wish: SourceWish, caller: Caller): Promise<EventSource>;
  /** Throws `event_source_not_found`. */
  get(ident: string): Promise<EventSource>;
  list(query: SourceQuery): Promise<SourcePage>;
  /** The subscription is removed from the BMC later. Throws `event_source_not_found`. */
  delete(ident: string, caller: Caller): Promise<void>;
  /**
   * Requests a test event, and returns the source when it has arrived. Throws `event_source_not_found`,
   * `failed_precondition` while nothing is subscribed to, `deadline_exceeded` when it has not arrived in time.
   */
  test(ident: string, caller: Caller, signal: AbortSignal): Promise<EventSource>;
  /** Returns the number of sources in each state, for metrics. */
  counts(): Promise<{ state: EventSourceState; count: number }[]>;
}

/** How this process receives events. */
export interface ReceivingSettings {
  /** The URL by which BMCs reach the receiver, without a slash at its end. */
  url: string;
  /** How often a source is verified, in milliseconds. */
  verifyInterval: number;
  /** How often a source is tested, in milliseconds; null: never by itself. */
  testInterval: number | null;
  /** How long a test event may take to arrive, in milliseconds. */
  testTimeout: number;
}
