import { isTerminal, type Job } from './job.ts';
import type { Store } from './store.ts';

/** Holds the newest state that a watcher has not seen, however slow the watcher is. */
class Mailbox {
  #latest: Job | null = null;
  #wake: (() => void) | null = null;

  put(job: Job): void {
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

/** Tells watchers of the changes of jobs. */
export class JobWatch {
  readonly #store: Store;
  readonly #mailboxes = new Map<string, Set<Mailbox>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Tells everyone who watches `job` of its state, which is stored already. */
  publish(job: Job): void {
    for (const mailbox of this.#mailboxes.get(job.id) ?? []) mailbox.put(job);
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
          for (const job of await this.#store.listRevisions(id, seen)) {
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

  #subscribe(id: string): Mailbox {
    const mailbox = new Mailbox();
    const mailboxes = this.#mailboxes.get(id);
    if (mailboxes === undefined) this.#mailboxes.set(id, new Set([mailbox]));
    else mailboxes.add(mailbox);
    return mailbox;
  }

  #unsubscribe(id: string, mailbox: Mailbox): void {
    const mailboxes = this.#mailboxes.get(id);
    mailboxes?.delete(mailbox);
    if (mailboxes?.size === 0) this.#mailboxes.delete(id);
  }
}
