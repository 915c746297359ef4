import { PassthruError, shuttingDown } from './errors.ts';

/** The calls and jobs that run in this process, so that a shutdown can wait for them and end them. */
export class Running {
  readonly #work = new Map<Promise<unknown>, AbortController>();
  #open = true;
  /** Why everything was aborted; null before that. */
  #aborted: Error | null = null;

  /** Throws kind `shutting_down` once `close` was called. */
  checkOpen(): void {
    if (!this.#open) throw shuttingDown();
  }

  /** No new calls from now on. What one that runs leads to, such as its job, may still be added. */
  close(): void {
    this.#open = false;
  }

  /** Keeps `work` until it settles. After `abort` it is aborted at once. */
  add(work: Promise<unknown>, controller: AbortController): void {
    this.#work.set(work, controller);
    if (this.#aborted !== null) controller.abort(this.#aborted);
    const remove = () => this.#work.delete(work);
    work.then(remove, remove);
  }

  /** Whether nothing runs. */
  get idle(): boolean {
    return this.#work.size === 0;
  }

  /** Waits until nothing runs, at most `time` milliseconds; whether nothing runs then. */
  async drain(time: number): Promise<boolean> {
    const end = performance.now() + time;
    while (this.#work.size > 0) {
      const left = end - performance.now();
      if (left <= 0) return false;
      await settledWithin([...this.#work.keys()], left);
    }
    return true;
  }

  /** Fires the signal of everything that runs. */
  abort(reason: Error): void {
    this.#aborted = reason;
    for (const controller of this.#work.values()) controller.abort(reason);
  }
}

/** Resolves when all of `work` is settled, or after `time` milliseconds. */
export async function settledWithin(work: Promise<unknown>[], time: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, time);
  });
  await Promise.race([Promise.allSettled(work), timeout]);
  clearTimeout(timer);
}

/** The bounded pool that asynchronous methods run on: a job is accepted only with a place in it. */
export class Workers {
  readonly size: number;
  #busy = 0;

  /** @param size how many jobs may run at once */
  constructor(size: number) {
    this.size = size;
  }

  /** How many places are taken. */
  get busy(): number {
    return this.#busy;
  }

  /** Takes a place and answers what gives it back, once. Throws kind `no_free_worker` when all are taken. */
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
