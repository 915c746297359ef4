import { isStoreUnavailable } from '../errors.ts';
import { isTerminal, type Job } from '../job.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { untilStored } from '../waiting.ts';

/** Holds the newest state that a watcher has not seen, however slow the watcher is. */
class Mailbox {
  #latest: Job | null = null;
  #wake: (() => void) | null = null;

  /** An older state than the one that waits is no news. */
  put(job: Job): void {
    if (this.#latest !== null && this.#latest.revision > job.revision) return;
    this.#latest = job;
    this.#wake?.();
  }

  /** The newest state since the last call. Throws the signal's reason. */
  async take(signal: AbortSignal): Promise<Job> {
    signal.throwIfAborted();
    if (this.#latest === null) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener('abort', wake);
          this.#wake = null;
          resolve();
        };
        this.#wake = wake;
        signal.addEventListener('abort', wake);
      });
      signal.throwIfAborted();
    }
    const job = this.#latest as unknown as Job;
    this.#latest = null;
    return job;
  }
}

/** A job that somebody watches. */
interface Watched {
  mailboxes: Set<Mailbox>;
  /** The newest revision that the mailboxes were told of, or that is being read for them. */
  revision: number;
}

/** Tells watchers of the changes of jobs. */
export class JobWatch {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #watched = new Map<string, Watched>();

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** How many watch. */
  get count(): number {
    let count = 0;
    for (const { mailboxes } of this.#watched.values()) count += mailboxes.size;
    return count;
  }

  /** Tells everyone who watches `job` of its state, which is stored already. */
  publish(job: Job): void {
    this.#told(job.id, job.revision);
    for (const mailbox of this.#watched.get(job.id)?.mailboxes ?? []) mailbox.put(job);
  }

  /** Another process has stored this revision of the job: its watchers here are told. */
  changed(id: string, revision: number): void {
    const watched = this.#watched.get(id);
    if (watched === undefined || watched.revision >= revision) return;
    const before = watched.revision;
    watched.revision = revision;
    this.#store.getJob(id).then(
      (job) => {
        if (job !== null) this.publish(job);
      },
      (error: unknown) => {
        // The next look comes upon it again.
        watched.revision = before;
        this.#log.warn({ err: error, job: id }, 'a job that is watched could not be read');
      },
    );
  }

  /** Looks at all jobs that are watched: whom nobody told of a change is told now. */
  async lookAgain(): Promise<void> {
    if (this.#watched.size === 0) return;
    const newest = await this.#store.newestRevisions([...this.#watched.keys()]);
    for (const [id, revision] of newest) this.changed(id, revision);
  }

  /** Jobs.watch, for a job that exists. `read` answers it as it is stored. */
  async *watch(
    read: () => Promise<Job>,
    id: string,
    afterRevision: number | null,
    signal: AbortSignal,
  ): AsyncGenerator<Job, void> {
    // Subscribed before the first read, so that no change falls between.
    const mailbox = this.#subscribe(id);
    try {
      signal.throwIfAborted();
      let newest = await read();
      // Publish to the other watchers here as well: the notification of this revision will be ignored as already seen.
      this.publish(newest);
      let seen = afterRevision;
      if (seen === null) {
        yield newest;
        seen = newest.revision;
      }
      for (;;) {
        if (newest.revision === seen + 1) {
          yield newest;
          seen = newest.revision;
        } else if (newest.revision > seen) {
          // A slow watcher, or one that resumes: what lies between is read from the store.
          for (const job of await this.#revisions(id, seen, signal)) {
            signal.throwIfAborted();
            yield job;
            seen = job.revision;
            newest = job;
          }
        }
        if (isTerminal(newest)) return;
        newest = await mailbox.take(signal);
      }
    } finally {
      this.#unsubscribe(id, mailbox);
    }
  }

  /** Waits while the store does not answer: a watch outlives that. */
  async #revisions(id: string, after: number, signal: AbortSignal): Promise<Job[]> {
    const ended = AbortSignal.any([signal, this.#store.closed]);
    return untilStored(
      () => this.#store.listRevisions(id, after),
      ended,
      (error) => {
        if (!isStoreUnavailable(error)) throw error;
      },
    );
  }

  #told(id: string, revision: number): void {
    const watched = this.#watched.get(id);
    if (watched !== undefined) watched.revision = Math.max(watched.revision, revision);
  }

  #subscribe(id: string): Mailbox {
    const mailbox = new Mailbox();
    const watched = this.#watched.get(id);
    if (watched === undefined) this.#watched.set(id, { mailboxes: new Set([mailbox]), revision: 0 });
    else watched.mailboxes.add(mailbox);
    return mailbox;
  }

  #unsubscribe(id: string, mailbox: Mailbox): void {
    const watched = this.#watched.get(id);
    watched?.mailboxes.delete(mailbox);
    if (watched?.mailboxes.size === 0) this.#watched.delete(id);
  }
}
