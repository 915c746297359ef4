import type { ErrorRecord } from './errors.ts';
import type { Job, JobState, Progress } from './job.ts';
import type { Json, JsonObject } from './json.ts';
import type { Node, NodeChanges, Reservation } from './node.ts';

/**
 * A node as a store reads it. `fence` grows by one with every reservation of the node, from 0 for a node that was
 * never reserved. Every change of a node happens under a reservation, so a node read at fence N is still true for the
 * one who takes reservation N + 1.
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
  /** Only nodes that are reserved (true) or free (false). */
  reserved?: boolean;
  /** Only nodes whose attribute of that name is equal, for example `{ owner: 'x' }`. */
  attributes?: Record<string, Json>;
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
  /** Another holds the node. */
  | { outcome: 'locked'; reservation: Reservation }
  /** There is no such node (any more). */
  | { outcome: 'missing' };

/** How a job ended. */
export interface JobEnd {
  id: string;
  /** The revision that the end becomes: one more than the job's last. */
  revision: number;
  state: Exclude<JobState, 'running'>;
  endTime: Date;
  progress: Progress | null;
  result: Json;
  error: ErrorRecord | null;
  /** The node whose `last_error` is set to the text; null to leave it. */
  lastError: { nodeUuid: string; text: string } | null;
  /** The reservation to release in the same step; null when the job holds none. */
  release: { nodeUuid: string; fence: number } | null;
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
  /** Null unless done. */
  outcome: JsonObject | null;
}

/**
 * Where nodes, reservations, jobs and idempotency keys live. Each method is one step: it happens whole or not at all,
 * and is seen by every later one. A store that cannot be reached throws a PassthruError of kind `store_unavailable`.
 * What a method returns is the caller's own.
 */
export interface Store {
  /** Enrols `node`, free and never changed. The caller has checked every field. */
  createNode(node: Omit<Node, 'reservation' | 'lastError' | 'updateTime'>): Promise<StoredNode | NodeConflict>;
  /** Null when there is none. */
  getNodeByUuid(uuid: string): Promise<StoredNode | null>;
  getNodeByName(name: string): Promise<StoredNode | null>;
  /** Null when the marker is not there. */
  listNodes(query: NodeQuery): Promise<StoredNode[] | null>;
  /** Null when the node is not there. */
  updateNode(uuid: string, changes: NodeChanges, updateTime: Date): Promise<StoredNode | NodeConflict | null>;
  /** Removes a node and its reservation; its jobs stay. False when it was not there. */
  deleteNode(uuid: string): Promise<boolean>;

  /** Reserves a node when it is free. `owner` is the process that holds a `call`, see `recover`. */
  acquire(nodeUuid: string, reservation: Reservation, owner: string): Promise<Acquired>;
  /** Ends the reservation with this fence; false when it is no longer the node's. */
  release(nodeUuid: string, fence: number): Promise<boolean>;

  /**
   * Stores an accepted job (revision 1) so that it survives a crash of the machine, names it in the node's
   * reservation when `fence` is given, clears the node's `last_error`, and keeps it as the outcome of the idempotent
   * call when there is one.
   */
  acceptJob(job: Job, fence: number | null, idempotent: IdempotentCall | null, outcome: JsonObject): Promise<void>;
  /** Stores a revision of a running job. */
  recordProgress(id: string, revision: number, progress: Progress): Promise<void>;
  /** Stores the last revision of a job, durably. Does nothing when the job has ended already. */
  endJob(end: JobEnd): Promise<void>;
  /** Null when there is none. */
  getJob(id: string): Promise<Job | null>;
  /** Newest first. */
  listJobs(query: JobQuery): Promise<Job[]>;
  /** The job as it was at each stored revision above `after`, in order. Empty when there is none. */
  listRevisions(id: string, after: number): Promise<Job[]>;

  /**
   * Begins an idempotent call. Null when it is the first with its caller and key since `notBefore`; otherwise what is
   * known of the first.
   */
  beginIdempotent(call: IdempotentCall, owner: string, notBefore: Date): Promise<KnownCall | null>;
  /** The call is about to run. */
  acceptIdempotent(caller: string, key: string): Promise<void>;
  /** Keeps the outcome of an accepted call. */
  finishIdempotent(caller: string, key: string, outcome: JsonObject): Promise<void>;
  /** Forgets a call that was not accepted. */
  forgetIdempotent(caller: string, key: string): Promise<void>;

  /**
   * Called once before anything else by the process `owner`, on a store that one process uses alone: ends what an
   * earlier process left. Every running job fails with `error` (its node's `last_error` too, as `lastError(job)`
   * words it), every reservation of kind `call` is released, an idempotent call that was accepted gets `unknown` as its
   * outcome, one that was not is forgotten. Answers the jobs that were failed.
   */
  recover(recovery: {
    owner: string;
    now: Date;
    error: ErrorRecord;
    lastError(job: Job): string;
    unknown: JsonObject;
  }): Promise<Job[]>;
  /** Whether the store answers. Throws when it does not. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
