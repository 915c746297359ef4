import type { ErrorRecord } from '../errors.ts';
import { type Job, lastErrorText } from '../job.ts';
import type { Lease } from '../locks/lease.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { untilStored } from '../waiting.ts';

/** The maximum number of jobs tracked; further ones fail when the lease of this process ends. */
const MAX_JOBS = 10_000;

/** How such a job fails. */
const NOT_RUN: ErrorRecord = {
  kind: 'store_unavailable',
  message: 'The store failed while it accepted the job; the method was not run',
  violations: [],
  lock: null,
  bmc: null,
};

interface Abandoned {
  job: Job;
  /** The conductor that it was to be accepted for. */
  owner: string;
}

/**
 * Jobs whose acceptance the store did not answer: they may be stored all the same, at once or (by a proxy, or when the way
 * to the store was cut) after they were looked for, and nobody runs them. They are ended as failed when they are found.
 */
export class AbandonedJobs {
  readonly #store: Store;
  readonly #lease: Lease;
  readonly #log: Logger;
  readonly #ended: (id: string, revision: number) => void;
  /** Those that the store was not asked to end yet. */
  readonly #waiting = new Map<string, Abandoned>();
  /** Those that were not there when it was. */
  readonly #missing = new Map<string, Abandoned>();
  #isEnding = false;

  /** @param ended told of each that was found, and ended by this revision */
  constructor(store: Store, lease: Lease, log: Logger, ended: (id: string, revision: number) => void) {
    this.#store = store;
    this.#lease = lease;
    this.#log = log;
    this.#ended = ended;
  }

  /** Ends `job` when the store answers; its node is let go of elsewhere. */
  add(job: Job, owner: string): void {
    if (this.#waiting.size < MAX_JOBS) this.#waiting.set(job.id, { job, owner });
    if (!this.#isEnding) void this.#endWaiting();
  }

  /** Ends those that were stored since they were looked for. */
  async lookAgain(): Promise<void> {
    if (this.#missing.size === 0) return;
    for (const id of await this.#store.listRunningJobs(this.#lease.current().id)) {
      const abandoned = this.#missing.get(id);
      if (abandoned !== undefined && (await this.#end(abandoned))) this.#missing.delete(id);
    }
  }

  /** One after the other, however many an outage has left: the store has other work when it comes back. Never rejects. */
  async #endWaiting(): Promise<void> {
    this.#isEnding = true;
    const endAll = async () => {
      for (const [id, abandoned] of this.#waiting) {
        this.#waiting.delete(id);
        try {
          if (!(await this.#end(abandoned))) this.#remember(abandoned);
        } catch (error) {
          // Behind the others, which have nothing to do with what may be wrong with this one.
          this.#waiting.set(id, abandoned);
          throw error;
        }
      }
    };
    try {
      await untilStored(endAll, this.#store.closed, (error) =>
        this.#log.error({ err: error, jobs: this.#waiting.size }, 'ending jobs that were not run failed, retrying'),
      );
    } catch {
      // The store was closed; whoever opens it next ends what this process left.
    }
    this.#isEnding = false;
  }

  /** In a store that is not shared nothing comes late. */
  #remember(abandoned: Abandoned): void {
    if (!this.#store.shared) return;
    const [oldest] = this.#missing.keys();
    if (this.#missing.size >= MAX_JOBS && oldest !== undefined) this.#missing.delete(oldest);
    this.#missing.set(abandoned.job.id, abandoned);
  }

  /** Whether the job was there, and running. */
  async #end({ job: { id, nodeUuid, method }, owner }: Abandoned): Promise<boolean> {
    const lastError = nodeUuid === null ? null : lastErrorText(method, NOT_RUN.message);
    const end = { id, state: 'failed' as const, endTime: new Date(), progress: null, result: null, error: NOT_RUN };
    const revision = await this.#store.endJob({ ...end, lastError }, { owner, fence: null });
    if (revision === null) return false;
    this.#ended(id, revision);
    return true;
  }
}
