import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { PassthruError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { type Periodic, periodically } from '../../core/waiting.ts';

/** The time between two looks at the file, in milliseconds. */
const INTERVAL = 1000;

/**
 * Notices that the file of an open database was deleted or replaced. SQLite goes on with the file that it has opened, which
 * no longer has a name: all that is stored from then on is gone with the process.
 */
export class FileGuard {
  readonly #path: string;
  readonly #opened: Stats;
  readonly #log: Logger;
  readonly #look: Periodic;
  #gone = false;

  /** @param opened the file when it was opened */
  constructor(path: string, opened: Stats, log: Logger) {
    this.#path = path;
    this.#opened = opened;
    this.#log = log;
    this.#look = periodically(INTERVAL, () => this.#compare(), log, 'looking for the database file failed');
  }

  /** Throws kind `store_unavailable` while the file is gone. */
  check(): void {
    if (!this.#gone) return;
    throw new PassthruError(
      'store_unavailable',
      'The database file was deleted or replaced while the service ran; stop the service, put the file or a backup back, and start it again.',
    );
  }

  stop(): Promise<void> {
    return this.#look.stop();
  }

  async #compare(): Promise<void> {
    const found = await stat(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
      throw error;
    });
    const gone = found === null || found.ino !== this.#opened.ino || found.dev !== this.#opened.dev;
    if (gone === this.#gone) return;
    this.#gone = gone;
    const fields = { file: this.#path };
    if (!gone) this.#log.warn(fields, 'the database file is back');
    else {
      const message = `the database file was ${found === null ? 'deleted' : 'replaced'}: calls are refused; stop the service, put the file or a backup back, and start it again`;
      this.#log.error(fields, message);
    }
  }
}
