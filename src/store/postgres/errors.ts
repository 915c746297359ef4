import pg from 'pg';
import { PassthruError } from '../../core/errors.ts';

/** No connection, or one that broke or was given up with what ran on it; whether that was carried out is not known. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/**
 * The SQLSTATEs (PostgreSQL's documentation, appendix A), whole or by their class, with causes outside of this
 * program, in words. The first match counts.
 */
const CAUSES: [code: string, words: string][] = [
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

/** SQLSTATEs after which a connection is of no more use: the server ends it, or another has become the primary. */
const FATAL_STATES = ['08', '25006', '25P0', '57P'];

const UNIQUE_VIOLATION = '23505';

/**
 * What `error` of node-postgres says, as an error of kind `store_unavailable` without SQL text, parameters or address;
 * null when the error is a defect of this program.
 */
export function postgresError(error: unknown): PassthruError | null {
  const cause = error instanceof ConnectionLost ? 'the database does not respond' : causeOf(sqlState(error));
  if (cause === null) return null;
  return new PassthruError('store_unavailable', `The store is not available: ${cause}`, { cause: error });
}

/** Whether `error` says that a value which must be unique is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return sqlState(error) === UNIQUE_VIOLATION;
}

/** Whether the connection that answered with `error` is to be closed. */
export function endsConnection(error: unknown): boolean {
  const state = sqlState(error);
  return state !== null && FATAL_STATES.some((code) => state.startsWith(code));
}

/** The SQLSTATE that the server gave; null when `error` is not the server's. */
export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null;
}

function causeOf(state: string | null): string | null {
  if (state === null) return null;
  return CAUSES.find(([code]) => state.startsWith(code))?.[1] ?? null;
}
