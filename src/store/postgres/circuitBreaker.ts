import { ConnectionLost } from './errors.ts';

/** Milliseconds after a silence in which nobody tries. */
const REST = 1000;

/**
 * Whether a database is thought to answer. When it was silent, one at a time tries whether it answers again, and all
 * others are told at once: each would wait as long as the first for nothing.
 */
export class PostgresReach {
  #silent = false;
  #trying = false;
  #resting = 0;
  /** When it was last given up, by the monotonic clock; -Infinity when it never was. */
  #silence = Number.NEGATIVE_INFINITY;

  /** Throws ConnectionLost unless the database is thought to answer, or the caller is the one who tries. */
  enter(): void {
    if (!this.#silent) return;
    if (this.#trying || performance.now() < this.#resting) {
      throw new ConnectionLost('the database did not answer a moment ago');
    }
    this.#trying = true;
  }

  /** It answered, be it by refusing; or it is so far away that whoever tries is told at once. */
  answered(): void {
    this.#silent = false;
    this.#trying = false;
  }

  /** It was waited for, and did not answer. */
  wasSilent(): void {
    this.#silent = true;
    this.#trying = false;
    this.#silence = performance.now();
    this.#resting = this.#silence + REST;
  }

  /** Whether what was last heard at `time` may be cut off: its way may be the reason for the silence. */
  isDoubtful(time: number): boolean {
    return time < this.#silence;
  }
}
