// Jobs: runs asynchronous methods, stores their progress and end, and publishes both to watchers.

import { type Caller, checkOwner, type Role } from '../caller.ts';
import type { Jobs, JobsQuery, JobsWatch } from '../core.ts';
import { isStoreUnavailable, outcomeUnknown, PassthruError, toErrorRecord, toPassthruError } from '../errors.ts';
import { isTerminal, type Job, lastErrorText } from '../job.ts';
import { type Json, storableText } from '../json.ts';
import type { LazyAbort } from '../lazyAbort.ts';
import type { Lease, Tenure } from '../locks/lease.ts';
import type { Lock } from '../locks/locks.ts';
import type { Logger } from '../logger.ts';
import { isUuid } from '../node.ts';
import { NO_OBSERVER, type Observer } from '../observer.ts';
import { type Page, readPage } from '../page.ts';
import type { Store } from '../store.ts';
import type { Transcripts } from '../transcripts/transcripts.ts';
import { untilStored } from '../waiting.ts';
import type { JobChange } from '../watch/changeStore.ts';
import { WatchHub } from '../watch/hub.ts';
import { JobFeed, type JobFilter } from '../watch/jobFeed.ts';
import type { WatchSink } from '../watch/watchEvent.ts';
import { AbandonedJobs } from './abandonedJobs.ts';
import { Acceptance } from './acceptance.ts';
import type { JobEnd, JobHold, JobQuery } from './jobStore.ts';
import { JobWatch } from './jobWatch.ts';
import { ProgressRecorder } from './progressRecorder.ts';
import type { ShowJob, ShownJob } from './shownJob.ts';

/** How long `cancel` waits for the end of the job, in milliseconds. */
const CANCEL_WAIT = 5000;

/** How long the caller of a begun job waits for a store that fails to store it, in milliseconds. */
const STORE_WAIT = 10_000;

type JobOutcome = Pick<JobEnd, 'state' | 'result' | 'error'>;

/** The outcome of a job whose end the store refuses. */
const END_NOT_STORED: JobOutcome = {
  state: 'failed',
  result: null,
  error: toErrorRecord(
    new PassthruError('internal', 'The method ended, but its outcome could not be stored; see the log of the service'),
  ),
};

/** A job of a call and its work. */
export interface JobWork {
  /** In revision 1. */
  job: Job;
  /** Whether that is stored; otherwise it is when the job runs, with its end if it has ended by then. */
  stored: boolean;
  tenure: Tenure;
  /** Null for a method without an exclusive lock. */
  lock: Lock | null;
  controller: LazyAbort;
  run(progress: (fraction: number | null, message: string) => void): Promise<Json>;
}

/** A job that has been begun. */
export interface JobRun {
  /** Resolves when the job is stored, to whether that was with its end. Rejects when that keeps failing; it is retried for longer. */
  stored: Promise<boolean>;
  /**
   * Resolves when its end is stored and its node free: to the ended job, or to null when both are left to other processes
   * because the lease was lost. Never rejects.
   */
  ended: Promise<Job | null>;
}

/** A job that runs in this process. */
interface RunningJob {
  /** The job as stored. */
  job: Job;
  hold: JobHold;
  controller: LazyAbort;
  /** Null until the work has ended. */
  end: JobEnd | null;
  progress: ProgressRecorder | null;
}

/** Finds nodes by UUID or name. */
interface NodeResolver {
  get(ident: string): Promise<{ uuid: string }>;
  /** See `NodeManager.resolveAll`. */
  resolveAll(idents: readonly string[]): Promise<Set<string> | null>;
}

export class JobRunner implements Jobs {
  readonly watched: JobWatch;
  readonly watchedAll: WatchHub<JobChange, JobFilter, ShownJob>;
  /** Jobs that may be stored but do not run. */
  readonly abandoned: AbandonedJobs;
  readonly acceptance: Acceptance;
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #log: Logger;
  readonly #nodes: NodeResolver;
  readonly #transcripts: Transcripts;
  readonly #show: ShowJob;
  readonly #observer: Observer;
  readonly #running = new Map<string, RunningJob>();
  readonly #publish = (job: Job) => this.watched.publish(job);

  constructor(
    store: Store,
    lease: Lease,
    log: Logger,
    nodes: NodeResolver,
    transcripts: Transcripts,
    show: ShowJob,
    observer = NO_OBSERVER,
  ) {
    this.#store = store;
    this.#lease = lease;
    this.#log = log;
    this.watched = new JobWatch(store, log);
    this.watchedAll = new WatchHub('job', store, new JobFeed(store, show), log);
    this.abandoned = new AbandonedJobs(store, lease, log, (id, revision) => this.watched.changed(id, revision));
    this.acceptance = new Acceptance(store, this.abandoned, log);
    this.#nodes = nodes;
    this.#transcripts = transcripts;
    this.#show = show;
    this.#observer = observer;
  }

  /** The number of jobs that run in this process. */
  get running(): number {
    return this.#running.size;
  }

  /** Runs a job. */
  run(work: JobWork): JobRun {
    const { job, tenure, lock, controller } = work;
    const running: RunningJob = {
      job,
      hold: { owner: tenure.id, fence: lock?.storedFence ?? null },
      controller,
      end: null,
      progress: null,
    };
    this.#running.set(job.id, running);
    this.#observer.jobBegan(job);
    tenure.guard(controller);
    // Asked for before the work begins, and done when the event loop turns: work that needs no wait has ended by then.
    const first = Promise.withResolvers<boolean>();
    const begun = performance.now();
    const stored = this.#storeBeginning(work, running, (error) => {
      if (performance.now() - begun >= STORE_WAIT) first.reject(error);
    });
    stored.then(first.resolve, first.reject);
    running.progress = new ProgressRecorder(running, stored, this.#store, this.#log, this.#publish);
    return { stored: first.promise, ended: this.#runToEnd(work, running, stored) };
  }

  /**
   * Resolves when a job that was begun survives a crash of the machine.
   * @throws kind `outcome_unknown` when it does not
   */
  async kept({ id }: Job, { stored }: JobRun): Promise<void> {
    try {
      if (!(await stored)) await this.#store.onDisk();
    } catch (error) {
      throw outcomeUnknown(`Job ${id} has started but may not be kept: ${toPassthruError(error).message}`);
    }
  }

  async #storeBeginning(
    { job, stored, tenure, lock, controller }: JobWork,
    running: RunningJob,
    failed: (error: unknown) => void,
  ): Promise<boolean> {
    try {
      if (!stored && (await this.acceptance.during(job, tenure.id, () => running.end, failed))) return true;
    } catch (error) {
      if (running.end === null && !this.#store.closed.aborted) controller.abort(toPassthruError(error));
      throw error;
    }
    lock?.nameJob(job.id);
    return false;
  }

  async #runToEnd(work: JobWork, running: RunningJob, stored: Promise<boolean>): Promise<Job | null> {
    const outcome = await this.#settle(work, running);
    work.tenure.unguard(work.controller);
    await running.progress?.end();
    if (work.lock !== null && work.tenure.lost && outcome.error?.kind === 'worker_lost') {
      // Ending the job would free the node while a request may be on its way to the machine. The process that reaps this
      // one does both after its grace.
      this.#running.delete(work.job.id);
      await work.lock.release();
      return null;
    }
    running.end = jobEnd(work, running, outcome);
    let free: boolean;
    try {
      if (await stored) {
        setEnd(running, running.end, work.job.revision + 1);
        free = true;
      } else free = await this.#storeEnd(work, running, running.end);
    } catch (error) {
      this.#running.delete(work.job.id);
      // The store was closed; the process that opens it next ends the job.
      if (this.#store.closed.aborted) work.lock?.leave();
      else await this.#giveUp(work, running.end, error);
      return null;
    }
    this.#running.delete(work.job.id);
    // Before publishing, so that a watcher that sees the end finds the node free.
    if (free) work.lock?.leave();
    else await work.lock?.release();
    this.watched.publish(running.job);
    this.#observer.jobEnded(running.job);
    const { id, nodeUuid, method, state } = running.job;
    this.#log.info({ job: id, node: nodeUuid, method, state }, 'job ended');
    return running.job;
  }

  /** Forgets a job that the store refused while its method ran. */
  async #giveUp({ job, tenure, lock }: JobWork, end: JobEnd, error: unknown): Promise<void> {
    const { id, nodeUuid, method } = job;
    this.#log.error(
      { err: error, job: id, node: nodeUuid, method, state: end.state },
      'a job that has run was not stored',
    );
    this.abandoned.add(job, tenure.id, true);
    await lock?.release();
    this.#observer.jobEnded({ ...job, state: end.state, endTime: end.endTime, error: end.error });
  }

  async get(id: string, caller: Caller): Promise<ShownJob> {
    return this.#show(await this.#read(id), caller);
  }

  async #read(id: string): Promise<Job> {
    const job = isUuid(id) ? await this.#store.getJob(id.toLowerCase()) : null;
    if (job === null) throw jobNotFound(id);
    return job;
  }

  async list(query: JobsQuery, caller: Caller): Promise<Page<ShownJob>> {
    const { limit, olderThan, node, driver, state } = query;
    if (olderThan !== null && !isUuid(olderThan)) throw jobNotFound(olderThan);
    const filter: JobQuery = { limit, olderThan: olderThan?.toLowerCase() ?? null };
    if (node !== null) filter.nodeUuid = isUuid(node) ? node.toLowerCase() : (await this.#nodes.get(node)).uuid;
    // No driver can have such a name, and PostgreSQL rejects it as a parameter.
    if (driver !== null && storableText(driver) !== driver) return { items: [], more: false };
    if (driver !== null) filter.driver = driver;
    if (state !== null) filter.state = state;
    const page = await readPage(
      limit,
      (count) => this.#store.sizeJobs({ ...filter, limit: count }),
      (count, within) => this.#store.listJobs({ ...filter, limit: count, within }),
    );
    return page === null
      ? { items: [], more: false }
      : { ...page, items: page.items.map((job) => this.#show(job, caller)) };
  }

  async cancel(id: string, caller: Caller): Promise<ShownJob> {
    const job = await this.#read(id);
    checkOwner(caller, job.requestedBy, `cancel job ${id}`);
    if (isTerminal(job)) return this.#show(job, caller);
    const running = this.#running.get(job.id);
    if (running !== undefined) stop(running, caller.name);
    else await this.#store.requestCancel(job.id, caller.name);
    await this.#ended(job.id);
    return this.get(id, caller);
  }

  /** Stops the jobs of this process whose cancellation was requested through another. */
  async stopRequested(): Promise<void> {
    if (this.#running.size === 0) return;
    for (const { id, requestedBy } of await this.#store.listCancelRequests(this.#lease.current().id)) {
      const running = this.#running.get(id);
      if (running !== undefined) stop(running, requestedBy);
    }
  }

  transcript(id: string, caller: Caller): Promise<string> {
    return this.#transcripts.get(id, caller);
  }

  async *watch(
    id: string,
    afterRevision: number | null,
    caller: Caller,
    signal: AbortSignal,
  ): AsyncGenerator<ShownJob, void> {
    for await (const job of this.#watch(id, afterRevision, signal)) yield this.#show(job, caller);
  }

  #watch(id: string, afterRevision: number | null, signal: AbortSignal): AsyncGenerator<Job, void> {
    return this.watched.watch(() => this.#read(id), id.toLowerCase(), afterRevision, signal);
  }

  async watchAll(request: JobsWatch, caller: Caller, sink: WatchSink<ShownJob>, signal: AbortSignal): Promise<never> {
    const { driver, state, requestedBy } = request;
    const place = this.watchedAll.place(request.cursor);
    const nodes = await this.#nodes.resolveAll(request.nodes);
    // Admins see all alike.
    const sight = caller.role === 'admin' ? null : [caller.role, caller.name];
    const key = JSON.stringify([nodes && [...nodes], driver, state, requestedBy, sight]);
    return this.watchedAll.watch({ nodes, driver, state, requestedBy, caller, key }, place, sink, signal);
  }

  async #settle(work: JobWork, running: RunningJob): Promise<JobOutcome> {
    try {
      const result = await work.run((fraction, message) => running.progress?.report(fraction, message));
      return { state: 'succeeded', result, error: null };
    } catch (error) {
      const signal = work.controller;
      const stopped =
        signal.aborted && (error === signal.reason || (error instanceof Error && error.name === 'AbortError'));
      const reason = toPassthruError(stopped ? signal.reason : error);
      if (reason.kind === 'internal') {
        const { id, nodeUuid, driver, method } = work.job;
        this.#log.error({ err: error, job: id, node: nodeUuid, driver, method }, 'job failed with an internal error');
      }
      const state = reason.kind === 'cancelled' ? 'cancelled' : 'failed';
      return { state, result: null, error: toErrorRecord(reason) };
    }
  }

  /** Stores the end of a job, retrying until the store responds. Returns whether that also freed the node. */
  async #storeEnd(work: JobWork, running: RunningJob, first: JobEnd): Promise<boolean> {
    const { closed } = this.#store;
    const { id } = work.job;
    let end = first;
    const revision = await untilStored(
      () => this.#store.endJob(end, running.hold),
      closed,
      (error) => {
        this.#log.error({ err: error, job: id }, 'storing the end of a job failed, retrying');
        // Retrying an end that the store refuses would keep the node reserved forever.
        if (!isStoreUnavailable(error)) end = jobEnd(work, running, END_NOT_STORED);
      },
    );
    if (revision !== null) {
      setEnd(running, end, revision);
      return true;
    }
    // By a process that considered this one lost, or by an attempt whose response was lost.
    running.job = await untilStored(async () => (await this.#store.getJob(id)) ?? running.job, closed);
    this.#log.warn({ job: id, state: running.job.state }, 'job already ended by another process');
    return false;
  }

  /** Resolves when the job has ended, after `CANCEL_WAIT` at the latest. */
  async #ended(id: string): Promise<void> {
    const signal = AbortSignal.timeout(CANCEL_WAIT);
    try {
      for await (const job of this.#watch(id, null, signal)) if (isTerminal(job)) return;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function setEnd(running: RunningJob, { lastError: _, ...changes }: JobEnd, revision: number): void {
  running.job = { ...running.job, ...changes, revision };
}

function stop(running: RunningJob, requestedBy: string): void {
  running.controller.abort(new PassthruError('cancelled', `Job ${running.job.id} was cancelled by ${requestedBy}`));
}

function jobEnd(work: JobWork, running: RunningJob, outcome: JobOutcome): JobEnd {
  const { id, nodeUuid, method, role } = work.job;
  const failed = outcome.state === 'failed' && nodeUuid !== null;
  return {
    id,
    ...outcome,
    endTime: new Date(),
    progress: running.progress?.newest ?? null,
    lastError: failed ? lastErrorText(method, lastErrorOf(id, role, outcome)) : null,
  };
}

/** Whoever reads a node reads its `last_error`, so that it does not hold what admins alone may know of the machine. */
function lastErrorOf(id: string, role: Role | null, { error }: JobOutcome): string {
  return role === 'admin' ? `role admin is required to read it, in job ${id}` : (error?.message ?? '');
}

function jobNotFound(id: string): PassthruError {
  return new PassthruError('job_not_found', `Job ${id} could not be found.`);
}
