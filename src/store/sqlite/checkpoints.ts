import { AsyncLocalStorage } from 'node:async_hooks';
import type { Stats } from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { Logger } from '../../core/logger.ts';
import type { CheckpointedFile, CheckpointOutcome } from './checkpointWorker.ts';

/** The worker's file: beside this source, or that of the bundle, in which this module is part of a file in `chunks`. */
const WORKER = new URL(
  /\.ts[^/]*$/.test(import.meta.url) ? 'checkpointWorker.ts' : '../store/sqlite/checkpointWorker.js',
  import.meta.url,
);

/** Milliseconds from a use of the database to the next look at its log. */
const INTERVAL = 100;

/** Pages of log that are worth a checkpoint, which waits for the disk: with pages of 1 kB 8 MB, in place of the default 1,000 pages. */
export const CHECKPOINT_PAGES = 8000;

/** Pages of log at which the connection moves it itself between two checkpoints of the thread, because that lags. */
const LAGGING_PAGES = 64_000;

/** The same after a checkpoint that failed: the thread is to try again before. */
const FAILED_PAGES = 2 * CHECKPOINT_PAGES;

/** Milliseconds until the next checkpoint after one that another program's reading has stopped, and after one that failed. */
const BLOCKED_PAUSE = 1000;
const FAILED_PAUSE = 5000;

/** Milliseconds without a checkpoint after which the thread ends, for its memory. */
const IDLE_TIME = 30_000;

/** The thread holds a connection and a few small objects. */
const RESOURCES = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 16 };

/**
 * Moves the write-ahead log of the connection `sqlite` into its file by a thread of its own, since on the connection it stops the
 * event loop: it waits for the disk twice. The thread runs while the log grows. While it fails, the connection does it.
 */
export class Checkpoints {
  readonly #sqlite: DatabaseSync;
  readonly #file: CheckpointedFile;
  readonly #log: Logger;
  /** Leaves the request that has used the database: a checkpoint belongs to none. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #size: StatementSync | null = null;
  #timer: NodeJS.Timeout | null = null;
  #worker: Worker | null = null;
  #idleTimer: NodeJS.Timeout | null = null;
  /** The end of the thread before. */
  #ended: Promise<unknown> = Promise.resolve();
  #ordered: PromiseWithResolvers<CheckpointOutcome> | null = null;
  #running: Promise<void> | null = null;
  /** No checkpoint before this time, by the monotonic clock. */
  #pausedUntil = 0;
  /** The pages of log at which the connection moves it; 0 for never. */
  #ownPages = 0;
  #trouble: 'failed' | 'blocked' | null = null;
  #closed = false;

  /**
   * Whether a second connection may move the log. SQLite before 3.51.3 can damage the database when a transaction and a checkpoint of
   * another connection begin at one instant (sqlite.org/wal.html, "the WAL-reset bug").
   */
  static areSafe(version = process.versions.sqlite ?? ''): boolean {
    const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
    return major > 3 || (major === 3 && (minor > 51 || (minor === 51 && patch >= 3)));
  }

  /** @param opened the file at `path` when `sqlite` opened it */
  constructor(sqlite: DatabaseSync, path: string, { ino, dev }: Stats, log: Logger) {
    this.#sqlite = sqlite;
    this.#file = { path, ino, dev };
    this.#log = log;
    this.#checkpointItself(LAGGING_PAGES);
  }

  /** Called when the database was used, so that its log may have grown. */
  used(): void {
    this.#timer ??= this.#outside(() => setTimeout(() => this.#look(), INTERVAL).unref());
  }

  /** Resolves when no checkpoint is under way; the next one begins by a timer. */
  async idle(): Promise<void> {
    if (this.#running === null) return;
    // Otherwise the process might end here, when nothing else keeps it.
    this.#worker?.ref();
    await this.#running;
    this.#worker?.unref();
  }

  /** Ends the thread and its connection. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.idle();
    this.#end();
    await this.#ended;
  }

  #look(): void {
    this.#timer = null;
    if (this.#closed || this.#running !== null) return;
    if (this.#sqlite.isTransaction || performance.now() < this.#pausedUntil) {
      this.used();
      return;
    }
    if (!this.#isLong()) return;
    this.#running = this.#checkpoint().finally(() => {
      this.#running = null;
      this.#idleTimer = setTimeout(() => this.#end(), IDLE_TIME).unref();
      // What was written meanwhile may be enough for the next one.
      if (!this.#closed) this.used();
    });
  }

  #isLong(): boolean {
    try {
      this.#size ??= this.#sqlite.prepare('pragma wal_checkpoint(noop)');
      const { log, checkpointed } = this.#size.get() as { log: number; checkpointed: number };
      return log - checkpointed >= CHECKPOINT_PAGES;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async #checkpoint(): Promise<void> {
    const outcome = await this.#order().catch((error: unknown) => ({ error }));
    if ('error' in outcome) this.#failed(outcome.error);
    else if (outcome.blocked) this.#blocked(outcome.pages);
    else {
      this.#checkpointItself(LAGGING_PAGES);
      if (this.#trouble !== null) this.#log.info({}, 'the log of the database is moved into its file again');
      this.#trouble = null;
    }
  }

  #failed(error: unknown): void {
    this.#pausedUntil = performance.now() + FAILED_PAUSE;
    this.#checkpointItself(FAILED_PAGES);
    if (this.#closed || this.#trouble === 'failed') return;
    this.#log.warn({ err: error }, 'moving the log of the database into its file failed, retrying');
    this.#trouble = 'failed';
  }

  #blocked(pages: number): void {
    this.#pausedUntil = performance.now() + BLOCKED_PAUSE;
    if (pages < LAGGING_PAGES) return;
    // It would be stopped too, after each transaction.
    this.#checkpointItself(0);
    if (this.#trouble === 'blocked') return;
    const message = 'another program reads an old state of the database: the log grows until that program has ended';
    this.#log.warn({ file: this.#file.path, pages }, message);
    this.#trouble = 'blocked';
  }

  /** Has the thread move the log. */
  async #order(): Promise<CheckpointOutcome> {
    const worker = this.#worker ?? this.#start();
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    this.#ordered = Promise.withResolvers();
    worker.postMessage(null);
    return this.#ordered.promise;
  }

  #start(): Worker {
    const worker = new Worker(WORKER, { workerData: this.#file, resourceLimits: RESOURCES, execArgv: [] });
    worker.on('message', (outcome: CheckpointOutcome) => this.#ordered?.resolve(outcome));
    worker.on('error', (error) => this.#ordered?.resolve({ error }));
    worker.on('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#ordered?.resolve({ error: new Error('the thread has ended') });
    });
    // Behind the listeners, which keep the process alive again.
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  /** Ends the thread, to which nothing is ordered. */
  #end(): void {
    if (this.#idleTimer !== null) clearTimeout(this.#idleTimer);
    if (this.#worker !== null) this.#ended = this.#worker.terminate();
    this.#worker = null;
  }

  #checkpointItself(pages: number): void {
    if (pages === this.#ownPages) return;
    this.#ownPages = pages;
    if (this.#sqlite.isOpen) this.#sqlite.exec(`pragma wal_autocheckpoint = ${pages}`);
  }
}
