import { PassthruError, shuttingDown } from './errors.ts';
import { settledWithin } from './waiting.ts';

/** The calls and jobs that run in this process, so that a shutdown can wait for them and abort them. */
export class Running {
  readonly #work = new Map<Promise<unknown>, AbortController>();
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
  add(work: Promise<unknown>, controller: AbortController): void {
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

/** The bounded pool of workers that jobs run on. */
export class Workers {
  readonly size: number;
  #busy = 0;

  /** @param size the maximum number of concurrent jobs */
  constructor(size: number) {
    this.size = size;
  }

  /** The number of busy workers. */
  get busy(): number {
    return this.#busy;
  }

  /** Takes a worker and returns a function that frees it. Throws kind `no_free_worker` when all are busy. */
  reserve(): () => void {
    if (this.#busy >= this.size) {
      // Worded as Ironic's NoFreeConductorWorker.
      throw new PassthruError(
        'no_free_worker',
        `Requested action cannot be performed due to lack of free workers: all ${this.size} are busy. Try again later.`,
      );
    }
    this.#busy++;
    let taken = true;
    return () => {
      if (taken) this.#busy--;
      taken = false;
    };
  }
}
