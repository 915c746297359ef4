import { PassthruError } from '../../core/errors.ts';

/** SQLite's primary result codes (sqlite.org/rescode.html) with causes outside of this program, in words. */
const CAUSES = new Map([
  [5, 'the database is locked by another program'],
  [6, 'the database is locked'],
  [7, 'there is not enough memory'],
  [8, 'the database cannot be written'],
  [10, 'reading or writing the database file failed'],
  [11, 'the database file is damaged'],
  [13, 'the disk is full'],
  [14, 'the database file cannot be opened'],
  [26, 'the file is not an SQLite database'],
]);

const SQLITE_BUSY = 5;
const SQLITE_CONSTRAINT_UNIQUE = 2067;

/**
 * What `error` of node:sqlite says, as an error of kind `store_unavailable` without SQL text or parameters; null when
 * the error is a defect of this program.
 */
export function sqliteError(error: unknown): PassthruError | null {
  const code = resultCode(error);
  // The low byte is the primary code, what stands above tells more of it.
  const cause = code === null ? undefined : CAUSES.get(code & 0xff);
  if (cause === undefined) return null;
  return new PassthruError('store_unavailable', `The store is not available: ${cause}`, { cause: error });
}

/** Whether `error` of node:sqlite says that another connection holds the database. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code !== null && (code & 0xff) === SQLITE_BUSY;
}

/** Whether `error` of node:sqlite says that a value of a unique column is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return resultCode(error) === SQLITE_CONSTRAINT_UNIQUE;
}

/** The extended result code; null when SQLite gave none. */
function resultCode(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode;
}
