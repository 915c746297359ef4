import type { Job, Progress } from '../job.ts';
import { storableText } from '../json.ts';
import type { Logger } from '../logger.ts';
import type { JobHold, JobStore } from './jobStore.ts';

/** The minimum time between two stored changes of progress, in milliseconds. */
const PROGRESS_INTERVAL = 200;

/** The maximum length of a progress message. */
const MAX_PROGRESS_LENGTH = 1000;

/** A job whose method reports progress. */
interface Reporting {
  /** The job as stored. */
  job: Job;
  readonly hold: JobHold;
}

/** Stores the progress that the method of a running job reports: the newest, at intervals. */
export class ProgressRecorder {
  readonly #reporting: Reporting;
  readonly #stored: Promise<unknown>;
  readonly #store: Pick<JobStore, 'recordProgress'>;
  readonly #log: Logger;
  readonly #recorded: (job: Job) => void;
  /** The reported progress that is not stored yet. */
  #pending: Progress | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** The time of the last stored change or of the acceptance, by the monotonic clock. */
  #storedAt = performance.now();
  /** The write that is under way. */
  #write: Promise<void> = Promise.resolve();
  #ended = false;

  /**
   * @param stored resolves when the job is stored
   * @param recorded called with the job when a change of its progress was stored
   */
  constructor(
    reporting: Reporting,
    stored: Promise<unknown>,
    store: Pick<JobStore, 'recordProgress'>,
    log: Logger,
    recorded: (job: Job) => void,
  ) {
    this.#reporting = reporting;
    this.#stored = stored;
    this.#store = store;
    this.#log = log;
    this.#recorded = recorded;
  }

  /** The newest progress. */
  get newest(): Progress | null {
    return this.#pending ?? this.#reporting.job.progress;
  }

  /** Records reported progress. Accepts any values, as drivers may be JavaScript and a bad report must not end the job. */
  report(fraction: unknown, message: unknown): void {
    if (this.#ended) return;
    const bounded = typeof fraction !== 'number' || Number.isNaN(fraction) ? null : Math.min(1, Math.max(0, fraction));
    const text = typeof message === 'string' ? storableText(message.slice(0, MAX_PROGRESS_LENGTH)) : '';
    this.#pending = { fraction: bounded, message: text };
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#storedAt + PROGRESS_INTERVAL - performance.now());
    this.#timer = setTimeout(() => {
      this.#write = this.#storePending();
    }, wait);
  }

  /** Drops later reports. Resolves when nothing more is written. */
  end(): Promise<void> {
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    return this.#write;
  }

  async #storePending(): Promise<void> {
    try {
      await this.#stored;
    } catch {
      return;
    }
    if (this.#ended) return;
    const { job, hold } = this.#reporting;
    const progress = this.#pending as Progress;
    this.#pending = null;
    this.#storedAt = performance.now();
    try {
      const revision = await this.#store.recordProgress(job.id, hold, progress);
      if (revision !== null) {
        this.#reporting.job = { ...this.#reporting.job, revision, progress };
        this.#recorded(this.#reporting.job);
      }
    } catch (error) {
      this.#log.warn({ err: error, job: job.id }, 'storing the progress of a job failed');
    }
    this.#timer = null;
    const next = this.#pending as Progress | null;
    if (next !== null) this.report(next.fraction, next.message);
  }
}
