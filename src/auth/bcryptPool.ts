import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { PassthruError } from '../core/errors.ts';
import type { BcryptTask } from './bcryptWorker.ts';

/** So many threads at most: a hash takes a core for a tenth of a second, and calls need the others. */
const THREADS = Math.min(2, Math.max(1, availableParallelism() - 1));

/** So many may wait: who guesses passwords must not make everyone wait for long. */
const MAX_WAITING = 256;

/** The file of the thread's code, which is a .js where this one is. */
const WORKER = new URL(import.meta.url.replace(/bcryptPool(\.[cm]?[jt]s)[^/]*$/, 'bcryptWorker$1'));

interface Waiting {
  task: BcryptTask;
  settle: PromiseWithResolvers<boolean>;
}

/** Compares passwords with bcrypt hashes on threads of their own. They start with the first comparison. */
export class BcryptPool {
  readonly #waiting: Waiting[] = [];
  readonly #idle: Worker[] = [];
  readonly #workers = new Map<Worker, Waiting | null>();
  #closed = false;

  /** Whether `password` is the one of `hash`. Throws kind `rate_limited` when too many wait already. */
  compare(password: string, hash: string): Promise<boolean> {
    if (this.#waiting.length >= MAX_WAITING || this.#closed) {
      throw new PassthruError('rate_limited', 'Too many passwords wait to be checked; try again shortly.');
    }
    const settle = Promise.withResolvers<boolean>();
    this.#waiting.push({ task: { password, hash }, settle });
    this.#next();
    return settle.promise;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { settle } of this.#waiting.splice(0)) settle.reject(shutDown());
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
      this.#workers.get(worker)?.settle.reject(shutDown());
      this.#workers.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      if (!this.#closed) this.#next();
    });
    this.#workers.set(worker, null);
    return worker;
  }
}

function shutDown(): PassthruError {
  return new PassthruError('shutting_down', 'The service is shutting down; try again shortly.');
}
