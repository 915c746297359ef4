import * as fs from 'node:fs';
import { promisify } from 'node:util';
import { PassthruError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { createFault } from '../../core/readFault.ts';

const fdatasync = promisify(fs.fdatasync);

/** Brings the write-ahead log of an open database to the disk, on a thread of libuv. */
export class LogSync {
  readonly #path: string;
  readonly #file: number;
  readonly #log: Logger;
  readonly #failed: () => void;
  #failure: PassthruError | null = null;

  /**
   * @param database the database's file, without symbolic links; its log exists, since it was read or written
   * @param failed called when a sync has failed
   */
  constructor(database: string, log: Logger, failed: () => void = () => {}) {
    this.#path = `${database}-wal`;
    // For writing, which Windows demands. SQLite has no lock on this file that closing it would release.
    this.#file = fs.openSync(this.#path, 'r+');
    this.#log = log;
    this.#failed = failed;
  }

  /**
   * Resolves when everything that was committed before the call is on the disk, or when that has failed. A commit with
   * `synchronous=FULL` waits for the same in the event loop; what else must be synced, SQLite syncs with NORMAL too
   * (sqlite.org/pragma.html#pragma_synchronous).
   */
  async sync(): Promise<void> {
    try {
      await this.bring(this.#file);
    } catch (error) {
      const reason = `bringing the log of the database to the disk failed (${createFault(error)})`;
      const message = `The store is not available: ${reason}; check the disk and start the service again.`;
      this.#failure ??= new PassthruError('store_unavailable', message, { cause: error });
      this.#log.error(
        { err: error, file: this.#path },
        `${reason}: calls are refused; check the disk and start the service again`,
      );
      this.#failed();
    }
  }

  /**
   * Throws kind `store_unavailable` once a sync has failed: the operating system may have dropped what it could not write, so
   * that a later sync succeeds without it. Only the recovery of the next start, which verifies the log, knows what is there.
   */
  check(): void {
    if (this.#failure !== null) throw this.#failure;
  }

  close(): void {
    fs.closeSync(this.#file);
  }

  /** Brings what was written to `file` to the disk. */
  protected bring(file: number): Promise<void> {
    return fdatasync(file);
  }
}
