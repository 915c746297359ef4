import type { StoredEvent } from '../event.ts';

/** Events that were removed before they could be handed over. */
export interface MissedEvents {
  /** The id that the first of them had, and that the last had. */
  first: string;
  last: string;
  count: number;
}

/** What became of one attempt to deliver. */
export type Delivery =
  | { outcome: 'delivered' }
  | {
      /** `refused`: the receiver will not take this event; `failed`: it takes nothing now. */
      outcome: 'failed' | 'refused';
      /** Without secrets. */
      reason: string;
      /** How long the receiver asked to wait, in milliseconds; null when it did not. */
      retryAfter: number | null;
    };

/** One attempt. */
export interface Attempt {
  delivery: Delivery;
  /** The number of events that it was about: the first of those given, at least one. */
  count: number;
}

/** Where events are handed over to. */
export interface HandoverTarget {
  /**
   * Delivers the first of some events, once: one, or as many as the target takes together. What is about the same events again is
   * the same delivery to the receiver. Rejects with the reason of `signal` when that fires.
   */
  deliver(events: readonly StoredEvent[], signal: AbortSignal): Promise<Attempt>;
  /** Delivers that some events are gone, once. */
  deliverMissed(missed: MissedEvents, signal: AbortSignal): Promise<Delivery>;
  /** Closes its connections. */
  close(): Promise<void>;
}

export interface HandoverSettings {
  target: HandoverTarget;
  /** How long an event that the receiver refuses is tried before it is skipped, in milliseconds; null: for ever. */
  skipAfter: number | null;
}
