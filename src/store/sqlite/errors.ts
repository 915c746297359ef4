import { PassthruError } from '../../core/errors.ts';

const SQLITE_BUSY = 5;
const SQLITE_CONSTRAINT_UNIQUE = 2067;

/** SQLite's primary result codes (sqlite.org/rescode.html) that have causes outside of this program. */
const CAUSES = new Map([
  [SQLITE_BUSY, 'the database is locked by another program'],
  [6, 'the database is locked'],
  [7, 'there is not enough memory'],
  [8, 'the database cannot be written'],
  [10, 'reading or writing the database file failed'],
  [11, 'the database file is damaged'],
  [13, 'the disk is full'],
  [14, 'the database file cannot be opened'],
  [26, 'the file is not an SQLite database'],
]);

/**
 * Returns an error of node:sqlite as one of kind `store_unavailable` without SQL text or parameters; null when it is a
 * defect of this program.
 */
export function sqliteError(error: unknown): PassthruError | null {
  const cause = CAUSES.get(primaryCode(error));
  if (cause === undefined) return null;
  return new PassthruError('store_unavailable', `The store is not available: ${cause}`, { cause: error });
}

/** Whether `error` of node:sqlite reports that another connection holds the database. */
export function isBusy(error: unknown): boolean {
  return primaryCode(error) === SQLITE_BUSY;
}

/** Whether `error` of node:sqlite reports that a value of a unique column exists already. */
export function isUniqueViolation(error: unknown): boolean {
  return resultCode(error) === SQLITE_CONSTRAINT_UNIQUE;
}

/** The low byte of the extended result code. */
function primaryCode(error: unknown): number {
  return resultCode(error) & 0xff;
}

/** Returns the extended result code; 0 (SQLITE_OK) when `error` is not SQLite's. */
function resultCode(error: unknown): number {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : 0;
}
