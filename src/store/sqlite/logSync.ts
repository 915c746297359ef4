import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { PassthruError } from '../../core/errors.ts';
import { createFault } from '../../core/readFault.ts';

const open = promisify(fs.open);
const fdatasync = promisify(fs.fdatasync);
const close = promisify(fs.close);

/** Brings the write-ahead log of a database to the disk, on a thread of libuv. */
export class LogSync {
  readonly #path: string;
  #file: number | null = null;

  /** @param database the database's file, without symbolic links */
  constructor(database: string) {
    this.#path = `${database}-wal`;
  }

  /**
   * Resolves when everything that was committed before the call is on the disk. A commit with `synchronous=FULL` waits for the
   * same in the event loop; what else must be synced, SQLite syncs with NORMAL too (sqlite.org/pragma.html#pragma_synchronous).
   * @throws kind `store_unavailable`
   */
  async sync(): Promise<void> {
    try {
      // For writing, which Windows demands. SQLite has no lock on this file that closing it would release.
      this.#file ??= await open(this.#path, 'r+');
      await fdatasync(this.#file);
    } catch (error) {
      const message = `The store is not available: bringing the database's log to the disk failed: ${createFault(error)}`;
      throw new PassthruError('store_unavailable', message, { cause: error });
    }
  }

  async close(): Promise<void> {
    if (this.#file !== null) await close(this.#file);
    this.#file = null;
  }
}
