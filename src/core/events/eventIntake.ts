import type { EventGap, EventRecord, StoredEvent } from './event.ts';

/** Takes the events of nodes, by whichever transport they arrive. */
export interface EventIntake {
  /**
   * Stores what a BMC sent, and resolves when it is committed. What the node has sent before is stored once. Records without
   * a text get it from the BMC's message registries where that is possible in time.
   * @throws kind `rate_limited` when more arrive than can be stored, `store_unavailable` when the store cannot be reached: nothing
   * was stored then, and the BMC may send it again
   */
  take(nodeUuid: string, records: readonly EventRecord[]): Promise<void>;
  /** Calls `listener` with events that were stored by this process, in order. It must not throw. */
  onStored(listener: (events: readonly StoredEvent[]) => void): void;
  /** Completes records from now on. */
  completeWith(resolver: EventResolver): void;
  /** Stores that nothing could arrive between two times. */
  noteGap(nodeUuid: string, gap: EventGap): Promise<void>;
}

/** Completes what BMCs left out of their records. */
export interface EventResolver {
  /**
   * Returns the records, in their order, with the texts and severities of the BMC's message registries where it sent none, and
   * what is found at a record's `reference` in its place (one record or more). What cannot be found in time stays as it is. The
   * BMC waits for its response meanwhile.
   * @param signal fires when the records are stored without
   */
  complete(nodeUuid: string, records: readonly EventRecord[], signal: AbortSignal): Promise<readonly EventRecord[]>;
}

/** A source that may send to the receiver. */
export interface PushSender {
  nodeUuid: string;
  /** The host of the node's BMC as `driver_info` has it: a name or an address; null when it has none. */
  bmcHost: string | null;
}

/** Finds who may send to the receiver. */
export interface PushSenders {
  /**
   * Returns the source with this secret, which is compared in constant time; null for none.
   * @param token the last part of the path that the source's subscription names
   */
  find(token: string): Promise<PushSender | null>;
  /** As `find`, among those that were found lately: null for any other. */
  findKnown(token: string): PushSender | null;
}
