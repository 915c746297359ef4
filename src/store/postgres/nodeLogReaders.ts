import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import { PassthruError } from '../../core/errors.ts';
import type { Database } from '../database.ts';
import { prepareQuery } from '../preparedQuery.ts';
import type { Tables } from '../schema.ts';

/** The least milliseconds between two writes of a reader's time. */
const WRITE_INTERVAL = 60_000;

/** For how many milliseconds the transactions of others are waited for; the service's own take up to some ten seconds. */
const MAX_WAIT = 15_000;

/** Milliseconds between the first two looks at these transactions, and the maximum to which they double. */
const LOOK_INTERVAL = 5;
const MAX_LOOK_INTERVAL = 250;

/**
 * The processes that read the log of changes of nodes. While there is none, a trigger logs no reservations, which takes
 * PostgreSQL about as long as to make them.
 *
 * What is logged depends on the rows of a table alone, not on anybody's clock: a process is a reader from the end of `join` until its
 * row is removed. The first reader raises the floor of the log, so that nobody resumes from before the gap.
 */
export class NodeLogReaders {
  readonly #database: Database;
  /** Names this process, which reads without a lease as well. */
  readonly #id = randomUUID();
  /** Whether the table has this process. */
  readonly hasRow;
  #writtenAt = Number.NEGATIVE_INFINITY;
  /** Whether `join` has waited for what was under way before. */
  #joined = false;
  #joining: Promise<void> | null = null;
  readonly #write;
  readonly #overdue;
  readonly #writers;
  readonly #closed: AbortSignal;

  /** @param closed ends waiting */
  constructor(database: Database, closed: AbortSignal) {
    const { kysely: db, now } = database;
    this.#database = database;
    this.#closed = closed;
    this.hasRow = sql<boolean>`exists (select from node_log_readers where id = ${sql.lit(this.#id)})`;
    this.#write = prepareQuery(() =>
      db.updateTable('node_log_readers').set({ read_time: now }).where('id', '=', sql.lit(this.#id)),
    );
    this.#overdue = prepareQuery((blank: { notSince: number }) =>
      db
        .selectFrom('node_log_readers')
        .select('id')
        .where('read_time', '<', blank.notSince)
        // Never one that reads, however short changes are kept.
        .where('read_time', '<', sql<number>`${now} - ${sql.lit(3 * WRITE_INTERVAL)}`),
    );
    this.#writers = prepareQuery(() => ({
      compile: () =>
        sql<{ transaction: string }>`select virtualtransaction as transaction from pg_locks
          where locktype = 'relation' and relation = 'reservations'::regclass and mode = 'RowExclusiveLock'
            and database = (select oid from pg_database where datname = current_database())`.compile(db),
    }));
  }

  /**
   * Makes this process a reader unless it is one. Resolves when what is committed from now on is logged.
   * @param hasRow whether the table says so already
   * @returns whether it had to become one, so that what was read of the log before does not count
   */
  async join(hasRow: boolean): Promise<boolean> {
    if (hasRow && this.#joined) {
      await this.#keep();
      return false;
    }
    this.#joining ??= this.#becomeReader().finally(() => {
      this.#joining = null;
    });
    await this.#joining;
    return true;
  }

  async #becomeReader(): Promise<void> {
    this.#joined = false;
    await this.#add();
    await this.#writersEnded();
    this.#joined = true;
  }

  async #add(): Promise<void> {
    const { kysely, now } = this.#database;
    await kysely.transaction().execute(async (transaction) => {
      await lockLog(transaction);
      const readers = await transaction.selectFrom('node_log_readers').select('id').limit(1).execute();
      await transaction
        .insertInto('node_log_readers')
        .values({ id: this.#id, read_time: now })
        .onConflict((conflict) => conflict.column('id').doUpdateSet({ read_time: now }))
        .execute();
      if (readers.length > 0) return;
      await transaction
        .updateTable('change_logs')
        .set({ position: sql<number>`position + 1`, floor: sql<number>`position + 1` })
        .where('kind', '=', 'node')
        .execute();
    });
    this.#writtenAt = performance.now();
  }

  async #keep(): Promise<void> {
    if (performance.now() < this.#writtenAt + WRITE_INTERVAL) return;
    this.#writtenAt = performance.now();
    await this.#database.run(this.#write({}));
  }

  /**
   * Removes processes that have not read since `oldest`, in milliseconds, of whose watchers none can resume any more, as the
   * changes are that old.
   */
  async removeOverdue(oldest: number): Promise<void> {
    // A reader may have read until just before the next write of its time.
    const notSince = oldest - WRITE_INTERVAL;
    if ((await this.#database.run(this.#overdue({ notSince }))).length === 0) return;
    await this.#database.kysely.transaction().execute(async (transaction) => {
      await lockLog(transaction);
      const { rows } = await transaction.executeQuery(this.#overdue({ notSince }));
      for (const { id } of rows) {
        await transaction.deleteFrom('node_log_readers').where('id', '=', id).execute();
      }
    });
  }

  /** Waits for the transactions that change reservations and may have begun before this process was a reader. */
  async #writersEnded(): Promise<void> {
    const begun = performance.now();
    let left: Set<string> | null = null;
    let interval = LOOK_INTERVAL;
    for (;;) {
      const present = (await this.#database.run(this.#writers({}))).map(({ transaction }) => transaction);
      left = new Set(left === null ? present : present.filter((transaction) => left?.has(transaction)));
      if (left.size === 0) return;
      if (performance.now() > begun + MAX_WAIT) throw new LogNotReady();
      await delay(interval, undefined, { signal: this.#closed }).catch(() => this.#closed.throwIfAborted());
      interval = Math.min(2 * interval, MAX_LOOK_INTERVAL);
    }
  }
}

/** Nodes cannot be watched yet, which is no failure of the database: calls go on. */
export class LogNotReady extends PassthruError {
  constructor() {
    super(
      'store_unavailable',
      'The changes of nodes cannot be watched yet: a transaction in the database that changes reservations does not end; see pg_stat_activity for sessions that are idle in a transaction',
    );
  }
}

/** Lets one process at a time add and remove readers, of whom each sees those that are committed. */
async function lockLog(transaction: Kysely<Tables>): Promise<void> {
  await transaction.selectFrom('change_logs').select('position').where('kind', '=', 'node').forUpdate().execute();
}
