import cluster, { type Worker } from 'node:cluster';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { type LineTarget, passLines } from './wholeLines.ts';
import type { ToPrimary, ToWorker } from './workerMessages.ts';

/** The wait before a worker is started again, in ms: at first, doubled each time, and at most. */
const FIRST_WAIT = 100;
const LONGEST_WAIT = 5000;
/** How long a worker has to run until its next end counts as the first, in ms. */
const STEADY = 60_000;
/** How long the output of an ended worker is waited for, in ms: a process of a driver may hold it. */
const OUTPUT_WAIT = 1000;

export interface SlotOptions {
  /** What each worker is given at its start. */
  settings: unknown;
  log: Logger;
  output: LineTarget;
  /** Called for each message of the worker that is not about its start. */
  received(slot: WorkerSlot, message: ToPrimary): void;
}

/** The place of one worker, which gets another process when its process ends. */
export class WorkerSlot {
  /** From 1; stays the same from one process to the next. */
  readonly number: number;
  readonly #options: SlotOptions;
  #worker: Worker | null = null;
  /** Resolves with the status of the process. */
  #ended: Promise<number> = Promise.resolve(0);
  #restarting: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  /** The ends in close succession. */
  #ends = 0;

  constructor(number: number, options: SlotOptions) {
    this.number = number;
    this.#options = options;
  }

  /**
   * Starts the process, and starts another each time that it ends from then on. Resolves with its URL when it is ready.
   * @throws kind `failed_precondition` when it ends before; the message is for the operator
   */
  async start(): Promise<string> {
    const url = await this.#fork();
    const ready = performance.now();
    void this.#ended.then((status) => {
      if (this.#stopping.signal.aborted) return;
      if (performance.now() - ready >= STEADY) this.#ends = 0;
      this.#options.log.error({ worker: this.number, status }, 'worker ended, starting it again');
      this.#restarting = this.#restart();
    });
    return url;
  }

  /** Sends `message` to the worker. Returns false when there is none. */
  send(message: ToWorker): boolean {
    return this.#worker?.isConnected() === true && this.#worker.send(message);
  }

  /** Lets the worker stop in order. Resolves when it has ended, with its status; 0 when there is none. */
  async stop(): Promise<number> {
    this.#stopping.abort();
    if (this.#worker === null) return 0;
    const ended = this.#ended;
    this.send({ kind: 'stop' });
    await this.#restarting;
    return ended;
  }

  /** Has a worker that is stopping end at once, by force after `ms` milliseconds. */
  end(ms: number): void {
    const worker = this.#worker;
    if (worker === null) return;
    // It then writes what it has logged, and ends.
    if (worker.isConnected()) worker.process.disconnect();
    setTimeout(() => worker.process.kill('SIGKILL'), ms).unref();
  }

  async #restart(): Promise<void> {
    const { log } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(Math.min(FIRST_WAIT * 2 ** this.#ends++, LONGEST_WAIT), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.start();
        log.info({ worker: this.number }, 'worker started again');
        return;
      } catch (error) {
        if (!signal.aborted) log.error({ worker: this.number, err: error }, 'starting a worker failed, retrying');
      }
    }
  }

  async #fork(): Promise<string> {
    const { settings, output, received } = this.#options;
    const worker = cluster.fork();
    this.#worker = worker;
    this.#ended = endOf(worker).then((status) => {
      if (this.#worker === worker) this.#worker = null;
      return status;
    });
    passLines(worker.process.stderr!, output);
    // A message to a worker that is ending cannot be delivered.
    worker.on('error', () => {});
    const ready = Promise.withResolvers<string>();
    let reason: string | null = null;
    worker.on('message', (message: ToPrimary) => {
      if (message.kind === 'ready') ready.resolve(message.url);
      else if (message.kind === 'failed') reason = message.message;
      else received(this, message);
    });
    void this.#ended.then((status) => {
      const message = reason ?? `worker ${this.number} ended with status ${status} before it was ready`;
      ready.reject(new PassthruError('failed_precondition', message));
    });
    this.send({ kind: 'start', number: this.number, settings });
    return ready.promise;
  }
}

/** Resolves when `worker` and its output have ended, with its status: that of a shell when a signal ended it. */
async function endOf({ process: child }: Worker): Promise<number> {
  // Not `close` of the process, which does not come when this side has closed the channel (Node 24.21).
  const closed = new Promise((resolve) => child.stderr?.once('close', resolve));
  const status = await new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    // It could not be created; other errors are those of messages.
    child.on('error', () => child.pid === undefined && resolve(1));
  });
  if (child.pid !== undefined) await Promise.race([closed, sleep(OUTPUT_WAIT)]);
  return status;
}
