import type { IdempotentCall } from '../calls/idempotentCall.ts';
import { isStoreUnavailable } from '../errors.ts';
import type { Job } from '../job.ts';
import type { JsonObject } from '../json.ts';
import { lostBeforeAcceptance } from '../locks/lease.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import type { AbandonedJobs } from './abandonedJobs.ts';
import type { JobEnd, JobHold } from './jobStore.ts';

/** How long, in milliseconds, the store may take for the jobs of methods that have begun before no more are begun so. */
const PATIENCE = 250;

/** Stores the jobs of asynchronous calls: before their methods begin, or, where nobody else could begin them, meanwhile. */
export class Acceptance {
  readonly #store: Store;
  readonly #abandoned: AbandonedJobs;
  readonly #log: Logger;
  /** Whether the store has taken the last job. */
  #takes = true;
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
   * Whether the method may begin before its job is stored: when the hold can be lost to nobody, no repeat has to find the job,
   * and the store neither refuses jobs nor hangs, in which case nothing should be done on a machine.
   */
  mayFollow(hold: JobHold, idempotent: IdempotentCall | null): boolean {
    if (this.#store.shared || hold.fence !== null || idempotent !== null || !this.#takes) return false;
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
    this.#takes = true;
    this.#logAccepted(job);
  }

  /**
   * Stores a job whose method has begun. Returns whether that was with its end.
   * @param ended returns the end once the method has ended
   */
  async during(job: Job, owner: string, ended: () => JobEnd | null): Promise<boolean> {
    if (this.#pending++ === 0) this.#heardAt = performance.now();
    try {
      const whole = await this.#store.addJob(job, owner, ended).catch((error: unknown) => {
        // The store may refuse the end, which is not known to be the fault of the job.
        if (isStoreUnavailable(error) || ended() === null) throw error;
        return this.#store.addJob(job, owner, () => null);
      });
      this.#heardAt = performance.now();
      this.#logAccepted(job);
      return whole;
    } catch (error) {
      this.#takes = false;
      throw error;
    } finally {
      this.#pending--;
    }
  }

  #logAccepted({ id, nodeUuid, driver, method, requestedBy }: Job): void {
    this.#log.info({ job: id, node: nodeUuid, driver, method, caller: requestedBy }, 'job accepted');
  }
}
