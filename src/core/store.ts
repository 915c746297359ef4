import type { Role } from './caller.ts';
import type { IdempotentCall } from './calls/idempotentCall.ts';
import type { ErrorRecord } from './errors.ts';
import type { EventStore } from './events/eventStore.ts';
import type { HandoverStore } from './events/handover/handoverStore.ts';
import type { EventSourceStore } from './events/sources/sourceStore.ts';
import type { Job } from './job.ts';
import type { JobStore } from './jobs/jobStore.ts';
import type { JsonObject } from './json.ts';
import type { Node, NodeChanges } from './node.ts';
import type { Reservation } from './reservation.ts';
import type { ChangeStore } from './watch/changeStore.ts';

/** A node as a store reads it; see `NodeSnapshot` for how long its content stays current. */
export interface StoredNode extends Node {
  /** The number of the node's present or last reservation: it grows by one with each. */
  fence: number;
}

/** The column, or the one of `UNIQUE_ATTRIBUTES`, whose value another node has already. */
export type NodeConflict = { taken: string };

/**
 * The fields that nodes can be sorted by. `id` is the order of enrolment, `holder` that of the reservation. An attribute that
 * is an object or a list sorts as if it were absent.
 */
export type NodeSortKey =
  | 'id'
  | 'uuid'
  | 'name'
  | 'driver'
  | 'createTime'
  | 'updateTime'
  | 'maintenance'
  | 'maintenanceReason'
  | 'description'
  | 'lastError'
  | 'holder'
  | 'vendorInterface'
  | `attributes.${string}`;

export interface NodeQuery {
  /** The maximum number of nodes. */
  limit: number;
  /** Returns no nodes when all of them together take more than about as many bytes; not measured when absent. */
  within?: number;
  /** The UUID of the last node of the previous page; null for the first page. */
  marker: string | null;
  sortKey: NodeSortKey;
  /** Equal nodes are sorted by enrolment in the same direction. Nulls come first when ascending. */
  sortDirection: 'asc' | 'desc';
  /** Only nodes with equal values. */
  driver?: string;
  maintenance?: boolean;
  vendorInterface?: string;
  /** Only nodes whose description contains this text, ignoring case (beyond ASCII as far as the database's locale does). */
  descriptionContains?: string;
  /**
   * Only nodes whose attribute of that name is equal, for example `{ owner: 'x' }`, or equal to one of a list; null for
   * absent. To these three filters an attribute that is an object or a list is absent, since it may hold secrets.
   */
  attributes?: Record<string, string | number | boolean | null | readonly string[]>;
  /** Only nodes that have (true) or lack (false) an attribute of that name. */
  hasAttribute?: Record<string, boolean>;
  /** Only nodes where at least one of these attributes equals `value`. */
  anyAttribute?: { names: readonly string[]; value: string | number | boolean };
}

/** How many nodes have an attribute with this value, as text; null for those without. */
export interface AttributeCount {
  value: string | null;
  count: number;
}

/** A reservation to take. */
export interface NewReservation extends Omit<Reservation, 'expireTime'> {
  /** The digest of a key: of a `held` one its own, of a `call` that of the hold to run within. Absent or null: no key. */
  key?: string | null;
  /** How long a `held` one lasts, in milliseconds by the store's clock. Absent or null: until it is ended. */
  duration?: number | null;
}

/** A `held` reservation, whether or not a call runs within it. */
export interface Hold {
  reservation: Reservation;
  /** The fence of the node's present reservation: that of the hold, or of the last call within it. */
  fence: number;
  /** The digest of its key; null when it has none. */
  key: string | null;
  /** Whether its time has run out, so that it only waits for `endOverdueHolds`. */
  overdue: boolean;
}

/** The outcome of an attempt to reserve a node. */
export type Acquired =
  /** `reservation` is shown as the node's from now on. */
  | { outcome: 'acquired'; fence: number; reservation: Reservation }
  /** The node is reserved, under this fence; `overdue` for a hold that only waits for `endOverdueHolds`. */
  | { outcome: 'locked'; reservation: Reservation; fence: number; overdue?: true }
  /** The node is not held with the given key (any more). */
  | { outcome: 'ended' }
  /** The node does not exist (any more). */
  | { outcome: 'missing' }
  /** The lease of the conductor has run out, so that it must not hold anything. */
  | { outcome: 'expired' };

/** A process that reserves nodes and runs jobs under one lease, which it renews; the name is Ironic's. */
export interface Conductor {
  /** Different for each lease: one that has run out is never renewed. */
  id: string;
  /** The name shown by its reservations. */
  host: string;
  /** The duration of the lease from each renewal, in milliseconds by the store's clock; null: until removed. */
  lease: number | null;
  /**
   * How long its nodes stay reserved after the end of the lease, in milliseconds: a request may still be under way to a
   * machine. Longer than a statement may take, so that none commits after `reap`.
   */
  grace: number;
}

/** The times of a host with a valid lease. */
export interface HostTimes {
  host: string;
  /** When its newest process started. */
  createTime: Date;
  /** When that renewed its lease for the last time; the present time for a lease that needs no renewal. */
  updateTime: Date;
}

/** What was ended of conductors whose lease has run out. */
export interface Reaped {
  /** Their jobs, as failed. */
  failed: Job[];
  /** The UUIDs of the released nodes. */
  freed: string[];
}

/** A change made by another process. */
export type Change =
  /** A node was released that a process waits for (`Store.want`). */
  | { kind: 'node_freed'; nodeUuid: string }
  /** The job has reached this revision. */
  | { kind: 'job_changed'; id: string; revision: number }
  /** The cancellation of a job was requested. */
  | { kind: 'cancel_requested'; id: string }
  /** Events were stored. */
  | { kind: 'events_stored' }
  /** Event sources have become due. */
  | { kind: 'event_sources_due' }
  /** Changes may have been missed. */
  | { kind: 'missed' };

/** An earlier call with the same caller and key. */
interface KnownCall {
  fingerprint: string;
  /** `waiting`: not accepted yet; `accepted`: running; `done`: has an outcome. */
  state: 'waiting' | 'accepted' | 'done';
  /** The conductor that started it. */
  owner: string | null;
  /** Null unless done. */
  outcome: JsonObject | null;
}

/** A transcript as it is stored. */
export interface StoredTranscript {
  /** JSON text. */
  text: string;
  /** The role that its method required. */
  role: Role;
}

/** A transcript to store. */
export interface NewTranscript extends StoredTranscript {
  id: string;
  /** Whether `id` is that of a job; otherwise the call was synchronous. */
  ofJob: boolean;
  /** When the call ended. */
  endTime: Date;
}

/** A position in the order in which jobs ended: by time, then by id. */
export interface EndPlace {
  endTime: Date;
  /** The id of a job that need not exist; '' sorts first. */
  id: string;
}

/**
 * Stores nodes, reservations, jobs, idempotency keys and events. Each method is atomic and visible to every later one, and throws
 * kind `store_unavailable`, with an unknown outcome, when the store is unreachable. Callers may modify what a method returns.
 */
export interface Store extends JobStore, ChangeStore, EventStore, EventSourceStore, HandoverStore {
  /** Whether other processes may use the store at the same time. */
  readonly shared: boolean;
  /** Whether the last change succeeded, as far as this process knows. */
  readonly takesChanges: boolean;
  /** Fires when the store is closed: no step succeeds from then on. */
  readonly closed: AbortSignal;

  /** Enrols a free node with validated fields. Its `fence` must be above those of earlier nodes with the same UUID. */
  createNode(node: Omit<StoredNode, 'reservation' | 'lastError' | 'updateTime'>): Promise<StoredNode | NodeConflict>;
  /** Returns null for an unknown node. */
  getNodeByUuid(uuid: string): Promise<StoredNode | null>;
  getNodeByName(name: string): Promise<StoredNode | null>;
  /** Returns those of these nodes that exist, without attributes. Secrets that cannot be decrypted are left out. */
  nodesByUuid(uuids: readonly string[]): Promise<StoredNode[]>;
  /** Returns null when the marker does not exist. */
  listNodes(query: NodeQuery): Promise<StoredNode[] | null>;
  /** Returns about how many bytes each of the nodes of `listNodes` takes, without reading them. */
  sizeNodes(query: NodeQuery): Promise<number[] | null>;
  /** Returns how many nodes have each value of an attribute, and how many have none. */
  countAttribute(name: string): Promise<AttributeCount[]>;
  /**
   * Changes a node whose reservation has this fence; null for a reservation that is not stored. Returns null, without a
   * change, when the fence is another or the node does not exist.
   */
  updateNode(
    uuid: string,
    fence: number | null,
    changes: NodeChanges,
    updateTime: Date,
  ): Promise<StoredNode | NodeConflict | null>;
  /** Removes a node and its reservation, but not its jobs; `fence` as for `updateNode`. Returns false when nothing was removed. */
  deleteNode(uuid: string, fence: number | null): Promise<boolean>;

  /** Starts the lease of a new conductor. */
  addConductor(conductor: Conductor): Promise<void>;
  /** Renews a lease. Returns false when it has run out by the store's clock, which is final. */
  renewConductor(id: string): Promise<boolean>;
  /** Raises the grace of a conductor to at least `grace` milliseconds. Returns false when its lease has run out. */
  extendGrace(id: string, grace: number): Promise<boolean>;
  /** Ends a lease. What still depends on it is reaped by other processes. */
  removeConductor(id: string): Promise<void>;
  /** Returns the distinct hosts of conductors with a valid lease, sorted. */
  listHosts(): Promise<string[]>;
  /** Returns the hosts of `listHosts` with their times. */
  listProcesses(): Promise<HostTimes[]>;
  /**
   * Cleans up after conductors whose lease has run out. Their running jobs fail with `error` and set their nodes'
   * `last_error` to `lastError(job)`. Their accepted idempotent calls get the outcome `unknown`; others are removed. When
   * their grace is over as well, their nodes are released.
   * @param reaping.all treats every conductor as lost, its grace as over; for a process with a store of its own, at its start
   * @param reaping.orphans whether to treat what has unknown owners alike, since a statement can commit after its conductor
   *   was removed; reads all reservations
   */
  reap(reaping: {
    all: boolean;
    orphans: boolean;
    now: Date;
    error: ErrorRecord;
    lastError(job: Job): string;
    unknown: JsonObject;
  }): Promise<Reaped>;

  /**
   * Raises the fences of all nodes above all earlier ones. Returns the new fence and the `held` reservations. For a process
   * that has the store to itself, which may use fences above this one without storing them.
   */
  openReservations(): Promise<{
    fence: number;
    held: { nodeUuid: string; reservation: Reservation; key: string | null }[];
  }>;
  /** Returns how many nodes have a stored reservation. */
  countReserved(): Promise<number>;
  /**
   * Reserves a free node, or with the key of a hold that node for a call within it, and increments the fence. A `call`
   * depends on the lease of `conductor`.
   */
  acquire(nodeUuid: string, reservation: NewReservation, conductor: string): Promise<Acquired>;
  /** Requests a `node_freed` for the end of the reservation with this fence. Returns false when it has already ended. */
  want(nodeUuid: string, fence: number): Promise<boolean>;
  /** Ends the `call` with this fence, not the hold that it ran within. Returns false when it has already ended. */
  release(nodeUuid: string, fence: number): Promise<boolean>;
  /**
   * Ends any `call` of the conductor on the node with this key, null for none; for a conductor that does not know whether it
   * has reserved it.
   */
  releaseOwn(nodeUuid: string, conductor: string, key: string | null): Promise<void>;
  /** Returns the node, fence and key of every `call` of the conductor. */
  listCalls(conductor: string): Promise<{ nodeUuid: string; fence: number; key: string | null }[]>;
  /** Returns the hold on a node; null when there is none. */
  getHold(nodeUuid: string): Promise<Hold | null>;
  /**
   * Lets a hold, found under this fence, last for `duration` milliseconds from now; null: until it is ended. Returns it
   * renewed; null when it has ended or run out, or a call within it has begun since.
   */
  renewHold(nodeUuid: string, fence: number, duration: number | null): Promise<Reservation | null>;
  /**
   * Ends a hold found under this fence; a call within it goes on without it. Returns false when it has already ended, or a
   * call within it has begun since.
   */
  endHold(nodeUuid: string, fence: number): Promise<boolean>;
  /** Ends the holds whose time has run out, as `endHold`, and returns them. */
  endOverdueHolds(): Promise<{ nodeUuid: string; reservation: Reservation }[]>;

  /** Stores a transcript. Throws, and stores nothing, when its job was removed. */
  keepTranscript(transcript: NewTranscript): Promise<void>;
  /** Returns null for an unknown one. */
  getTranscript(id: string): Promise<StoredTranscript | null>;
  /** Returns when the newest job ended or the newest idempotent call began, whichever is later; null for neither. */
  newestTime(): Promise<Date | null>;
  /** Returns the time by the clock of the store, in milliseconds since 1970. */
  time(): Promise<number>;
  /** As `placeAfterNewest`, for the transcripts of synchronous calls. */
  transcriptAfterNewest(count: number): Promise<EndPlace | null>;
  /** As `removeEndedJobs`, for the transcripts of synchronous calls; those of jobs are removed with their jobs. */
  removeTranscripts(place: EndPlace, limit: number): Promise<number>;
  /** Returns the position of the newest ended job beyond the `count` newest ones; null when there are no more. */
  placeAfterNewest(count: number): Promise<EndPlace | null>;
  /** Removes at most `limit` jobs that ended at `place` or before, the oldest first. Returns their number. */
  removeEndedJobs(place: EndPlace, limit: number): Promise<number>;

  /**
   * Starts an idempotent call of `conductor`. Returns null when it is the first with its caller and key since `notBefore`;
   * otherwise the first call, or `expired` when the conductor's lease has run out and the call was not started.
   */
  beginIdempotent(call: IdempotentCall, conductor: string, notBefore: Date): Promise<KnownCall | null | 'expired'>;
  /**
   * Marks the call that `conductor` started as accepted before it runs. Returns false when it must not run: the lease has
   * run out, and another conductor may have the call by now.
   */
  acceptIdempotent(caller: string, key: string, conductor: string): Promise<boolean>;
  /** Stores the outcome of an accepted call. */
  finishIdempotent(caller: string, key: string, outcome: JsonObject): Promise<void>;
  /** Removes a call of `conductor` that did not act, in any state. */
  forgetIdempotent(caller: string, key: string, conductor: string): Promise<void>;
  /** Removes at most `limit` calls older than `notBefore`. Returns their number. */
  removeIdempotent(notBefore: Date, limit: number): Promise<number>;

  /** Calls `listener` for changes by other processes that something may wait for. */
  onChange(listener: (change: Change) => void): void;
  /** Throws when the store is unreachable. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
