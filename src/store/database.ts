import type { CompiledQuery, Expression, Kysely, RawBuilder, SqlBool } from 'kysely';
import type { PassthruError } from '../core/errors.ts';
import type { Change } from '../core/store.ts';
import type { Tables } from './schema.ts';

/**
 * A database that the store's queries run on; what differs between databases is behind this interface.
 *
 * A transaction of `kysely` that has ended has survived a crash of the machine as well. A statement outside one is
 * whole and seen by every later one. On SQLite a crash of the machine (not of the process) may lose it; on PostgreSQL,
 * whose crash the service outlives, only when it has `mayBeLost` in what it returns.
 */
export interface Database extends ColumnTypes {
  readonly kysely: Kysely<Tables>;
  /** Whether other processes may use it at the same time. */
  readonly shared: boolean;
  /**
   * Runs one prepared query outside a transaction and returns its rows. For the statements of every call: the way through
   * kysely's executor costs as much as SQLite itself.
   */
  run<O>(query: CompiledQuery<O>): Promise<O[]>;
  /**
   * Runs `work`, which looks at and changes the tables themselves, while no other process that shares the database does
   * so. It may take as long as it takes.
   */
  alone<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** The schema that a table's name without one is in; null where there are no schemas. */
  readonly schema: string | null;
  /** Milliseconds since 1970 by the clock that all processes share which share the database. */
  readonly now: RawBuilder<number>;
  /**
   * In what a statement outside a transaction returns for its rows: lets a crash of the database lose what the statement
   * did, so that it need not wait for the disk. Its value means nothing.
   */
  readonly mayBeLost: RawBuilder<unknown>;
  /**
   * At the end of a select whose rows decide what the statement writes: waits for those who change the rows, and keeps
   * others from it until the transaction ends. Nothing where there is one writer at a time anyway.
   */
  readonly holdingRows: RawBuilder<unknown>;
  /** At the end of a select: keeps its rows from being removed, though not from being changed, until the transaction ends. */
  readonly keepingRows: RawBuilder<unknown>;
  /** At the end of a select: leaves out rows that others keep or change, and keeps others from both. */
  readonly untouchedRows: RawBuilder<unknown>;
  /** Whether `text` contains `part`, ignoring case. Null contains only the empty text. */
  contains(text: Expression<string | null>, part: string): RawBuilder<SqlBool>;
  /** Whether `error` says that a value which must be unique is there already. */
  isUniqueViolation(error: unknown): boolean;
  /** Returns `error` as one of kind `store_unavailable`; null when it is a defect of this program. */
  toStoreError(error: unknown): PassthruError | null;
  /** Announces a committed change to the other processes. It may get lost; never throws, and does not wait. */
  announce(change: Change): void;
  /** Calls `listener` with what other processes announce. */
  onChange(listener: (change: Change) => void): void;
  /**
   * Leaves nothing in the files of what was overwritten or removed, as far as the database lets a program do that while
   * others use it: on PostgreSQL it is the server's to do, in its own time. Takes as long as copying the database.
   */
  eraseRemoved(): Promise<void>;
  /** Ends what runs, then closes. */
  close(): Promise<void>;
}

/** How a database words the columns and indexes that not every database words alike. */
export interface ColumnTypes {
  /** The type of a column that numbers its rows. */
  readonly rowIdType: 'integer' | 'bigserial';
  /** The type of a text; texts are in the order of their code points. */
  readonly textType: 'text' | RawBuilder<unknown>;
  /** Whether an index has nulls behind all else unless it is told otherwise. */
  readonly nullsLast: boolean;
  /**
   * Whether reservations are indexed by owner. On SQLite the owner matters only at start.
   */
  readonly indexesReservationOwners: boolean;
}
