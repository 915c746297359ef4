import type { CompiledQuery, Kysely, RawBuilder } from 'kysely';
import type { PassthruError } from '../core/errors.ts';
import type { Change } from '../core/store.ts';
import type { Tables } from './schema.ts';

/**
 * A database that the store's queries run on; what differs between databases is behind this interface.
 *
 * A transaction of `kysely` that has ended has survived a crash of the machine as well. A statement outside one is
 * whole and seen by every later one, but a crash of the machine (not of the process) may lose it.
 */
export interface Database {
  readonly kysely: Kysely<Tables>;
  /** Whether other processes may use it at the same time. */
  readonly shared: boolean;
  /** The time by the database's own clock at this moment, in milliseconds since 1970. */
  readonly now: RawBuilder<number>;
  /**
   * Runs one prepared query outside a transaction and answers its rows. For the statements of every call: the way through
   * kysely's executor costs as much as SQLite itself.
   */
  run<O>(query: CompiledQuery<O>): Promise<O[]>;
  /** The type of a column that numbers its rows. */
  readonly rowIdType: 'integer' | 'serial';
  /** Whether `error` says that a value which must be unique is there already. */
  isUniqueViolation(error: unknown): boolean;
  /** The trouble of the database that `error` tells of, of kind `store_unavailable`; null when it is a defect. */
  toTrouble(error: unknown): PassthruError | null;
  /** Tells the other processes of a change that is there already. It may get lost; never fails, and does not wait. */
  announce(change: Change): void;
  /** Calls `listener` with what other processes announce. */
  onChange(listener: (change: Change) => void): void;
  /** Ends what runs, then closes. */
  close(): Promise<void>;
}
