import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { PassthruError } from '../../core/errors.ts';
import { isBusy } from './errors.ts';

/**
 * Keeps every other process away from the database at `path` until `release`: two processes on one database would end
 * each other's reservations at start.
 *
 * The claim is an exclusive transaction on an empty database beside it, `<path>.lock`: SQLite holds it by a lock of the
 * operating system, which is gone with the process however it ends, and the database itself stays open to programs
 * that read it, for a backup. The file stays, since removing it could take it from under another process.
 *
 * @param path the real path of the database, without symbolic links, so that one database has one claim
 * @param url how the message names the store
 * @throws kind `failed_precondition` when another process has it
 */
export function claimFile(path: string, url: string): { release(): void } {
  createPrivateFile(`${path}.lock`);
  const lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
  try {
    lock.exec('begin exclusive');
  } catch (error) {
    lock.close();
    if (!isBusy(error)) throw error;
    throw new PassthruError('failed_precondition', `store: ${url} is in use by another passthru process`);
  }
  return { release: () => lock.close() };
}

/**
 * Creates an empty file at `path` with mode 0600, unless there is one. Never opens an existing file: closing it again
 * would release the locks that this process has on it (POSIX `fcntl`).
 *
 * @throws the system's error when it cannot be created
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
