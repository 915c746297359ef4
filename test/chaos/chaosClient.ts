import type { Job } from '../../gen/passthru/v1/job_pb.ts';
import type { Node } from '../../gen/passthru/v1/node_pb.ts';

/** A method call. */
export interface ChaosCall {
  node: string;
  method: string;
  httpMethod: 'GET' | 'POST';
  args: Record<string, string | number>;
  /** The idempotency key. */
  key: string | null;
  /** The key of the reservation to run within. */
  reservationKey?: string;
}

/** The outcome of a call for its caller. */
export type Outcome =
  | { kind: 'result'; id: string | null }
  | { kind: 'job'; id: string }
  /** The call had no effect: the node is locked, no worker is free, or the store or the service is unavailable. */
  | { kind: 'refused'; reason: string }
  /** The call failed, or its effect is unknown to the service. */
  | { kind: 'failed'; reason: string }
  /** There was no response in time. */
  | { kind: 'no response'; reason: string };

/** A job at one revision. */
export interface SeenJob {
  revision: number;
  /** As in the store. */
  state: string;
}

/** A message of a watch of many jobs or nodes. */
export interface Told {
  /** Resumes after it; '' while the current state is told. */
  cursor: string;
  event:
    | { kind: 'job'; item: Job }
    | { kind: 'node'; item: Node }
    | { kind: 'removed'; uuid: string }
    | { kind: 'current' | 'reset' };
}

/** A client of one protocol. */
export interface ChaosClient {
  readonly name: string;
  call(url: string, call: ChaosCall): Promise<Outcome>;
  /** Yields the states of a job after a revision, or from the current one on. Throws when the stream breaks. */
  watch(url: string, job: string, after: number | null, signal: AbortSignal): AsyncIterable<SeenJob>;
  /**
   * Yields the changes of all jobs or nodes: of one hardware type, or of all for ''; after a cursor, or from the current state
   * on for ''. Throws when the stream breaks.
   */
  watchMany(
    url: string,
    kind: 'job' | 'node',
    driver: string,
    cursor: string,
    signal: AbortSignal,
  ): AsyncIterable<Told>;
  /** Watches all events after a cursor, or from now on for ''. Each is told with the cursor after it. */
  watchEvents(
    url: string,
    cursor: string,
    signal: AbortSignal,
  ): AsyncGenerator<{ kind: 'event' | 'current' | 'reset'; cursor: string }>;
  /** Throws when the job was not cancelled. */
  cancel(url: string, job: string): Promise<void>;
  /** Locks a node for `seconds` and returns the key. Throws when it was not locked. */
  hold(url: string, node: string, seconds: number, reason: string): Promise<string>;
  /** Lets the node be held for `seconds` from now. Throws when it was not renewed. */
  renew(url: string, node: string, key: string, seconds: number): Promise<void>;
  /** Ends the reservation of `key`. Throws when it was not ended. */
  endHold(url: string, node: string, key: string): Promise<void>;
}

/** Milliseconds that a caller waits for a response. */
export const CALL_TIMEOUT = 8000;

export const TERMINAL: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);
