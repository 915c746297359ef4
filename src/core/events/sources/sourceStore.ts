import type { Node } from '../../node.ts';
import type { EventSelection, EventSource, EventSourceState, EventTransport } from '../eventSource.ts';

/** What a pass over a source finds and decides. */
export interface SourceProgress
  extends Pick<
    EventSource,
    | 'state'
    | 'reason'
    | 'activeTransport'
    | 'subscription'
    | 'verifyTime'
    | 'lastTest'
    | 'lastDrift'
    | 'lastDriftTime'
    | 'renewals'
  > {
  stateTime: Date;
  /** The digest of the secret in the newest subscription; null before the first. */
  tokenDigest: string | null;
  /** `StoredSource.generation` when that secret was made. */
  tokenGeneration: number;
  /** That of the subscription before, which may still send; null for none. */
  previousDigest: string | null;
  /** `EventsInterface.address` of the BMC that has the subscription. */
  address: string | null;
  /** See `BmcState.lastReset`. */
  lastReset: Date | null;
  /** The id of the last event of a stream. */
  lastEventId: string | null;
  /**
   * Set when the node was deleted, or when its driver_info was changed, until it is known that the BMC is the same or nothing is
   * left at the one before. A pass sets it to null.
   */
  formerNode: FormerNode | null;
}

/** A node that was deleted, or as it was with another BMC, as far as it takes to remove its subscription. */
export interface FormerNode extends Pick<Node, 'name' | 'driver' | 'vendorInterface' | 'driverInfo'> {
  /** What it had subscribed to at the BMC that it has no more: the URI and the digests of the secrets; null when deleted. */
  left: { subscription: string | null; digests: readonly string[] } | null;
}

/** A source as it is stored. */
export interface StoredSource extends EventSource, SourceProgress {
  /** Grows with each change of the wish. */
  generation: number;
  /** Grows with each change that a pass must not overlook. */
  revision: number;
}

/** A wish. */
export interface SourceWish {
  transport: EventTransport | null;
  selection: EventSelection;
}

export interface SourceQuery {
  limit: number;
  /** The UUID of the node of the last source of the previous page; null for the first page. */
  after: string | null;
  state: EventSourceState | null;
  driver: string | null;
}

/** The part of `Store` that keeps event sources. Those of a deleted node stay until their subscriptions are removed. */
export interface EventSourceStore {
  /** Creates or changes the source of a node, and makes it due. Returns null when there is no such node. */
  setEventSource(nodeUuid: string, wish: SourceWish, now: Date): Promise<StoredSource | null>;
  getEventSource(nodeUuid: string): Promise<StoredSource | null>;
  /** Returns sources of nodes that exist, in the order of creation; null when that of `after` does not exist. */
  listEventSources(query: SourceQuery): Promise<StoredSource[] | null>;
  /** Returns the number of sources in each state. */
  countEventSources(): Promise<{ state: EventSourceState; count: number }[]>;
  /** Marks a source for removal, and makes it due. Returns false when there is none. */
  deleteEventSource(nodeUuid: string, now: Date): Promise<boolean>;
  /** Removes a source unless it was set again since it had that revision. Returns whether it did. */
  removeEventSource(nodeUuid: string, revision: number): Promise<boolean>;
  /** Makes a source due. */
  wakeEventSource(nodeUuid: string): Promise<void>;
  /** Returns the source whose present or previous secret has this digest, unless it is being removed; null for none. */
  findEventSource(digest: string): Promise<{ nodeUuid: string; digests: string[] } | null>;

  /**
   * Makes a conductor the owner of up to `limit` sources that have none with a valid lease: of some that have none, else of some whose
   * owner is lost. Returns their number.
   */
  claimEventSources(conductor: string, limit: number): Promise<number>;
  /** Lets go of all sources of a conductor. */
  releaseEventSources(conductor: string): Promise<void>;
  /** Returns up to `limit` sources of a conductor that are due, the longest due first. */
  dueEventSources(conductor: string, now: Date, limit: number): Promise<StoredSource[]>;
  /**
   * Stores what a pass of the owner has found.
   * @param due when the source is due again; at once when its revision has grown since the pass began
   * @returns false, and stores nothing, when the conductor is not the owner any more, or its lease has run out
   */
  recordEventSource(
    nodeUuid: string,
    conductor: string,
    revision: number,
    progress: Partial<SourceProgress>,
    due: Date,
  ): Promise<boolean>;
  /** Stores the outcome of a test, by whichever process, and makes the source due. */
  recordEventTest(nodeUuid: string, test: NonNullable<EventSource['lastTest']>): Promise<void>;
  /** Notes that events of these nodes have arrived. */
  noteEventsArrived(nodeUuids: readonly string[], time: Date): Promise<void>;
  /** Returns the id of this service, made at random with the store: the same for all replicas. */
  serviceId(): Promise<string>;
}
