import { outcomeUnknown, PassthruError, toErrorRecord } from '../errors.ts';
import { type Job, lastErrorText } from '../job.ts';
import type { Lease } from '../locks/lease.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { LATE_COMMIT_TIME, untilStored } from '../waiting.ts';

/** The maximum number of jobs tracked; further ones fail when the lease of this process ends. */
const MAX_JOBS = 10_000;

const NOT_RUN = toErrorRecord(
  new PassthruError('store_unavailable', 'The store failed while it accepted the job; the method was not run'),
);
const MAY_HAVE_RUN = toErrorRecord(
  outcomeUnknown('The store failed while it accepted the job; the method was stopped but may have acted'),
);

interface Abandoned {
  job: Job;
  /** The conductor that the job was to be accepted for. */
  owner: string;
  /** Whether the method had begun. */
  begun: boolean;
}

/** Jobs whose acceptance got no response from the store. They do not run, or no longer; any that turn out to be stored are failed. */
export class AbandonedJobs {
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #log: Logger;
  readonly #ended: (id: string, revision: number) => void;
  readonly #now: () => number;
  /** Jobs to be ended. */
  readonly #waiting = new Map<string, Abandoned>();
  /** Jobs that were not stored at the attempt to end them, and when the search for each ends. */
  readonly #missing = new Map<string, Abandoned & { until: number }>();
  #isEnding = false;

  /**
   * @param ended called with each job that was found and the revision that ended it
   * @param now the monotonic clock, in milliseconds
   */
  constructor(
    store: Store,
    lease: Lease,
    log: Logger,
    ended: (id: string, revision: number) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#store = store;
    this.#lease = lease;
    this.#log = log;
    this.#ended = ended;
    this.#now = now;
  }

  /**
   * Ends `job` as soon as the store responds. Does not release its node.
   * @param begun whether its method had begun
   */
  add(job: Job, owner: string, begun = false): void {
    if (this.#waiting.size < MAX_JOBS) this.#waiting.set(job.id, { job, owner, begun });
    if (!this.#isEnding) void this.#endWaiting();
  }

  /** Ends jobs that were stored late, and forgets those that no longer can be. */
  async poll(): Promise<void> {
    if (this.#missing.size === 0) return;
    const { id: owner } = this.#lease.current();
    for (const [id, missing] of this.#missing) {
      // A store accepts no job of a lease that has run out.
      if (missing.owner !== owner || missing.until <= this.#now()) this.#missing.delete(id);
    }
    if (this.#missing.size === 0) return;
    for (const id of await this.#store.listRunningJobs(owner)) {
      const missing = this.#missing.get(id);
      if (missing !== undefined && (await this.#end(missing))) this.#missing.delete(id);
    }
  }

  /** Ends the waiting jobs one by one, to spare a store that has just come back. Never rejects. */
  async #endWaiting(): Promise<void> {
    this.#isEnding = true;
    const endAll = async () => {
      for (const [id, abandoned] of this.#waiting) {
        this.#waiting.delete(id);
        try {
          if (!(await this.#end(abandoned))) this.#remember(abandoned);
        } catch (error) {
          // Retried last, so that a job that cannot be ended does not hold up the others.
          this.#waiting.set(id, abandoned);
          throw error;
        }
      }
    };
    try {
      await untilStored(endAll, this.#store.closed, (error) =>
        this.#log.error(
          { err: error, jobs: this.#waiting.size },
          'ending jobs that were not accepted failed, retrying',
        ),
      );
    } catch {
      // The store was closed; the process that opens it next ends the jobs.
    }
    this.#isEnding = false;
  }

  /** Keeps a job to search for. A store that is not shared stores nothing late. */
  #remember(abandoned: Abandoned): void {
    if (!this.#store.shared) return;
    const [oldest] = this.#missing.keys();
    if (this.#missing.size >= MAX_JOBS && oldest !== undefined) this.#missing.delete(oldest);
    this.#missing.set(abandoned.job.id, { ...abandoned, until: this.#now() + LATE_COMMIT_TIME });
  }

  /** Ends a job as failed. Returns false when it is not stored, or not running. */
  async #end({ job: { id, nodeUuid, method }, owner, begun }: Abandoned): Promise<boolean> {
    const error = begun ? MAY_HAVE_RUN : NOT_RUN;
    const lastError = nodeUuid === null ? null : lastErrorText(method, error.message);
    const outcome = { state: 'failed' as const, progress: null, result: null, error };
    const revision = await this.#store.endJob(
      { id, ...outcome, endTime: new Date(), lastError },
      { owner, fence: null },
    );
    if (revision === null) return false;
    this.#ended(id, revision);
    return true;
  }
}
