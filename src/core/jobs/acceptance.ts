import type { IdempotentCall } from '../calls/idempotentCall.ts';
import { isStoreUnavailable } from '../errors.ts';
import type { Job } from '../job.ts';
import type { JsonObject } from '../json.ts';
import { lostBeforeAcceptance } from '../locks/lease.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { untilStored } from '../waiting.ts';
import type { AbandonedJobs } from './abandonedJobs.ts';
import type { JobEnd, JobHold } from './jobStore.ts';

/** How long, in milliseconds, the store may take for the jobs of methods that have begun before no more are begun so. */
const PATIENCE = 250;

/** Stores the jobs of asynchronous calls: before their methods begin, or, where nobody else could begin them, meanwhile. */
export class Acceptance {
  readonly #store: Store;
  readonly #abandoned: AbandonedJobs;
  readonly #log: Logger;
  /** The number of jobs that the store is storing while their methods run. */
  #pending = 0;
  /** When the store stored one, or was given the first, by the monotonic clock. */
  #heardAt = 0;

  constructor(store: Store, abandoned: AbandonedJobs, log: Logger) {
    this.#store = store;
    this.#abandoned = abandoned;
    this.#log = log;
  }

  /**
   * Whether the method may begin before its job is stored: when no other process could begin it, no repeat has to find the job,
   * and the store neither refuses changes nor hangs, in which case nothing should be done on a machine.
   */
  mayFollow(idempotent: IdempotentCall | null): boolean {
    if (this.#store.shared || idempotent !== null || !this.#store.takesChanges) return false;
    return this.#pending === 0 || performance.now() - this.#heardAt < PATIENCE;
  }

  /**
   * Stores a job before its method begins. From here on the call is accepted.
   * @param outcome that of the idempotent call
   */
  async before(job: Job, hold: JobHold, idempotent: IdempotentCall | null, outcome: JsonObject): Promise<void> {
    let accepted = false;
    try {
      accepted = await this.#store.acceptJob(job, hold, idempotent, outcome);
      // After a crash of the machine, a repeat with the same key must find it.
      if (accepted && idempotent !== null) await this.#store.onDisk();
    } catch (error) {
      // It may be stored if only the response was lost; it does not run.
      if (accepted || isStoreUnavailable(error)) this.#abandoned.add(job, hold.owner);
      throw error;
    }
    if (!accepted) throw lostBeforeAcceptance();
    this.#logAccepted(job);
  }

  /**
   * Stores a job whose method has begun, retrying until the store responds. Returns whether that was with its end.
   * @param ended returns the end once the method has ended
   * @param failed called with the error of each attempt
   * @throws what the store has against the job itself, or that it is closed
   */
  async during(
    job: Job,
    owner: string,
    ended: () => JobEnd | null,
    failed: (error: unknown) => void,
  ): Promise<boolean> {
    if (this.#pending++ === 0) this.#heardAt = performance.now();
    try {
      const whole = await untilStored(
        () => this.#add(job, owner, ended),
        this.#store.closed,
        (error) => {
          failed(error);
          if (!isStoreUnavailable(error)) throw error;
          this.#log.error({ err: error, job: job.id }, 'storing a job that has begun failed, retrying');
        },
      );
      this.#heardAt = performance.now();
      this.#logAccepted(job);
      return whole;
    } finally {
      this.#pending--;
    }
  }

  async #add(job: Job, owner: string, ended: () => JobEnd | null): Promise<boolean> {
    try {
      return await this.#store.addJob(job, owner, ended);
    } catch (error) {
      // What the store refuses may be the end, such as a result that is too long.
      if (isStoreUnavailable(error) || ended() === null) throw error;
      return this.#store.addJob(job, owner, () => null);
    }
  }

  #logAccepted({ id, nodeUuid, driver, method, requestedBy }: Job): void {
    this.#log.info({ job: id, node: nodeUuid, driver, method, caller: requestedBy }, 'job accepted');
  }
}
