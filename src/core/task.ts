import type { EventSelection } from './events/eventSource.ts';
import type { Logger } from './logger.ts';
import type { Node } from './node.ts';
import type { Recorder } from './transcript.ts';

/** The task of a vendor interface's method: one call on one node. */
export interface NodeTask extends Task {
  /**
   * The node when the call began, which an exclusive method has reserved until the handler ends. `lastError` and
   * `reservation` may be older than the call.
   */
  readonly node: Node;
  /** The event source of the node; absent where a test or an embedder has none. */
  readonly eventSource?: NodeEventSource;
}

/** The event source of a task's node. */
export interface NodeEventSource {
  /** Makes the events of the node arrive, by whichever way works. Throws kind `failed_precondition` when none can. */
  set(selection: EventSelection): Promise<void>;
  /** Ends that. Returns false when there was no source. */
  delete(): Promise<boolean>;
  /** Returns the URI of its subscription at the machine; null when there is none. */
  subscription(): Promise<string | null>;
}

/** The task of a driver method. */
export interface DriverTask extends Task {}

/** One call, as its handler gets it. */
export interface Task {
  /** The hardware type. */
  readonly driver: string;
  /** The method's name. */
  readonly method: string;
  /** The verb of the call, one of the method's. */
  readonly httpMethod: HttpMethod;
  /** The caller's name. */
  readonly requestedBy: string;
  /**
   * Fires when the caller of a synchronous method disconnects or its deadline passes, on cancellation, and on shutdown.
   * Pass it to every wait, and throw `signal.reason`. A handler that continues for 60 s is given up: `beforeSend` throws, and
   * the node is free when its last request can no longer be under way.
   */
  readonly signal: AbortSignal;
  /** The caller's deadline; null for none. */
  readonly deadline: Date | null;
  /** The number of the task's reservation, incremented by each; null for a method without one. */
  readonly fence: number | null;
  /**
   * Checks the lease of the reservation. Call it in the tick in which a request is sent to the machine. When it throws, send
   * nothing: another call may have the node.
   */
  beforeSend(): void;
  /** Reports progress; `fraction` from 0 to 1, null when unknown. Ignored in synchronous calls. */
  progress(fraction: number | null, message: string): void;
  readonly log: Logger;
  /** Records what the handler exchanges with the machine; null when the call is not recorded. */
  readonly recorder: Recorder | null;
}

/** The verbs of a vendor method. */
export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export const HTTP_METHODS: readonly HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
