import type { IdempotentCall } from '../calls/idempotentCall.ts';
import type { Job, JobState, Progress } from '../job.ts';
import type { JsonObject } from '../json.ts';

export interface JobQuery {
  limit: number;
  /** As in `NodeQuery`. */
  within?: number;
  /** Only jobs older than this id (ids sort by time), which need not exist; null for the first page. */
  olderThan: string | null;
  nodeUuid?: string;
  driver?: string;
  state?: JobState;
}

/** The right to update a job: its conductor has it while the job's reservation lasts. */
export interface JobHold {
  /** The conductor that accepted the job. */
  owner: string;
  /** The fence of the reservation; null for a job without one, or when the reservation is not stored. */
  fence: number | null;
}

/** The end of a job. */
export interface JobEnd extends Pick<Job, 'id' | 'progress' | 'result' | 'error'> {
  state: Exclude<JobState, 'running'>;
  endTime: Date;
  /** The new `last_error` of the node; null to leave it. */
  lastError: string | null;
}

/** The part of the store that keeps jobs. */
export interface JobStore {
  /**
   * Stores an accepted job (revision 1), names it in the reservation of `hold.fence`, clears the node's `last_error`,
   * and stores `outcome` with the idempotent call. Returns false, and stores nothing, when the hold is lost: the lease has
   * run out, the reservation has ended, or another conductor has the idempotent call. Durable when `onDisk` resolves.
   */
  acceptJob(job: Job, hold: JobHold, idempotent: IdempotentCall | null, outcome: JsonObject): Promise<boolean>;
  /**
   * Stores a job whose method has begun, as `acceptJob` does without a reservation; or, when `ended` then returns its end, with
   * that, durably and as revision 2 alone. Returns whether it was stored with its end. Only on a store that is not shared.
   */
  addJob(job: Job, owner: string, ended: () => JobEnd | null): Promise<boolean>;
  /** Resolves when the jobs that were accepted survive a crash of the machine; before, they survive one of the process. */
  onDisk(): Promise<void>;
  /** Stores another revision of a running job. Returns its number; null when the job has ended or the hold is lost. */
  recordProgress(id: string, hold: JobHold, progress: Progress): Promise<number | null>;
  /**
   * Stores the last revision of a job durably and ends the reservation of the hold. Returns the number of the revision;
   * null, and changes nothing, when the job has ended or the hold is lost.
   */
  endJob(end: JobEnd, hold: JobHold): Promise<number | null>;
  /** Requests the cancellation of a running job from its conductor. */
  requestCancel(id: string, requestedBy: string): Promise<void>;
  /** Returns the ids of the running jobs of a conductor. */
  listRunningJobs(conductor: string): Promise<string[]>;
  /** Returns the running jobs of a conductor whose cancellation was requested, and by whom. */
  listCancelRequests(conductor: string): Promise<{ id: string; requestedBy: string }[]>;
  /** Returns null for an unknown job. */
  getJob(id: string): Promise<Job | null>;
  /** Returns jobs, the newest first. */
  listJobs(query: JobQuery): Promise<Job[]>;
  /** Returns about how many bytes each of the jobs of `listJobs` takes, without reading them. */
  sizeJobs(query: JobQuery): Promise<number[]>;
  /** Returns the stored revisions of a job above `after`, in order. */
  listRevisions(id: string, after: number): Promise<Job[]>;
  /** Returns the newest revision of each of these jobs that exists. */
  newestRevisions(ids: readonly string[]): Promise<Map<string, number>>;
}
