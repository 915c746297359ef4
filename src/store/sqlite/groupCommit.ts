import type { DatabaseSync } from 'node:sqlite';
import { setImmediate } from 'node:timers';
import type { Kysely } from 'kysely';
import type { Tables } from '../schema.ts';
import { beginDurable, commitDurable, rollBack } from './driver.ts';

/** Maximum number of transactions in one commit: nothing else runs until all are done. */
const MAX_MEMBERS = 64;

/** A transaction that waits for the next commit. */
interface Member {
  work(db: Kysely<Tables>): unknown;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Commits the durable transactions that are requested in one turn of the event loop together, since each commit waits for the
 * disk, which takes longer than everything else in it. Each is a savepoint of its own: one that fails is undone alone. Nobody
 * is told of one before all are on the disk, and nobody else reads in between.
 */
export class GroupCommit {
  readonly #sqlite: DatabaseSync;
  readonly #kysely: Kysely<Tables>;
  readonly #waiting: Member[] = [];
  #scheduled = false;

  constructor(sqlite: DatabaseSync, kysely: Kysely<Tables>) {
    this.#sqlite = sqlite;
    this.#kysely = kysely;
  }

  /** Runs `work` in a transaction. Resolves when it is on the disk. */
  run<T>(work: (db: Kysely<Tables>) => T | Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({ work, resolve: resolve as Member['resolve'], reject });
    this.#schedule();
    return promise;
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => void this.#commit());
  }

  async #commit(): Promise<void> {
    const members = this.#waiting.splice(0, MAX_MEMBERS);
    try {
      // Told when the connection is free again: most ask for the next step at once.
      const tellAll = await this.#kysely.connection().execute((db) => this.#write(db, members));
      for (const tell of tellAll) tell();
    } catch (error) {
      for (const { reject } of members) reject(error);
    }
    this.#scheduled = false;
    this.#schedule();
  }

  /** Returns what tells each member its outcome. Throws when nothing was committed. */
  async #write(db: Kysely<Tables>, members: Member[]): Promise<(() => void)[]> {
    const tellAll: (() => void)[] = [];
    beginDurable(this.#sqlite);
    try {
      for (const member of members) {
        if (members.length > 1) this.#sqlite.exec('savepoint member');
        tellAll.push(await this.#runMember(db, member, members.length === 1));
        if (members.length > 1) this.#sqlite.exec('release member');
      }
      commitDurable(this.#sqlite);
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
