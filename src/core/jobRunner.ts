import { setTimeout as delay } from 'node:timers/promises';
import type { Caller } from './caller.ts';
import type { Jobs, JobsQuery } from './core.ts';
import { type ErrorRecord, isStoreUnavailable, PassthruError, toErrorRecord, toPassthruError } from './errors.ts';
import { isTerminal, type Job, type Progress } from './job.ts';
import { JobWatch } from './jobWatch.ts';
import type { Json } from './json.ts';
import type { Lock } from './locks.ts';
import type { Logger } from './logger.ts';
import { isUuid } from './node.ts';
import type { JobEnd, JobQuery, Store } from './store.ts';

/** The least time between two stored changes of progress, in milliseconds: five a second. */
const PROGRESS_INTERVAL = 200;

/** The longest text of progress that is kept. */
const MAX_PROGRESS_LENGTH = 1000;

/** How long `cancel` waits for the end, in milliseconds. */
const CANCEL_WAIT = 5000;

/** How a job fails whose end is more than the store can take. */
const END_NOT_KEPT: ErrorRecord = {
  kind: 'internal',
  message: 'The method ended, but what it came to could not be stored; the log of the service has more',
  violations: [],
  lock: null,
  bmc: null,
};

/** How often the end of a job is tried again when the store does not answer, in milliseconds. */
const STORE_RETRY = 1000;

/** What a job that runs needs of its dispatcher. */
export interface JobWork {
  /** Revision 1, stored already. */
  job: Job;
  /** Null for a method that needs no exclusive lock. */
  lock: Lock | null;
  /** Ends the work; its reason tells why. */
  controller: AbortController;
  run(progress: (fraction: number | null, message: string) => void): Promise<Json>;
}

/** A job that runs in this process. */
interface RunningJob {
  /** As it is stored. */
  job: Job;
  controller: AbortController;
  /** What is reported and not stored yet. */
  pending: Progress | null;
  timer: NodeJS.Timeout | null;
  /** When the last change was stored, by the monotonic clock. */
  storedAt: number;
  /** The write that is under way. */
  write: Promise<void>;
  /** Whether the work has ended; what it reports afterwards is dropped. */
  ended: boolean;
  end: Promise<void>;
}

/** How Ironic words the failure of an asynchronous call in the node's `last_error`. */
export function lastErrorText(method: string, message: string): string {
  return `Async execution of ${method} failed with error: ${message}`;
}

/** Runs the work of accepted jobs, stores what becomes of them, and tells their watchers. */
export class JobRunner implements Jobs {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #watch: JobWatch;
  readonly #resolveNode: (ident: string) => Promise<{ uuid: string }>;
  readonly #running = new Map<string, RunningJob>();

  constructor(store: Store, log: Logger, resolveNode: (ident: string) => Promise<{ uuid: string }>) {
    this.#store = store;
    this.#log = log;
    this.#watch = new JobWatch(store);
    this.#resolveNode = resolveNode;
  }

  /** Runs an accepted job; resolves when its end is stored and its node free. Never rejects. */
  async run(work: JobWork): Promise<void> {
    const ended = Promise.withResolvers<void>();
    const running: RunningJob = {
      job: work.job,
      controller: work.controller,
      pending: null,
      timer: null,
      storedAt: Number.NEGATIVE_INFINITY,
      write: Promise.resolve(),
      ended: false,
      end: ended.promise,
    };
    this.#running.set(work.job.id, running);
    const outcome = await this.#settle(work, running);
    running.ended = true;
    if (running.timer !== null) clearTimeout(running.timer);
    await running.write;
    await this.#storeEnd(work, running, outcome);
    this.#running.delete(work.job.id);
    // Before anyone is told: who sees the end finds the node free.
    work.lock?.leave();
    this.#watch.publish(running.job);
    const { id, nodeUuid, method, state } = running.job;
    this.#log.info({ job: id, node: nodeUuid, method, state }, 'job ended');
    ended.resolve();
  }

  async get(id: string): Promise<Job> {
    const job = isUuid(id) ? await this.#store.getJob(id.toLowerCase()) : null;
    if (job === null) throw jobNotFound(id);
    return job;
  }

  async list(query: JobsQuery): Promise<Job[]> {
    const { limit, olderThan, node, driver, state } = query;
    if (olderThan !== null && !isUuid(olderThan)) throw jobNotFound(olderThan);
    const filter: JobQuery = { limit, olderThan: olderThan?.toLowerCase() ?? null };
    if (node !== null) filter.nodeUuid = isUuid(node) ? node.toLowerCase() : (await this.#resolveNode(node)).uuid;
    if (driver !== null) filter.driver = driver;
    if (state !== null) filter.state = state;
    return this.#store.listJobs(filter);
  }

  async cancel(id: string, caller: Caller): Promise<Job> {
    const job = await this.get(id);
    const running = this.#running.get(job.id);
    if (running !== undefined && !isTerminal(job)) {
      running.controller.abort(new PassthruError('cancelled', `Job ${job.id} was cancelled by ${caller.name}`));
      const timer = new AbortController();
      await Promise.race([running.end, delay(CANCEL_WAIT, undefined, { signal: timer.signal }).catch(() => {})]);
      timer.abort();
    }
    return this.get(id);
  }

  watch(id: string, afterRevision: number | null, signal: AbortSignal): AsyncGenerator<Job, void> {
    return this.#watch.watch(() => this.get(id), id.toLowerCase(), afterRevision, signal);
  }

  async #settle(work: JobWork, running: RunningJob): Promise<Pick<JobEnd, 'state' | 'result' | 'error'>> {
    try {
      const result = await work.run((fraction, message) => this.#report(running, fraction, message));
      return { state: 'succeeded', result, error: null };
    } catch (error) {
      const { signal } = work.controller;
      const stopped =
        signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'));
      const reason = toPassthruError(stopped ? signal.reason : error);
      if (reason.kind === 'internal')
        this.#log.error({ err: error, job: work.job.id }, 'a method failed with a defect');
      return {
        state: reason.kind === 'cancelled' ? 'cancelled' : 'failed',
        result: null,
        error: toErrorRecord(reason),
      };
    }
  }

  /** Stores the end and frees the node, however long the store takes to answer. */
  async #storeEnd(
    work: JobWork,
    running: RunningJob,
    outcome: Pick<JobEnd, 'state' | 'result' | 'error'>,
  ): Promise<void> {
    let end = jobEnd(work, running, outcome);
    for (;;) {
      try {
        await this.#store.endJob(end);
        break;
      } catch (error) {
        this.#log.error({ err: error, job: end.id }, 'the end of a job could not be stored; trying again');
        // What is wrong with the end itself does not pass, and must not keep the node.
        if (!isStoreUnavailable(error) && end.error !== END_NOT_KEPT) {
          end = jobEnd(work, running, { state: 'failed', result: null, error: END_NOT_KEPT });
        } else await delay(STORE_RETRY, undefined, { ref: false });
      }
    }
    const { id: _, lastError: __, release: ___, ...changes } = end;
    running.job = { ...running.job, ...changes };
  }

  /** What a method reports. It may be JavaScript, and how it words its progress must not end its work. */
  #report(running: RunningJob, fraction: unknown, message: unknown): void {
    if (running.ended) return;
    const known = typeof fraction !== 'number' || Number.isNaN(fraction) ? null : Math.min(1, Math.max(0, fraction));
    const text = typeof message === 'string' ? message.slice(0, MAX_PROGRESS_LENGTH).toWellFormed() : '';
    running.pending = { fraction: known, message: text };
    if (running.timer !== null) return;
    const wait = Math.max(0, running.storedAt + PROGRESS_INTERVAL - performance.now());
    running.timer = setTimeout(() => {
      running.write = this.#storeProgress(running);
    }, wait);
  }

  async #storeProgress(running: RunningJob): Promise<void> {
    const progress = running.pending as Progress;
    const revision = running.job.revision + 1;
    running.pending = null;
    running.storedAt = performance.now();
    try {
      await this.#store.recordProgress(running.job.id, revision, progress);
      running.job = { ...running.job, revision, progress };
      this.#watch.publish(running.job);
    } catch (error) {
      this.#log.warn({ err: error, job: running.job.id }, 'the progress of a job could not be stored');
    }
    running.timer = null;
    const next = running.pending as Progress | null;
    if (next !== null) this.#report(running, next.fraction, next.message);
  }
}

function jobEnd(work: JobWork, running: RunningJob, outcome: Pick<JobEnd, 'state' | 'result' | 'error'>): JobEnd {
  const { id, nodeUuid, method } = work.job;
  const failed = outcome.state === 'failed' && nodeUuid !== null;
  return {
    id,
    revision: running.job.revision + 1,
    ...outcome,
    endTime: new Date(),
    progress: running.pending ?? running.job.progress,
    lastError: failed ? { nodeUuid, text: lastErrorText(method, outcome.error?.message ?? '') } : null,
    release: work.lock === null ? null : { nodeUuid: work.lock.nodeUuid, fence: work.lock.fence },
  };
}

function jobNotFound(id: string): PassthruError {
  return new PassthruError('job_not_found', `Job ${id} could not be found.`);
}
