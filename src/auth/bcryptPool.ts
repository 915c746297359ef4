import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { shuttingDown } from '../core/errors.ts';
import type { BcryptTask } from './bcryptWorker.ts';

/** Maximum number of threads: one hash takes a core for 0.1 s, and calls need the other cores. */
const THREADS = Math.min(2, Math.max(1, availableParallelism() - 1));

/** The worker's file: beside this source, or that of the bundle, in which this module is part of a file in `chunks`. */
const WORKER = new URL(
  /\.ts[^/]*$/.test(import.meta.url) ? 'bcryptWorker.ts' : '../auth/bcryptWorker.js',
  import.meta.url,
);

interface Waiting {
  task: BcryptTask;
  settle: PromiseWithResolvers<boolean>;
}

/** Compares passwords with bcrypt hashes on worker threads, which start with the first comparison. */
export class BcryptPool {
  readonly #waiting: Waiting[] = [];
  readonly #idle: Worker[] = [];
  readonly #workers = new Map<Worker, Waiting | null>();
  #closed = false;

  /**
   * Whether the password of `task` matches its hash.
   * @param first skips the queue; the caller bounds how many may
   * @throws kind `shutting_down` when the pool is closed meanwhile
   */
  async compare(task: BcryptTask, first: boolean): Promise<boolean> {
    if (this.#closed) throw shuttingDown();
    const settle = Promise.withResolvers<boolean>();
    const waiting = { task, settle };
    if (first) this.#waiting.unshift(waiting);
    else this.#waiting.push(waiting);
    this.#next();
    return settle.promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { settle } of this.#waiting.splice(0)) settle.reject(shuttingDown());
    await Promise.all([...this.#workers.keys()].map((worker) => worker.terminate()));
  }

  #next(): void {
    if (this.#waiting.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#workers.size < THREADS ? this.#start() : undefined);
    if (worker === undefined) return;
    const work = this.#waiting.shift() as Waiting;
    this.#workers.set(worker, work);
    worker.postMessage(work.task);
  }

  #start(): Worker {
    const worker = new Worker(WORKER);
    worker.unref();
    worker.on('message', (matches: boolean) => {
      this.#workers.get(worker)?.settle.resolve(matches);
      this.#workers.set(worker, null);
      this.#idle.push(worker);
      this.#next();
    });
    // An error ends the thread; the next comparison starts another.
    worker.on('error', (error) => this.#workers.get(worker)?.settle.reject(error));
    worker.on('exit', () => {
      this.#workers.get(worker)?.settle.reject(shuttingDown());
      this.#workers.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      if (!this.#closed) this.#next();
    });
    this.#workers.set(worker, null);
    return worker;
  }
}
