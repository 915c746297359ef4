import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers';
import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';
import { beginDurable, commitDurable, rollBack } from './driver.ts';
import type { LogSync } from './logSync.ts';

/** Maximum number of transactions in one commit: nothing else runs until all are done. */
const MAX_MEMBERS = 64;

/** A transaction that waits for the next commit. */
interface Member {
  work(db: Kysely<Tables>): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Commits the transactions that are requested in one turn of the event loop together, and brings what was committed to the disk
 * on a thread, which takes longer than everything else: the commits of the meantime share the next way there. Each
 * transaction is a savepoint of its own: one that fails is undone alone, and nobody reads one before its commit.
 */
export class GroupCommit {
  readonly #sqlite: DatabaseSync;
  readonly #kysely: Kysely<Tables>;
  readonly #sync: LogSync | null;
  /** Prepared once: SQLite takes longer to read them than to run them. */
  readonly #steps: Record<'begin' | 'commit' | 'save' | 'release', StatementSync>;
  readonly #waiting: Member[] = [];
  #scheduled = false;
  /** Resolves after the next sync, of what was committed since the last one began; null when nothing was. */
  #next: PromiseWithResolvers<void> | null = null;
  /** The sync that is under way. */
  #syncing: Promise<void> | null = null;

  /** @param sync null for a database without a write-ahead log, whose commits themselves wait for the disk */
  constructor(sqlite: DatabaseSync, kysely: Kysely<Tables>, sync: LogSync | null) {
    this.#sqlite = sqlite;
    this.#kysely = kysely;
    this.#sync = sync;
    this.#steps = {
      begin: sqlite.prepare('begin immediate'),
      commit: sqlite.prepare('commit'),
      save: sqlite.prepare('savepoint member'),
      release: sqlite.prepare('release member'),
    };
  }

  /** Runs `work` in a transaction. Resolves when it is on the disk. */
  async run<T>(work: (db: Kysely<Tables>) => T | Promise<T>): Promise<T> {
    const value = await this.commit(work);
    await this.onDisk();
    return value;
  }

  /** Runs `work` in a transaction. Resolves when it is committed, so that it outlives the process, but perhaps not the machine. */
  commit<T>(work: (db: Kysely<Tables>) => T | Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({ work, resolve: resolve as Member['resolve'], reject });
    this.#schedule();
    return promise;
  }

  /** Resolves when every transaction of this class that is committed is on the disk. */
  async onDisk(): Promise<void> {
    await (this.#next?.promise ?? this.#syncing);
    this.#sync?.check();
  }

  #schedule(): void {
    // Those that come during a sync wait for its end, so that they share one commit and the next sync.
    if (this.#scheduled || this.#waiting.length === 0 || this.#syncing !== null) return;
    this.#scheduled = true;
    setImmediate(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const members = this.#waiting.splice(0, MAX_MEMBERS);
    try {
      // Told when the connection is free again: most ask for the next step at once.
      const tellAll = await this.#kysely.connection().execute((db) => this.#write(db, members));
      if (this.#sync !== null) this.#scheduleSync(this.#sync);
      for (const tell of tellAll) tell();
    } catch (error) {
      for (const { reject } of members) reject(error);
    }
    this.#scheduled = false;
    this.#schedule();
  }

  #scheduleSync(sync: LogSync): void {
    if (this.#next !== null) return;
    this.#next = Promise.withResolvers();
    if (this.#syncing !== null) return;
    // Two turns later, so that what follows from the commits at once, such as the end of a job that does nothing, comes with them.
    setImmediate(() => setImmediate(() => void this.#syncAll(sync)));
  }

  async #syncAll(sync: LogSync): Promise<void> {
    for (;;) {
      const next = this.#next;
      if (next === null) break;
      this.#next = null;
      this.#syncing = next.promise;
      await sync.sync();
      next.resolve();
    }
    this.#syncing = null;
    this.#schedule();
  }

  /** Returns what tells each member its outcome. Throws when nothing was committed. */
  async #write(db: Kysely<Tables>, members: Member[]): Promise<(() => void)[]> {
    const tellAll: (() => void)[] = [];
    this.#sync?.check();
    if (this.#sync === null) beginDurable(this.#sqlite);
    else this.#steps.begin.run();
    try {
      for (const member of members) {
        if (members.length > 1) this.#steps.save.run();
        tellAll.push(await this.#runMember(db, member, members.length === 1));
        if (members.length > 1) this.#steps.release.run();
      }
      if (this.#sync === null) commitDurable(this.#sqlite);
      else this.#steps.commit.run();
    } catch (error) {
      rollBack(this.#sqlite);
      throw error;
    }
    return tellAll;
  }

  async #runMember(db: Kysely<Tables>, { work, resolve, reject }: Member, alone: boolean): Promise<() => void> {
    try {
      const value = await work(db);
      return () => resolve(value);
    } catch (error) {
      // Some errors (a full disk) have rolled back the whole transaction.
      if (alone || !this.#sqlite.isOpen || !this.#sqlite.isTransaction) throw error;
      this.#sqlite.exec('rollback to member');
      return () => reject(error);
    }
  }
}
