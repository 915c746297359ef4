// The core: dispatches calls, locks nodes, runs jobs. Knows no HTTP, Protobuf or SQL.

import type { Caller } from './caller.ts';
import type { HardwareType } from './hardware.ts';
import type { Job, JobState } from './job.ts';
import type { Json, JsonObject } from './json.ts';
import type { Attachment, Method } from './method.ts';
import type { NewNode, Node, NodeUpdate } from './node.ts';
import type { NodeQuery } from './store.ts';

/** What a call came to. */
export type Outcome =
  /** A synchronous method answered; null when it answers nothing. */
  | { kind: 'result'; result: Json }
  | { kind: 'attachment'; attachment: Attachment }
  /** An asynchronous method was accepted. */
  | { kind: 'job'; job: Job };

/** One call of a method, as either way in gives it. */
interface Call {
  /** The method's name; null when the way in was given none. */
  method: string | null;
  arguments: JsonObject;
  /** The verb; null when the way in has none, which is enough for a method with one verb. */
  httpMethod: string | null;
  /** Null when none was given. */
  idempotencyKey: string | null;
  caller: Caller;
  /**
   * Fires when the caller leaves or its deadline passes, with a PassthruError of kind `cancelled` or
   * `deadline_exceeded` as the reason. Ends a synchronous call; a job that was accepted goes on.
   */
  signal: AbortSignal;
  /** Null when the caller gave none. */
  deadline: Date | null;
}

export interface NodeCall extends Call {
  /** UUID or name. */
  node: string;
  /** Milliseconds to wait for a locked node; 0 fails at once; null for the configured attempts and interval. */
  lockWait: number | null;
}

export interface DriverCall extends Call {
  driver: string;
}

export interface LockRequest {
  /** The name that the reservation shows; the caller's when null. */
  holder: string | null;
  /** As NodeCall.lockWait. */
  lockWait: number | null;
  caller: Caller;
  signal: AbortSignal;
}

/**
 * Enrols and manages nodes. `ident` is a UUID or a name throughout; one that can be neither throws
 * `invalid_argument` ("Expected UUID or name for node_ident: …"), an unknown one `node_not_found`.
 */
export interface Nodes {
  /** Throws `invalid_argument`, `already_exists`. */
  create(node: NewNode, caller: Caller): Promise<Node>;
  get(ident: string): Promise<Node>;
  /** Throws `node_not_found` when the marker is not there. */
  list(query: NodeQuery): Promise<Node[]>;
  /**
   * Changes a node under its reservation. `change` gets the node as it is then and answers what to change; what it
   * throws leaves the node as it was. Throws `node_locked`, `invalid_argument`, `already_exists`.
   */
  update(ident: string, change: (node: Node) => NodeUpdate, caller: Caller, signal: AbortSignal): Promise<Node>;
  /** Throws `node_locked`. */
  delete(ident: string, caller: Caller, signal: AbortSignal): Promise<void>;
  /** Reserves a node until it is unlocked. Throws `node_locked`. */
  lock(ident: string, request: LockRequest): Promise<Node>;
  /**
   * Ends a `held` reservation; does nothing on a free node. Throws `failed_precondition` on a running call's, and
   * `permission_denied` on another's unless the caller is an admin.
   */
  unlock(ident: string, caller: Caller): Promise<Node>;
  /** Null when the vendor interface can work with the node; otherwise why not. */
  validate(ident: string): Promise<string | null>;
}

export interface Drivers {
  /** All hardware types by name. */
  list(): HardwareType[];
  /** Throws `driver_not_found` ("The driver 'x' is unknown."). */
  get(name: string): HardwareType;
}

/** Which jobs to list. */
export interface JobsQuery {
  limit: number;
  /** The id of the last job of the page before; null for the first page. */
  olderThan: string | null;
  /** UUID or name of a node; null for all. */
  node: string | null;
  driver: string | null;
  state: JobState | null;
}

/** Looks up, watches and cancels jobs. An unknown id throws `job_not_found`. */
export interface Jobs {
  get(id: string): Promise<Job>;
  /** Newest first. */
  list(query: JobsQuery): Promise<Job[]>;
  /**
   * Asks a job to stop and waits up to 5 s for its end; answers the job as it is then.
   * Throws `permission_denied` on another's job unless the caller is an admin.
   */
  cancel(id: string, caller: Caller): Promise<Job>;
  /**
   * Follows a job to its end. With `afterRevision` null the present state comes at once, then every change; else every
   * stored revision above it, in order. Ends after the terminal state, at once when that is not above `afterRevision`.
   * Throws `signal.reason` when the signal fires. Costs nothing while nothing changes.
   */
  watch(id: string, afterRevision: number | null, signal: AbortSignal): AsyncGenerator<Job, void>;
}

/** What is under way in this process. */
export interface Load {
  busyWorkers: number;
  /** How many there are. */
  workers: number;
  runningJobs: number;
  /** How many follow a job. */
  watches: number;
}

/** The service without its ways in: what REST, RPC and tests call. */
export interface Core {
  /** The methods of a node's vendor interface, by name. The array is the same object for the same interface. */
  listNodeMethods(node: string): Promise<readonly Method<never>[]>;
  callNodeMethod(call: NodeCall): Promise<Outcome>;
  /** Throws `driver_not_found`. The array is the same object for the same driver. */
  listDriverMethods(driver: string): readonly Method<never>[];
  callDriverMethod(call: DriverCall): Promise<Outcome>;
  readonly nodes: Nodes;
  readonly drivers: Drivers;
  readonly jobs: Jobs;
  /** The name that reservations of this process show. */
  readonly host: string;
  /** The names of all processes that serve the same store, this one among them, in order. */
  hosts(): Promise<string[]>;
  load(): Load;
  /** Throws `shutting_down` or `store_unavailable` when the service cannot take calls. */
  checkReady(): Promise<void>;
  /**
   * Takes no new calls and changes of nodes (they get `shutting_down`), waits up to `grace` milliseconds for running ones, aborts the rest,
   * records their jobs, releases their nodes and closes the hardware types. The store stays open.
   */
  shutdown(grace: number): Promise<void>;
}
