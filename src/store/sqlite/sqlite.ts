// SQLite for the store: opens the file, and maps its errors.
import { accessSync, closeSync, constants, existsSync, openSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely, sql } from 'kysely';
import { PassthruError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { createFault } from '../../core/readFault.ts';
import type { Database } from '../database.ts';
import type { Tables } from '../schema.ts';
import { CHECKPOINT_PAGES, Checkpoints } from './checkpoints.ts';
import { NodeSqliteDialect } from './driver.ts';
import { isBusy, isUniqueViolation, sqliteError } from './errors.ts';
import { FileGuard } from './fileGuard.ts';
import { GroupCommit } from './groupCommit.ts';
import { LogSync } from './logSync.ts';

/** Milliseconds to wait for another program's write while the store is opened. The wait stops the event loop. */
const BUSY_TIMEOUT = 1000;

/** The size in bytes to which the file of the log is cut when the log begins anew. More than it takes under load. */
const LOG_BYTES = 64 * 1024 * 1024;

/** The `user_version` of a file whose overwritten secrets are not erased yet. */
const ERASING = 1;

/**
 * Opens an SQLite database for this process alone, by one connection. A new file gets mode 0600, since it will hold BMC
 * passwords; SQLite gives its `-wal` and `-shm` the same mode.
 *
 * @param path a file, or `:memory:`
 * @throws kind `failed_precondition` when another process has it, `store_unavailable` when it cannot be opened
 */
export function openSqlite(path: string, log: Logger): Database {
  if (path === ':memory:') return onConnection(connect(path), () => {});
  const url = `sqlite:${path}`;
  try {
    if (!existsSync(path)) checkFolder(resolve(path));
    createPrivateFile(resolve(path));
    // Without symbolic links, so that one database has one claim.
    const file = realpathSync(path);
    checkFolder(file);
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
      log.warn({ file: path }, 'database file is readable by other users and holds BMC passwords; run chmod 600');
    }
    const release = claimFile(file, url);
    try {
      const sqlite = connect(file);
      const opened = statSync(file);
      const guard = new FileGuard(file, opened, log);
      const checkpoints = Checkpoints.areSafe() ? new Checkpoints(sqlite, file, opened, log) : null;
      const sync = hasLog(sqlite) ? new LogSync(file, log, () => void checkpoints?.close()) : null;
      const database = onConnection(sqlite, release, checkpoints, sync);
      return {
        ...database,
        checkFile() {
          guard.check();
          database.checkFile?.();
        },
        async close() {
          await guard.stop();
          await database.close();
        },
      };
    } catch (error) {
      release();
      throw error;
    }
  } catch (error) {
    if (error instanceof PassthruError) throw error;
    const reason = sqliteError(error)?.message ?? createFault(error);
    throw new PassthruError('store_unavailable', `store: ${url} cannot be opened: ${reason}`, { cause: error });
  }
}

/** Throws when the folder of `path` cannot be written: SQLite and the service keep files beside the database. */
function checkFolder(path: string): void {
  const folder = dirname(path);
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new PassthruError(
      'store_unavailable',
      `store: sqlite:${path} cannot be opened: ${folder}: ${createFault(error)}; name a database in a folder that the service can write, which also holds the files that SQLite keeps beside it`,
      { cause: error },
    );
  }
}

/**
 * Keeps other processes away from the database at `path` until the returned function is called: two processes on one
 * database would end each other's reservations at start.
 *
 * The claim is an exclusive transaction on an empty database beside it, `<path>.lock`: SQLite holds it by a lock of the
 * operating system, which is gone with the process however it ends, and the database itself stays open to programs
 * that read it, for a backup. The file stays, since removing it could take it from under another process.
 */
function claimFile(path: string, url: string): () => void {
  createPrivateFile(`${path}.lock`);
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw new PassthruError('failed_precondition', `store: ${url} is in use by another passthru process`);
  }
  return () => lock.close();
}

/**
 * Creates an empty file with mode 0600 unless the file exists. Never opens an existing file: closing it again would release
 * the locks that this process has on it (POSIX `fcntl`).
 */
function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function connect(path: string): DatabaseSync {
  return setUp(new DatabaseSync(path, { timeout: BUSY_TIMEOUT, enableForeignKeyConstraints: true }));
}

/** Sets the journal and its durability; closes the connection when that fails. */
export function setUp(sqlite: DatabaseSync): DatabaseSync {
  try {
    // Small pages (new files alone take them), because the smallest change writes one. A checkpoint waits for the disk, so it
    // comes after 8 MB of log instead of the default 1,000 pages. The file of a log that had to grow shrinks again.
    sqlite.exec(
      `pragma page_size = 1024; pragma journal_mode = wal; pragma synchronous = normal; pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}; pragma journal_size_limit = ${LOG_BYTES}`,
    );
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return sqlite;
}

/**
 * Whether the database has a write-ahead log, which exists then. Where that needs memory that cannot be shared, as on some network
 * file systems, SQLite keeps another journal.
 */
function hasLog(sqlite: DatabaseSync): boolean {
  sqlite.prepare('select count(*) from sqlite_master').get();
  return sqlite.prepare('pragma journal_mode').get()?.journal_mode === 'wal';
}

/**
 * Returns the database on an open connection; closing it calls `closed` last.
 * @param checkpoints null when the connection moves its log itself, or has none
 * @param sync null when each durable commit itself waits for the disk
 */
export function onConnection(
  sqlite: DatabaseSync,
  closed: () => void,
  checkpoints: Checkpoints | null = null,
  sync: LogSync | null = null,
): Database {
  const check = () => sync?.check();
  const dialect = new NodeSqliteDialect(sqlite, () => checkpoints?.used(), check);
  // SQLite's own `lower` and `like` ignore the case of ASCII letters alone.
  sqlite.function('lower_case', { deterministic: true }, (text) => String(text).toLowerCase());
  const kysely = new Kysely<Tables>({ dialect });
  const group = new GroupCommit(sqlite, kysely, sync);
  return {
    kysely,
    dialect: 'sqlite',
    shared: false,
    run: async (query) => dialect.runNow(query) ?? (await kysely.executeQuery(query)).rows,
    durably: (work) => group.run(work),
    durablyAtOnce: (work) => group.run(() => work((query) => dialect.run(query))),
    committedAtOnce: (work) => group.commit(() => work((query) => dialect.run(query))),
    onDisk: () => group.onDisk(),
    checkFile: check,
    alone: (work) => work(kysely),
    schema: null,
    now: sql<number>`cast(round(unixepoch('subsec') * 1000) as integer)`,
    mayBeLost: sql`null`,
    holdingRows: sql``,
    lockingRows: sql``,
    keepingRows: sql``,
    untouchedRows: sql``,
    contains: (text, part) => sql`instr(lower_case(coalesce(${text}, '')), lower_case(${part})) > 0`,
    isUniqueViolation,
    isBusy,
    stopWaiting: () => sqlite.exec('pragma busy_timeout = 0'),
    toStoreError: sqliteError,
    // No other process uses the database.
    announce: () => {},
    onChange: () => {},
    async erasing(work) {
      const execute = (statements: string) =>
        kysely.connection().execute(async () => {
          // SQLite leaves the log as it is, and says nothing, while another connection moves it.
          await checkpoints?.idle();
          sqlite.exec(statements);
        });
      // SQLite itself makes nothing of the version.
      await execute(`pragma user_version = ${ERASING}`);
      const result = await work();
      // The first rewrites the database into the log; the second moves that to the file and empties the log.
      await execute('vacuum; pragma wal_checkpoint(truncate); pragma user_version = 0');
      return result;
    },
    isErasing: async () => sqlite.prepare('pragma user_version').get()?.user_version === ERASING,
    async close() {
      // The connection is free when everything before has ended. It is the last one, which empties the log and removes it.
      await kysely.connection().execute(async () => {
        await checkpoints?.close();
        await group.onDisk().catch(() => {});
        sqlite.close();
        sync?.close();
      });
      closed();
    },
  };
}
