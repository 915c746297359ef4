import type { CompiledQuery, Expression, Kysely, RawBuilder, SqlBool } from 'kysely';
import type { PassthruError } from '../core/errors.ts';
import type { Change } from '../core/store.ts';
import type { Tables } from './schema.ts';

/** Runs a query at once and returns its rows. */
export type RunAtOnce = <O>(query: CompiledQuery<O>) => O[];

/** Runs `work` in a transaction, without a wait between its statements. */
export type TransactAtOnce = <T>(work: (run: RunAtOnce) => T) => Promise<T>;

/**
 * A database that the store's queries run on; what differs between databases is behind this interface.
 *
 * A committed transaction, of `durably` or of `kysely`, survives a crash of the machine. A statement outside one is atomic and visible to
 * every later one, but may be lost: on SQLite when the machine crashes (not the process), on PostgreSQL, whose crash the
 * service outlives, only when it returns `mayBeLost`.
 */
export interface Database {
  readonly kysely: Kysely<Tables>;
  /** The kind of its tables, see `allMigrations`. */
  readonly dialect: 'sqlite' | 'postgres';
  /** Whether other processes may use it at the same time. */
  readonly shared: boolean;
  /**
   * Runs a prepared query outside a transaction and returns its rows. For the statements of every call: kysely's executor
   * costs as much as SQLite itself.
   */
  run<O>(query: CompiledQuery<O>): Promise<O[]>;
  /**
   * Runs `work` in a transaction. On SQLite those that are requested in one turn of the event loop share one commit; one that
   * fails does not affect the others.
   */
  durably<T>(work: (transaction: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** As `durably`, for work that needs no wait between its statements, which costs less. Null on PostgreSQL. */
  readonly durablyAtOnce: TransactAtOnce | null;
  /**
   * As `durablyAtOnce`, but resolves when the transaction is committed: it survives the process, and after `onDisk` a crash of the
   * machine. Null on PostgreSQL.
   */
  readonly committedAtOnce: TransactAtOnce | null;
  /** Resolves when every transaction of `durably` and the two above that is committed survives a crash of the machine. */
  onDisk(): Promise<void>;
  /**
   * Runs `work`, which reads and changes the tables' definitions, while no other process that shares the database does so.
   * No timeout applies.
   */
  alone<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** The schema of unqualified table names; null where there are no schemas. */
  readonly schema: string | null;
  /** Milliseconds since 1970 by the clock shared by all processes that share the database. */
  readonly now: RawBuilder<number>;
  /**
   * A value, itself meaningless, that a statement outside a transaction returns to skip the wait for the disk: a crash of
   * the database may then lose the statement.
   */
  readonly mayBeLost: RawBuilder<unknown>;
  /**
   * Ends a select whose rows decide what the statement writes: waits for transactions that change the rows, and blocks
   * others until this one ends. Empty where there is one writer at a time anyway.
   */
  readonly holdingRows: RawBuilder<unknown>;
  /** Ends a select: waits for transactions that change its rows, and keeps them from being changed until this one ends. */
  readonly lockingRows: RawBuilder<unknown>;
  /** Ends a select: keeps its rows from being removed, but not from being changed, until the transaction ends. */
  readonly keepingRows: RawBuilder<unknown>;
  /** Ends a select: skips rows that other transactions keep or change, and locks the rest against both. */
  readonly untouchedRows: RawBuilder<unknown>;
  /** Whether `text` contains `part`, ignoring case. Null contains only the empty text. */
  contains(text: Expression<string | null>, part: string): RawBuilder<SqlBool>;
  /** Whether `error` reports that a unique value exists already. */
  isUniqueViolation(error: unknown): boolean;
  /** Returns `error` as one of kind `store_unavailable`; null when it is a defect of this program. */
  toStoreError(error: unknown): PassthruError | null;
  /** Announces a committed change to the other processes, which may miss it. Never throws, and does not wait. */
  announce(change: Announcement): void;
  /** Whether `error` reports that another program holds the database; nothing was done. */
  isBusy?(error: unknown): boolean;
  /** From now on reports a database that another program holds at once, instead of waiting in the event loop. */
  stopWaiting?(): void;
  /** Throws kind `store_unavailable` when the database's file is no longer in its place, or its disk has failed. */
  checkFile?(): void;
  /** Calls `listener` for changes announced by other processes. */
  onChange(listener: (change: Change) => void): void;
  /**
   * Runs `work`, which overwrites secrets, then erases overwritten and removed data from the files, which takes as long as
   * copying the database. Erases nothing on PostgreSQL, whose server does so in its own time.
   */
  erasing<T>(work: () => Promise<T>): Promise<T>;
  /** Whether an earlier process ended within `erasing`. */
  isErasing(): Promise<boolean>;
  /** Waits for running statements, then closes. */
  close(): Promise<void>;
}

/** A change that a process announces itself. */
export type Announcement = Exclude<Change, { kind: 'missed' }>;
