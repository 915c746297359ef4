// A thread that moves the write-ahead log of a database into its file, on a connection of its own.
import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

export interface CheckpointedFile {
  path: string;
  /** The file that the store has opened. */
  ino: number;
  dev: number;
}

/** What a checkpoint has done, or why it failed. */
export type CheckpointOutcome =
  | {
      /** The pages in the log. */
      pages: number;
      /** Whether another program reads an old state of the database, so that what came later stays in the log. */
      blocked: boolean;
    }
  | { error: unknown };

/** The log, in pages. */
interface LogSize {
  log: number;
  checkpointed: number;
}

/** How often what was written meanwhile is moved as well. */
const ATTEMPTS = 3;

/** Pages of log from which on writers have to wait until all is moved, and of what is left then. */
const WRITERS_WAIT = 24_000;
const WAITED_FOR = 8000;

/** Milliseconds that a checkpoint may have taken just before: with a slower disk writers would wait for too long, and fail. */
const QUICK = 100;

/** Milliseconds to wait for a transaction to end; while readers are waited for, writers wait too. */
const BUSY_TIMEOUT = 20;

let sqlite: DatabaseSync | null = null;

parentPort?.on('message', () => {
  let outcome: CheckpointOutcome;
  try {
    sqlite ??= open(workerData);
    outcome = checkpoint(sqlite);
  } catch (error) {
    outcome = { error };
  }
  parentPort?.postMessage(outcome);
});

/**
 * Opens the file of the store; throws when it was deleted or replaced. Before a connection reads, it touches neither the log nor
 * its index, which would be those of the other file.
 */
function open({ path, ino, dev }: CheckpointedFile): DatabaseSync {
  const url = pathToFileURL(path);
  url.searchParams.set('mode', 'rw');
  const opened = new DatabaseSync(url, { timeout: BUSY_TIMEOUT });
  try {
    const found = statSync(path);
    if (found.ino !== ino || found.dev !== dev) throw new Error('the database file was replaced');
    return opened;
  } catch (error) {
    opened.close();
    throw error;
  }
}

/**
 * Moves the log into the file. SQLite starts the log anew with the next transaction when all of it was moved, which what is
 * written meanwhile prevents: there is less of it each time, and at last it has to wait.
 */
function checkpoint(database: DatabaseSync): CheckpointOutcome {
  let took = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const start = performance.now();
    // As of the beginning of the checkpoint, when only this program's own transaction may have been under way.
    const begun = run(database, 'passive');
    took = performance.now() - start;
    if (begun.checkpointed < begun.log) return { pages: begun.log, blocked: true };
    const { log, checkpointed } = run(database, 'noop');
    if (checkpointed === log) break;
  }
  const { log, checkpointed } = run(database, 'noop');
  // Also when nothing is left: a transaction that has begun before may go on with the log.
  if (log >= WRITERS_WAIT && log - checkpointed < WAITED_FOR && took < QUICK) run(database, 'full');
  return { pages: log, blocked: false };
}

function run(database: DatabaseSync, mode: 'noop' | 'passive' | 'full'): LogSize {
  return database.prepare(`pragma wal_checkpoint(${mode})`).get() as unknown as LogSize;
}
