import { PassthruError, shuttingDown } from './errors.ts';
import { settledWithin } from './waiting.ts';

/** The AbortController of a job, or the `LazyAbort` of a call. */
export interface Abortable {
  abort(reason: unknown): void;
}

/** The calls and jobs that run in this process, so that a shutdown can wait for them and abort them. */
export class Running {
  readonly #work = new Map<Promise<unknown>, Abortable>();
  #open = true;
  /** The reason of `abort`; null before it. */
  #aborted: Error | null = null;

  /** Throws kind `shutting_down` once `close` was called. */
  checkOpen(): void {
    if (!this.#open) throw shuttingDown();
  }

  /** Refuses new calls. Work of a running call, such as its job, may still be added. */
  close(): void {
    this.#open = false;
  }

  /** Tracks `work` until it settles. Aborts it immediately after `abort`. */
  add(work: Promise<unknown>, controller: Abortable): void {
    this.#work.set(work, controller);
    if (this.#aborted !== null) controller.abort(this.#aborted);
    const remove = () => this.#work.delete(work);
    work.then(remove, remove);
  }

  /** The number of running calls and jobs. */
  get count(): number {
    return this.#work.size;
  }

  /** Waits up to `time` milliseconds until nothing runs. Returns whether nothing runs. */
  async drain(time: number): Promise<boolean> {
    const end = performance.now() + time;
    while (this.#work.size > 0) {
      const remaining = end - performance.now();
      if (remaining <= 0) return false;
      await settledWithin([...this.#work.keys()], remaining);
    }
    return true;
  }

  /** Aborts everything that runs. */
  abort(reason: Error): void {
    this.#aborted = reason;
    for (const controller of this.#work.values()) controller.abort(reason);
  }
}

/** The shares of the workers, in jobs at the same time. */
export interface WorkerShares {
  /** Of one caller. */
  caller: number;
  /** Of one node. */
  node: number;
}

/** Whose job takes a worker; `node` is null for a driver method. */
interface WorkerUser {
  caller: string;
  node: string | null;
}

/** The bounded pool of workers that jobs run on, of which nobody gets more than a share. */
export class Workers {
  readonly size: number;
  readonly #shares: WorkerShares;
  #busy = 0;
  readonly #callers = new Map<string, number>();
  readonly #nodes = new Map<string, number>();

  /** @param size the maximum number of concurrent jobs */
  constructor(size: number, shares: WorkerShares = { caller: size, node: size }) {
    this.size = size;
    this.#shares = shares;
  }

  /** The number of busy workers. */
  get busy(): number {
    return this.#busy;
  }

  /** Throws kind `no_free_worker` when all workers are busy, or as many as the user may have. */
  check({ caller, node }: WorkerUser): void {
    if (this.#busy >= this.size) throw noFreeWorker(`all ${this.size} are busy`);
    const { caller: ofCaller, node: ofNode } = this.#shares;
    if ((this.#callers.get(caller) ?? 0) >= ofCaller) throw noFreeWorker(`${caller} has all ${ofCaller} of its share`);
    if (node !== null && (this.#nodes.get(node) ?? 0) >= ofNode) {
      throw noFreeWorker(`node ${node} has all ${ofNode} of its share`);
    }
  }

  /** As `check`, then takes a worker. Returns a function that frees it. */
  reserve(user: WorkerUser): () => void {
    this.check(user);
    const { caller, node } = user;
    const count = (by: number) => {
      this.#busy += by;
      add(this.#callers, caller, by);
      if (node !== null) add(this.#nodes, node, by);
    };
    count(1);
    let taken = true;
    return () => {
      if (taken) count(-1);
      taken = false;
    };
  }
}

/** Changes a count, and drops it at 0. */
function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

function noFreeWorker(why: string): PassthruError {
  // Worded as Ironic's NoFreeConductorWorker.
  return new PassthruError(
    'no_free_worker',
    `Requested action cannot be performed due to lack of free workers: ${why}. Try again later.`,
  );
}
