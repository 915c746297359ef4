import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, sql } from 'kysely';
import { PassthruError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import type { Database } from '../database.ts';
import type { Tables } from '../schema.ts';
import { nodeSqlite } from './driver.ts';
import { isUniqueViolation, sqliteError } from './errors.ts';
import { claimFile, createPrivateFile } from './fileClaim.ts';

/** Milliseconds to wait for another program's write (an administrator's `sqlite3`). The wait stops the event loop. */
const BUSY_TIMEOUT = 1000;

/**
 * Opens an SQLite database for this process alone, by one connection. A file that is not there is made with mode 0600,
 * since it will hold passwords of BMCs; SQLite gives its `-wal` and `-shm` the same mode.
 *
 * @param path a file, or `:memory:`
 * @throws kind `failed_precondition` when another process has it, `store_unavailable` when it cannot be opened
 */
export function openSqlite(path: string, log: Logger): Database {
  if (path === ':memory:') return onConnection(connect(path), () => {});
  const url = `sqlite:${path}`;
  try {
    createPrivateFile(resolve(path));
    const file = realpathSync(path);
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
      log.warn({ file: path }, 'database file is readable by other users and holds BMC passwords; run chmod 600');
    }
    const claim = claimFile(file, url);
    try {
      return onConnection(connect(file), claim.release);
    } catch (error) {
      claim.release();
      throw error;
    }
  } catch (error) {
    if (error instanceof PassthruError) throw error;
    const reason = sqliteError(error)?.message ?? (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new PassthruError('store_unavailable', `store: ${url} cannot be opened: ${reason}`, { cause: error });
  }
}

function connect(path: string): DatabaseSync {
  return setUp(new DatabaseSync(path, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: true }));
}

/** Sets the journal and its durability; closes the connection when that fails. */
export function setUp(sqlite: DatabaseSync): DatabaseSync {
  try {
    // Small pages, because every call writes one when it takes its node and one when it leaves it: at 4,096 bytes the pair
    // takes a third more time. They count for a new file alone.
    //
    // A checkpoint waits for the disk; at SQLite's own 1,000 pages one would come every 500 calls. 8,000 are 8 MB.
    sqlite.exec(
      'pragma page_size = 1024; pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = 8000',
    );
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return sqlite;
}

/** The database on an open connection. `closed` is called when it is closed. */
export function onConnection(sqlite: DatabaseSync, closed: () => void): Database {
  const { dialect, runNow } = nodeSqlite(sqlite);
  // SQLite's own `lower` and `like` ignore the case of ASCII letters alone.
  sqlite.function('lower_case', { deterministic: true }, (text) => String(text).toLowerCase());
  const kysely = new Kysely<Tables>({ dialect });
  return {
    kysely,
    shared: false,
    run: async (query) => runNow(query) ?? (await kysely.executeQuery(query)).rows,
    alone: (work) => work(kysely),
    schema: null,
    rowIdType: 'integer',
    textType: 'text',
    nullsLast: false,
    indexesReservationOwners: false,
    now: sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`,
    mayBeLost: sql`null`,
    holdingRows: sql``,
    keepingRows: sql``,
    untouchedRows: sql``,
    contains: (text, part) => sql`instr(lower_case(coalesce(${text}, '')), lower_case(${part})) > 0`,
    isUniqueViolation,
    toStoreError: sqliteError,
    // No other process uses the database.
    announce: () => {},
    onChange: () => {},
    async eraseRemoved() {
      // The first writes the database anew, into the log; the second takes that over and empties the log.
      await kysely.connection().execute(async () => sqlite.exec('vacuum; pragma wal_checkpoint(truncate)'));
    },
    async close() {
      // The connection comes when everything before has ended.
      await kysely.connection().execute(async () => sqlite.close());
      closed();
    },
  };
}
