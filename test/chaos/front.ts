/** A call of a method, as a caller sends it. */
export interface ChaosCall {
  node: string;
  method: string;
  httpMethod: 'GET' | 'POST';
  args: Record<string, string | number>;
  /** Null for none. */
  key: string | null;
}

/** What a caller was told. */
export type Told =
  | { kind: 'result'; id: string | null }
  | { kind: 'job'; id: string }
  /** The service says that nothing was done: the node is locked, the store or a worker is missing, it is closing. */
  | { kind: 'refused'; why: string }
  /** The service answers that the call failed, or that its outcome is not known. */
  | { kind: 'failed'; why: string }
  /** Nobody answered, or not in time. */
  | { kind: 'unanswered'; why: string };

/** A job at one revision. */
export interface SeenJob {
  revision: number;
  /** As the store has it. */
  state: string;
}

/** One way into one replica. */
export interface Front {
  readonly name: string;
  call(url: string, call: ChaosCall): Promise<Told>;
  /** Every state of a job after a revision, or from the present one on. Throws when the stream breaks. */
  watch(url: string, job: string, after: number | null, signal: AbortSignal): AsyncIterable<SeenJob>;
  /** Throws when it is not done. */
  cancel(url: string, job: string): Promise<void>;
}

/** Milliseconds that a caller waits for an answer. */
export const PATIENCE = 8000;

export const TERMINAL: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);
