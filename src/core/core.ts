// The core: dispatches calls, locks nodes, runs jobs. Independent of HTTP, Protobuf and SQL.

import type { Activity } from './activity.ts';
import type { Caller, Role } from './caller.ts';
import type { EventIntake, PushSenders } from './events/eventIntake.ts';
import type { EventSources, ReceivingSettings } from './events/eventSources.ts';
import type { Events } from './events/events.ts';
import type { HandoverLag } from './events/handover/handoverStore.ts';
import type { HandoverSettings } from './events/handover/handoverTarget.ts';
import type { HardwareType } from './hardware.ts';
import type { JobState } from './job.ts';
import type { ShownJob } from './jobs/shownJob.ts';
import type { Json, JsonObject } from './json.ts';
import type { EndSignal } from './lazyAbort.ts';
import type { Attachment, Method } from './method.ts';
import type { NewNode, Node, NodeUpdate } from './node.ts';
import type { Page } from './page.ts';
import type { AttributeCount, HostTimes, NodeQuery } from './store.ts';
import type { Recording } from './transcript.ts';
import type { WatchSink } from './watch/watchEvent.ts';

/** The outcome of a call. `transcriptId` is set when the transcript of a synchronous call was kept. */
export type Outcome =
  /** The result of a synchronous method; null when it returns nothing. */
  | { kind: 'result'; result: Json; transcriptId?: string }
  | { kind: 'attachment'; attachment: Attachment; transcriptId?: string }
  /** The job started by an asynchronous method. */
  | { kind: 'job'; job: ShownJob };

/** A call of a method, over any protocol. */
interface Call {
  /** The method's name; null when missing. */
  method: string | null;
  arguments: JsonObject;
  /** The HTTP verb; null when not given, which is allowed for a method with one verb. */
  httpMethod: string | null;
  /** Null when not given. */
  idempotencyKey: string | null;
  /** Which transcripts are kept; the configured ones when absent. */
  recording?: Recording;
  caller: Caller;
  /** Ends a synchronous call, with a reason of kind `cancelled` or `deadline_exceeded`; an accepted job continues. */
  signal: EndSignal;
  /** Null when the caller set none. */
  deadline: Date | null;
}

export interface NodeCall extends Call {
  /** UUID or name. */
  node: string;
  /** Milliseconds to wait for a locked node; 0 fails immediately; null for the configured attempts and interval. */
  lockWait: number | null;
  /** The key of a hold (`Nodes.lock`) that the call runs within; absent or null for none. */
  reservationKey?: string | null;
}

export interface DriverCall extends Call {
  driver: string;
}

export interface LockRequest {
  /** The name shown by the reservation; null for the caller's. */
  holder: string | null;
  /** Why the node is held, for people. */
  reason?: string | null;
  /** How long, in milliseconds; absent or null: until `unlock`. */
  duration?: number | null;
  /** As NodeCall.lockWait. */
  lockWait: number | null;
  caller: Caller;
  signal: AbortSignal;
}

export interface RenewRequest {
  /** Null for the caller who took the reservation, and for admins. */
  reservationKey: string | null;
  /** How long the node is held from now, in milliseconds; null: until `unlock`. */
  duration: number | null;
  caller: Caller;
}

/** A held node, and the key of its reservation, which is shown only once. */
export interface LockedNode {
  node: Node;
  reservationKey: string;
}

/**
 * Enrols and manages nodes. Every `ident` is a UUID or a name; anything else throws `invalid_argument`, an unknown one
 * `node_not_found`.
 */
export interface Nodes {
  /** Throws `invalid_argument`, `already_exists`. */
  create(node: NewNode, caller: Caller): Promise<Node>;
  get(ident: string): Promise<Node>;
  /** Returns a page, which ends early when its nodes are long. Throws `node_not_found` when the marker does not exist. */
  list(query: NodeQuery): Promise<Page<Node>>;
  /** Returns how many nodes are in each shard, and how many in none. */
  shards(): Promise<AttributeCount[]>;
  /**
   * Makes the changes that `change` returns for the current node, under its reservation; none when it throws.
   * Throws `node_locked`, `invalid_argument`, `already_exists`.
   */
  update(ident: string, change: (node: Node) => NodeUpdate, caller: Caller, signal: AbortSignal): Promise<Node>;
  /** Throws `node_locked`, `failed_precondition` for a node with an instance, `permission_denied` for a protected one. */
  delete(ident: string, caller: Caller, signal: AbortSignal): Promise<void>;
  /** Holds a node until `unlock`, or for the given duration. Throws `node_locked`. */
  lock(ident: string, request: LockRequest): Promise<LockedNode>;
  /**
   * Gives a `held` reservation another duration. Throws `reservation_ended` when there is none, or none with the given key,
   * and `permission_denied` as `unlock`.
   */
  renewLock(ident: string, request: RenewRequest): Promise<Node>;
  /**
   * Ends a `held` reservation; a call that runs within it goes on without it. Does nothing on a free node. Throws
   * `failed_precondition` for the reservation of a running call; with a key `reservation_ended` when it is not that of the
   * reservation; and without one `permission_denied` unless the caller took the reservation or is an admin.
   */
  unlock(ident: string, caller: Caller, reservationKey?: string | null): Promise<Node>;
  /** Returns why the vendor interface cannot work with the node; null when it can. */
  validate(ident: string): Promise<string | null>;
  /**
   * Tells `sink` the current state of all nodes that match, then every change; with a cursor, every change after it. Ends
   * with the reason of `signal`.
   */
  watch(request: NodesWatch, sink: WatchSink<Node>, signal: AbortSignal): Promise<never>;
}

/** Selects the nodes to watch. */
export interface NodesWatch {
  /** UUIDs or names; empty for all. */
  nodes: readonly string[];
  driver: string | null;
  /** Null without one. A malformed one throws `invalid_argument`. */
  cursor: string | null;
}

export interface Drivers {
  /** Returns all hardware types, sorted by name. */
  list(): HardwareType[];
  /** Throws `driver_not_found` ("The driver 'x' is unknown."). */
  get(name: string): HardwareType;
  /** Returns the methods of a driver with their roles, those of all its vendor interfaces and its own. Throws as `get`. */
  methods(name: string): { ofNodes: readonly Method<never>[]; ofDriver: readonly Method<never>[] };
  /** The lowest role that may call any method. */
  readonly leastCallRole: Role;
}

/** Selects the jobs to list. */
export interface JobsQuery {
  limit: number;
  /** The id of the last job of the previous page; null for the first page. */
  olderThan: string | null;
  /** UUID or name of a node; null for all. */
  node: string | null;
  driver: string | null;
  state: JobState | null;
}

/** Selects the jobs to watch; `state` is that of a job after its change. */
export interface JobsWatch extends NodesWatch {
  state: JobState | null;
  requestedBy: string | null;
}

/** Returns, watches and cancels jobs, each as its caller may see it. An unknown id throws `job_not_found`. */
export interface Jobs {
  get(id: string, caller: Caller): Promise<ShownJob>;
  /** Returns a page of jobs, the newest first, which ends early when its jobs are long. */
  list(query: JobsQuery, caller: Caller): Promise<Page<ShownJob>>;
  /**
   * Requests the cancellation of a job, waits up to 5 s for its end, and returns the job as it is then.
   * Throws `permission_denied` for another caller's job unless the caller is an admin.
   */
  cancel(id: string, caller: Caller): Promise<ShownJob>;
  /**
   * Returns the transcript of a job or of a synchronous call as JSON text. Throws `transcript_not_found` when the job has
   * none, and `permission_denied` for a caller who may not call the method.
   */
  transcript(id: string, caller: Caller): Promise<string>;
  /**
   * Yields the states of a job until its terminal one: the current state and every change, or, with `afterRevision`, every
   * stored revision above it, in order. Throws `signal.reason`. Reads nothing from the store while nothing changes.
   */
  watch(id: string, afterRevision: number | null, caller: Caller, signal: AbortSignal): AsyncGenerator<ShownJob, void>;
  /** As `Nodes.watch`, for jobs; the oldest first while the current state is told. */
  watchAll(request: JobsWatch, caller: Caller, sink: WatchSink<ShownJob>, signal: AbortSignal): Promise<never>;
}

/** The load of this process. */
export interface Load {
  busyWorkers: number;
  workers: number;
  /** The number of running calls, excluding jobs. */
  runningCalls: number;
  runningJobs: number;
  /** The number of watchers of jobs, nodes and events. */
  watches: number;
}

/** The service without its protocols. */
export interface Core {
  /**
   * Returns the methods of a node's vendor interface, sorted by name: at once when the node need not be read. The array is the
   * same object for the same interface.
   */
  listNodeMethods(node: string): Promise<readonly Method<never>[]> | readonly Method<never>[];
  callNodeMethod(call: NodeCall): Promise<Outcome>;
  /** Returns the methods of a driver. Throws `driver_not_found`. The array is the same object for the same driver. */
  listDriverMethods(driver: string): readonly Method<never>[];
  callDriverMethod(call: DriverCall): Promise<Outcome>;
  readonly nodes: Nodes;
  readonly drivers: Drivers;
  readonly jobs: Jobs;
  readonly events: Events;
  /** Takes the events that BMCs send. */
  readonly intake: EventIntake;
  /** The sources that may send to the receiver. */
  readonly senders: PushSenders;
  readonly eventSources: EventSources;
  /** Begins to look after event sources: events can reach this process. Throws kind `store_unavailable`. */
  receiveEvents(settings: ReceivingSettings): Promise<void>;
  /** Begins to hand over events; one of the processes that share a store does so at a time. Throws kind `store_unavailable`. */
  handOverEvents(settings: HandoverSettings): Promise<void>;
  /** Returns how far the hand-over is behind; null when this process takes no part in it. */
  handoverLag(): Promise<HandoverLag | null>;
  /** The name shown by reservations of this process. */
  readonly host: string;
  /** Returns the distinct hosts of all processes on the same store, including this one, sorted. */
  hosts(): Promise<string[]>;
  /** Returns the same hosts with the times of their processes. */
  processes(): Promise<HostTimes[]>;
  load(): Load;
  /** Returns what this process did in the last hour. */
  activity(): Promise<Activity>;
  /** Throws `shutting_down` or `store_unavailable` when the service cannot take calls. */
  checkReady(): Promise<void>;
  /**
   * Refuses new calls and changes of nodes with `shutting_down`, waits up to `grace` milliseconds for running ones, aborts
   * the rest, stores the end of their jobs, releases their nodes and closes the hardware types. The store stays open.
   */
  shutdown(grace: number): Promise<void>;
}
