import pg from 'pg';
import { PassthruError } from '../../core/errors.ts';

/** There is no connection, or it was lost with the running statement, which may have been carried out. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** SQLSTATEs or their prefixes (PostgreSQL, appendix A) with causes outside of this program. The first match counts. */
const CAUSES: [prefix: string, cause: string][] = [
  ['08', 'the connection to the database broke'],
  ['25006', 'the database is read-only'],
  ['25P0', 'the database ended an idle transaction'],
  ['28', 'the database refused the user or its password'],
  ['3D000', 'the database does not exist'],
  ['40', 'a concurrent change conflicted'],
  ['53100', "the database's disk is full"],
  ['53300', 'the database has no connection left'],
  ['53', 'the database is out of resources'],
  ['55000', 'the database does not accept connections'],
  ['55P03', 'the statement timed out'],
  ['57014', 'the statement timed out'],
  ['57P', 'the database is stopping or starting'],
  ['58', "reading or writing the database's files failed"],
  ['XX001', 'the database is damaged'],
  ['XX002', 'the database is damaged'],
];

/** SQLSTATEs that make a connection useless: the server closes it, or another has become the primary. */
const FATAL_STATE = /^(08|25006|25P0|57P)/;

const UNIQUE_VIOLATION = '23505';

/**
 * Returns an error of node-postgres as one of kind `store_unavailable` without SQL text, parameters or address; null when
 * it is a defect of this program.
 */
export function postgresError(error: unknown): PassthruError | null {
  const state = sqlState(error);
  const cause =
    error instanceof ConnectionLost
      ? 'the database does not respond'
      : CAUSES.find(([prefix]) => state.startsWith(prefix))?.[1];
  if (cause === undefined) return null;
  return new PassthruError('store_unavailable', `The store is not available: ${cause}`, { cause: error });
}

/** Whether `error` reports that a unique value exists already. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION;
}

/** Whether the connection that failed with `error` must be closed. */
export function endsConnection(error: unknown): boolean {
  return FATAL_STATE.test(sqlState(error));
}

/** Returns the server's SQLSTATE; '' when `error` is not the server's. */
export function sqlState(error: unknown): string {
  return error instanceof pg.DatabaseError ? (error.code ?? '') : '';
}
