import { isStoreUnavailable } from '../errors.ts';
import { isTerminal, type Job } from '../job.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { untilAborted, untilStored } from '../waiting.ts';

/** Holds the newest state of a job until its watcher takes it. */
class Mailbox {
  #latest: Job | null = null;
  #wake: (() => void) | null = null;

  /** Keeps `job` unless a newer state is waiting. */
  put(job: Job): void {
    if (this.#latest !== null && this.#latest.revision > job.revision) return;
    this.#latest = job;
    this.#wake?.();
  }

  /** Waits for a state newer than the last one taken and returns it. Throws the signal's reason. */
  async take(signal: AbortSignal): Promise<Job> {
    signal.throwIfAborted();
    if (this.#latest === null) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await untilAborted(promise, signal);
    }
    const job = this.#latest as unknown as Job;
    this.#latest = null;
    return job;
  }
}

/** A job with watchers. */
interface Watched {
  mailboxes: Set<Mailbox>;
  /** The newest revision that was published to the mailboxes or is being read for them. */
  revision: number;
}

/** Publishes the changes of jobs to their watchers in this process. */
export class JobWatch {
  readonly #store: Store;
  readonly #log: Logger;
  readonly #watched = new Map<string, Watched>();

  constructor(store: Store, log: Logger) {
    this.#store = store;
    this.#log = log;
  }

  /** The number of watchers. */
  get count(): number {
    let count = 0;
    for (const { mailboxes } of this.#watched.values()) count += mailboxes.size;
    return count;
  }

  /** Publishes a stored state of `job` to its watchers. */
  publish(job: Job): void {
    const watched = this.#watched.get(job.id);
    if (watched === undefined) return;
    watched.revision = Math.max(watched.revision, job.revision);
    for (const mailbox of watched.mailboxes) mailbox.put(job);
  }

  /** Reads and publishes a job of which another process has stored this revision. */
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
        // The next poll finds it again.
        watched.revision = before;
        this.#log.warn({ err: error, job: id }, 'reading a watched job failed');
      },
    );
  }

  /** Polls all watched jobs and publishes changes of which no notification came. */
  async poll(): Promise<void> {
    if (this.#watched.size === 0) return;
    const newest = await this.#store.newestRevisions([...this.#watched.keys()]);
    for (const [id, revision] of newest) this.changed(id, revision);
  }

  /** Implements `Jobs.watch`; `read` returns the job as stored. */
  async *watch(
    read: () => Promise<Job>,
    id: string,
    afterRevision: number | null,
    signal: AbortSignal,
  ): AsyncGenerator<Job, void> {
    // Subscribe before the first read, so that no change is missed in between.
    const mailbox = this.#subscribe(id);
    try {
      signal.throwIfAborted();
      let newest = await read();
      // To the other watchers as well: the notification of this revision will be ignored as already published.
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
          // A slow or resuming watcher: read the revisions in between from the store.
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

  /** Returns the revisions above `after`, waiting while the store is unreachable. */
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
