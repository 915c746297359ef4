// PostgreSQL for the store: a pool of connections, and changes of other replicas.
import { setTimeout as delay } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import { PassthruError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Database } from '../database.ts';
import type { Tables } from '../schema.ts';
import { PostgresChanges } from './changes.ts';
import { ConnectionLost, isUniqueViolation, postgresError, sqlState } from './errors.ts';
import { type Connections, connectPostgres } from './pool.ts';
import { showPostgresUrl, toPostgresUrl } from './url.ts';

/** The advisory lock of the process that reads and changes the tables' definitions. */
const TABLES_LOCK = 7_295_481_302_117n;

/** The SQLSTATE of a statement that did not get a lock in time. */
const LOCK_TIMEOUT = '55P03';

/**
 * How long a change of a table waits for those who use the table, while all others queue behind it, and how many milliseconds it
 * lets them go on before it waits again.
 */
const TABLE_WAIT = '300ms';
const TABLE_PAUSE = 3000;

/** Milliseconds between two looks whether another process still changes the tables, and two lines of the log about waiting. */
const LOOK_INTERVAL = 100;
const LOG_INTERVAL = 60_000;

/** For how many milliseconds waiting is not logged. */
const UNLOGGED_WAIT = 1000;

/** SQLSTATEs of configuration errors, which retrying does not fix. */
const FAULTS = new Map([
  ['28P01', 'the password is wrong'],
  ['28000', 'the server refused this user from this host (see its pg_hba.conf)'],
  ['3D000', 'there is no such database on the server; create it first'],
  ['42501', 'the user lacks privileges; it must own its tables and be allowed to create tables in its schema'],
]);

/**
 * Opens a PostgreSQL database, which other processes may use at the same time.
 *
 * @param url `postgres://USER@HOST/DATABASE`
 * @throws kind `invalid_argument` for an invalid URL, `failed_precondition` when the server refuses the user or the
 *   database is unsuitable, `store_unavailable` when it cannot be reached. No message holds the password.
 */
export async function openPostgres(url: string, log: Logger): Promise<Database> {
  const address = toPostgresUrl(url);
  const shownUrl = showPostgresUrl(url);
  const connections = connectPostgres(address, log);
  try {
    const schema = await checkDatabase(connections, shownUrl);
    const changes = new PostgresChanges(address, log);
    const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections }) });
    return {
      kysely,
      dialect: 'postgres',
      shared: true,
      run: (query) => connections.query(query.sql, query.parameters),
      durably: (work) => kysely.transaction().execute(work),
      durablyAtOnce: null,
      committedAtOnce: null,
      // Each commit is.
      onDisk: () => Promise.resolve(),
      alone: (work) => alone(address, log, work).catch((error) => fail(error, shownUrl)),
      schema,
      now: sql<number>`cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)`,
      // Applies to the end of the transaction, which a statement outside one is itself.
      mayBeLost: sql`set_config('synchronous_commit', 'off', true)`,
      holdingRows: sql`for share`,
      lockingRows: sql`for update`,
      keepingRows: sql`for key share`,
      untouchedRows: sql`for update skip locked`,
      // In the locale of the database; in that of the column, "C", letters beyond ASCII have no case.
      contains: (text, part) =>
        sql`strpos(lower(coalesce(${text}, '') collate "default"), lower(cast(${part} as text) collate "default")) > 0`,
      isUniqueViolation,
      toStoreError: postgresError,
      announce: (change) => changes.announce(change),
      onChange: (listener) => changes.listen(listener),
      // Left to autovacuum: doing it at once would lock out everybody.
      erasing: (work) => work(),
      isErasing: async () => false,
      async close() {
        await changes.close();
        await connections.end();
      },
    };
  } catch (error) {
    await connections.end();
    return fail(error, shownUrl);
  }
}

/** Returns the schema in which tables are created. Throws when the database is unsuitable. */
async function checkDatabase(connections: Connections, shownUrl: string): Promise<string> {
  const [server] = await connections.query<{ encoding: string; schema: string | null }>(
    "select current_setting('server_encoding') as encoding, current_schema() as schema",
    [],
  );
  if (server?.encoding !== 'UTF8') throw unusable(shownUrl, 'it must be created with encoding UTF8');
  if (server.schema === null) throw unusable(shownUrl, 'the user has no schema to create tables in');
  return server.schema;
}

/**
 * Runs `work` without a limit of its time, on a connection of its own that holds the advisory lock. kysely's own lock is not
 * enough: it creates its own tables before, and would notice too late what a newer program did meanwhile.
 *
 * All statements of running replicas queue behind a change of their table. While a long transaction uses the table, such as
 * that of pg_dump, the change is given up after a moment and tried again.
 */
async function alone<T>(url: string, log: Logger, work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  const connections = connectPostgres(url, log, false);
  try {
    const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: connections }) });
    // Processes that start together wait for a moment, which is not worth a line.
    let loggedAt = performance.now() - LOG_INTERVAL + UNLOGGED_WAIT;
    const logWaiting = (text: string) => {
      if (performance.now() < loggedAt + LOG_INTERVAL) return;
      loggedAt = performance.now();
      log.warn({}, text);
    };
    for (;;) {
      // Lock and timeout end with the session, which may be another one than at the last try.
      const [taken] = await connections.query<{ locked: boolean }>(
        `select pg_try_advisory_lock(${TABLES_LOCK}) as locked, set_config('lock_timeout', '${TABLE_WAIT}', false)`,
        [],
      );
      if (taken?.locked !== true) {
        logWaiting('another process reads or changes the tables; waiting for it');
        await delay(LOOK_INTERVAL);
        continue;
      }
      try {
        return await work(kysely);
      } catch (error) {
        if (sqlState(error) !== LOCK_TIMEOUT) throw error;
        logWaiting(
          'the tables cannot be changed while another transaction uses them, such as a backup; waiting for its end',
        );
        await delay(TABLE_PAUSE);
      }
    }
  } finally {
    // Also releases the lock.
    await connections.end();
  }
}

/** Throws an error of opening the database, worded for the operator. */
function fail(error: unknown, shownUrl: string): never {
  const fault = FAULTS.get(sqlState(error));
  if (fault !== undefined) throw unusable(shownUrl, fault, error);
  const reason = error instanceof ConnectionLost ? reasonOf(error.cause) : postgresError(error)?.message;
  if (reason === undefined) throw error;
  throw new PassthruError('store_unavailable', `store: ${shownUrl} cannot be reached: ${reason}`, { cause: error });
}

function unusable(shownUrl: string, why: string, cause?: unknown): PassthruError {
  return new PassthruError('failed_precondition', `store: ${shownUrl} cannot be used: ${why}`, { cause });
}

/** Returns why a connection failed. The error of a host with several addresses has only a code. */
function reasonOf(cause: unknown): string {
  const { message, code } = cause as NodeJS.ErrnoException;
  return message || code || 'unknown error';
}
