import type { ErrorRecord } from './errors.ts';
import type { Job, JobState, Progress } from './job.ts';
import type { Json, JsonObject } from './json.ts';
import type { Node, NodeChanges } from './node.ts';
import type { Reservation } from './reservation.ts';

/**
 * A node as a store reads it. `fence` grows by one with every reservation of the node. Every change of a node but its `last_error` happens under a reservation: a node that was read FREE at
 * fence N is current under reservation N + 1. One that was read while reserved may change before that reservation ends.
 */
export interface StoredNode extends Node {
  fence: number;
}

/** Which column of a new or changed node another node has already; or that the node is not there. */
export type NodeConflict = { taken: 'uuid' | 'name' };

/** The fields that nodes can be sorted by. `id` is the order of enrolment. */
export type NodeSortKey =
  | 'id'
  | 'uuid'
  | 'name'
  | 'driver'
  | 'createTime'
  | 'updateTime'
  | 'maintenance'
  | 'vendorInterface';

export interface NodeQuery {
  /** At most so many. */
  limit: number;
  /** The UUID of the node after which the page begins, in the order asked for; null for the first page. */
  marker: string | null;
  sortKey: NodeSortKey;
  /** Nodes that are equal in the key are in the order of enrolment, in the same direction. Nulls come first when ascending. */
  sortDirection: 'asc' | 'desc';
  /** Only nodes that are equal in what is given. */
  driver?: string;
  maintenance?: boolean;
  vendorInterface?: string;
  /** Only nodes whose description contains this text, ignoring case (beyond ASCII as far as the database's locale does). */
  descriptionContains?: string;
  /**
   * Only nodes whose attribute of that name is equal, for example `{ owner: 'x' }`; null for absent. Nodes cannot be found
   * by objects and lists, which may hold secrets: to these three filters such an attribute is absent.
   */
  attributes?: Record<string, string | number | boolean | null>;
  /** Only nodes that have (true) or lack (false) an attribute of that name. */
  hasAttribute?: Record<string, boolean>;
  /** Only nodes where at least one of these attributes equals `value`. */
  anyAttribute?: { names: readonly string[]; value: string | number | boolean };
}

export interface JobQuery {
  limit: number;
  /** Only jobs older than the one with this id (ids sort by time); null for the first page. It need not exist. */
  olderThan: string | null;
  nodeUuid?: string;
  driver?: string;
  state?: JobState;
}

/** What became of an attempt to reserve a node. */
export type Acquired =
  | { outcome: 'acquired'; fence: number }
  /** Another holds the node, under this fence. */
  | { outcome: 'locked'; reservation: Reservation; fence: number }
  /** There is no such node (any more). */
  | { outcome: 'missing' }
  /** The conductor that asks has no lease (any more): it must hold nothing. */
  | { outcome: 'expired' };

/**
 * A process that holds nodes and runs jobs, as a store knows it. Ironic calls it a conductor. Its lease is renewed while
 * the process lives and can reach the store; all that it holds hangs on that one lease.
 */
export interface Conductor {
  /** Another for each lease: one that ran out is never renewed. */
  id: string;
  /** The name that its reservations show. */
  host: string;
  /** Milliseconds for which the lease is good after each renewal, by the store's clock; null: until it is ended. */
  lease: number | null;
  /**
   * Milliseconds after the end of the lease during which the nodes it held stay reserved: a request that was sent in time
   * may still be under way to a machine. Longer than a statement may take, so that none commits after `reap` is done.
   */
  grace: number;
}

/** What was ended for conductors whose lease has run out. */
export interface Reaped {
  /** Their jobs, failed. */
  failed: Job[];
  /** The UUIDs of the nodes that are free again. */
  freed: string[];
}

/** What another process that uses the store changed. */
export type Change =
  /** A node that somebody waits for (`Store.want`) is free. */
  | { kind: 'node_freed'; nodeUuid: string }
  /** The job has this revision. */
  | { kind: 'job_changed'; id: string; revision: number }
  /** Somebody wants the job to stop. */
  | { kind: 'cancel_requested'; id: string }
  /** Changes may have been missed: anything may be different. */
  | { kind: 'missed' };

/** The right to write about a job: of its conductor, while the reservation it runs under is the node's. */
export interface JobHold {
  /** The conductor that accepted the job. */
  owner: string;
  /** The fence of the reservation; null for a job that needs none. */
  fence: number | null;
}

/** How a job ended. */
export interface JobEnd {
  id: string;
  state: Exclude<JobState, 'running'>;
  endTime: Date;
  progress: Progress | null;
  result: Json;
  error: ErrorRecord | null;
  /** What the node's `last_error` is set to; null to leave it. */
  lastError: string | null;
}

/** A call that carries an idempotency key. */
export interface IdempotentCall {
  caller: string;
  key: string;
  /** Equal for equal calls. */
  fingerprint: string;
  createTime: Date;
}

/** What is known of an earlier call with the same caller and key. */
export interface KnownCall {
  fingerprint: string;
  /** `waiting`: not accepted yet; `accepted`: it runs; `done`: it has an outcome. */
  state: 'waiting' | 'accepted' | 'done';
  /** The conductor that began it. */
  owner: string | null;
  /** Null unless done. */
  outcome: JsonObject | null;
}

/** A place in the order in which jobs ended: by the time, and of equal times by the id. */
export interface EndPlace {
  endTime: Date;
  /** Of a job that need not exist; '' stands before all. */
  id: string;
}

/**
 * Where nodes, reservations, jobs and idempotency keys live. Each method is one step: it happens whole or not at all,
 * and is seen by every later one. A store that cannot be reached throws a PassthruError of kind `store_unavailable`.
 * What a method returns is the caller's own.
 */
export interface Store {
  /** Whether other processes may use the store at the same time. */
  readonly shared: boolean;
  /** Fires when the store is closed: no step succeeds from then on. */
  readonly closed: AbortSignal;

  /**
   * Enrols `node`, free and never changed. The caller has checked every field. The first `fence` must be above all fences
   * that an earlier node with the same UUID had.
   */
  createNode(node: Omit<StoredNode, 'reservation' | 'lastError' | 'updateTime'>): Promise<StoredNode | NodeConflict>;
  /** Null when there is none. */
  getNodeByUuid(uuid: string): Promise<StoredNode | null>;
  getNodeByName(name: string): Promise<StoredNode | null>;
  /** Null when the marker is not there. */
  listNodes(query: NodeQuery): Promise<StoredNode[] | null>;
  /** Null, and nothing is changed, when the node's reservation has not (any more) this fence, or the node is not there. */
  updateNode(
    uuid: string,
    fence: number,
    changes: NodeChanges,
    updateTime: Date,
  ): Promise<StoredNode | NodeConflict | null>;
  /** Removes a node and its reservation, which must have this fence; its jobs stay. False when nothing was removed. */
  deleteNode(uuid: string, fence: number): Promise<boolean>;

  /** Begins the lease of a conductor with a new id. */
  addConductor(conductor: Conductor): Promise<void>;
  /** Renews a lease from now on. False when it has run out, by the store's clock: then it never comes back. */
  renewConductor(id: string): Promise<boolean>;
  /** Raises the grace of a conductor to at least `grace` milliseconds. False when its lease has run out. */
  extendGrace(id: string, grace: number): Promise<boolean>;
  /** Ends a lease now. What may still hang on it is ended by others, as that of a lost one. */
  removeConductor(id: string): Promise<void>;
  /** The hosts of the conductors whose lease is good, each once, by name. */
  listHosts(): Promise<string[]>;
  /**
   * Ends what conductors whose lease has run out have left: their running jobs fail with `error` (their nodes' `last_error`
   * too, as `lastError(job)` words it); of their idempotent calls those that were accepted get `unknown` as their
   * outcome, the others are forgotten; and once their grace is over as well, their nodes are free. So are nodes and calls
   * of owners that are not known (any more): a statement can commit after its conductor was removed.
   *
   * @param reaping.all whether every conductor counts as lost and its grace as over, as for the one process that has
   *   just opened a store that is not shared
   */
  reap(reaping: {
    all: boolean;
    now: Date;
    error: ErrorRecord;
    lastError(job: Job): string;
    unknown: JsonObject;
  }): Promise<Reaped>;

  /** Reserves a node when it is free; the fence grows by one. A `call` hangs on the lease of `conductor`. */
  acquire(nodeUuid: string, reservation: Reservation, conductor: string): Promise<Acquired>;
  /** Asks for a `node_freed` when the reservation with this fence ends; false when it is not the node's any more. */
  want(nodeUuid: string, fence: number): Promise<boolean>;
  /** Ends the reservation with this fence; false when it is no longer the node's. */
  release(nodeUuid: string, fence: number): Promise<boolean>;
  /** Ends whatever `call` the conductor has on the node, for one that was not told whether it got the node. */
  releaseOwn(nodeUuid: string, conductor: string): Promise<void>;
  /** Every `call` that hangs on the lease of the conductor: the node and the reservation's fence. Looks at all nodes. */
  listCalls(conductor: string): Promise<{ nodeUuid: string; fence: number }[]>;

  /**
   * Stores an accepted job (revision 1) so that it survives a crash of the machine, names it in the node's
   * reservation when `hold.fence` is given, clears the node's `last_error`, and keeps it as the outcome of the idempotent
   * call when there is one. False, and nothing is stored, when the hold is lost: the conductor's lease has run out, the
   * reservation is no longer the node's, or the idempotent call no longer the conductor's.
   */
  acceptJob(job: Job, hold: JobHold, idempotent: IdempotentCall | null, outcome: JsonObject): Promise<boolean>;
  /** Stores one more revision of a running job and answers its number; null when the job has ended or the hold is lost. */
  recordProgress(id: string, hold: JobHold, progress: Progress): Promise<number | null>;
  /**
   * Stores the last revision of a job, durably, ends the reservation of the hold in the same step, and answers the
   * revision's number; null, and nothing is changed, when the job has ended or the hold is lost.
   */
  endJob(end: JobEnd, hold: JobHold): Promise<number | null>;
  /** Asks the conductor of a running job to stop it. */
  requestCancel(id: string, requestedBy: string): Promise<void>;
  /** The ids of the running jobs of a conductor. */
  listRunningJobs(conductor: string): Promise<string[]>;
  /** The running jobs of a conductor that are asked to stop, and by whom. */
  listCancelRequests(conductor: string): Promise<{ id: string; requestedBy: string }[]>;
  /** Null when there is none. */
  getJob(id: string): Promise<Job | null>;
  /** Newest first. */
  listJobs(query: JobQuery): Promise<Job[]>;
  /** The job as it was at each stored revision above `after`, in order. Empty when there is none. */
  listRevisions(id: string, after: number): Promise<Job[]>;
  /** The newest revision of each of these jobs that is there. */
  newestRevisions(ids: readonly string[]): Promise<Map<string, number>>;
  /** Where the newest of the ended jobs stands that comes after the `count` which ended last; null when there is none. */
  placeAfterNewest(count: number): Promise<EndPlace | null>;
  /** Removes at most `limit` jobs that ended at `place` or before, the oldest first; answers how many. */
  removeEndedJobs(place: EndPlace, limit: number): Promise<number>;

  /**
   * Begins an idempotent call of `conductor`. Null when it is the first with its caller and key since `notBefore`;
   * otherwise what is known of the first, or that the conductor has no lease (any more) and the call was not begun.
   */
  beginIdempotent(call: IdempotentCall, conductor: string, notBefore: Date): Promise<KnownCall | null | 'expired'>;
  /**
   * The call that `conductor` began is about to run. False when it must not: the conductor's lease has run out, and the
   * call may be another's since.
   */
  acceptIdempotent(caller: string, key: string, conductor: string): Promise<boolean>;
  /** Keeps the outcome of an accepted call. */
  finishIdempotent(caller: string, key: string, outcome: JsonObject): Promise<void>;
  /** Forgets a call of `conductor` that did not begin to act, however far it is known to have come. */
  forgetIdempotent(caller: string, key: string, conductor: string): Promise<void>;
  /** Removes what is older than `notBefore`, at most `limit`; answers how many. */
  removeIdempotent(notBefore: Date, limit: number): Promise<number>;

  /** Calls `listener` at each change that another process made, as far as somebody may wait for it. */
  onChange(listener: (change: Change) => void): void;
  /** Whether the store answers. Throws when it does not. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
