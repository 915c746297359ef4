import { leaseClock } from './locks/lease.ts';
import type { Logger } from './logger.ts';
import type { Store } from './store.ts';

/** How long a clock that was set forward is doubted, in milliseconds. */
const DOUBT_TIME = 24 * 60 * 60 * 1000;

/** A difference that is due to a step, not to the clocks' resolution or to NTP's slewing, in milliseconds. */
const STEP = 60_000;

/** A step that is worth a line in the log, in milliseconds. */
const NOTED_STEP = 60 * 60 * 1000;

/**
 * The clock by which stored records are too old. It is the wall clock, except that a step forward counts only after a day, in which
 * somebody may notice and correct it: otherwise a clock that jumps to another year removes every job at once, and lets a call
 * with an idempotency key run again. A step back counts at once, as it keeps records longer.
 *
 * Processes that share a store go by the store's clock, since their own may differ by more than a record is kept.
 */
export class AgeClock {
  readonly #log: Logger;
  readonly #elapsed: () => number;
  #wall: () => number;
  #followed = false;
  /** By the elapsed time. */
  #steps: { at: number; by: number }[] = [];
  /** How much the wall clock was ahead of the elapsed time when it was last looked at. */
  #ahead: number;

  /**
   * @param elapsed a clock that only goes forward, in milliseconds
   * @param wall milliseconds since 1970
   */
  constructor(log: Logger, elapsed: () => number = leaseClock(), wall: () => number = Date.now) {
    this.#log = log;
    this.#elapsed = elapsed;
    this.#wall = wall;
    this.#ahead = wall() - elapsed();
  }

  /** Goes by the clock of a shared `store` from now on. Call it before the others, and often enough to notice its steps. */
  async follow(store: Pick<Store, 'shared' | 'time'>): Promise<void> {
    if (!store.shared) return;
    const from = this.#elapsed();
    const time = await store.time();
    const ahead = time - (from + this.#elapsed()) / 2;
    this.#wall = () => this.#elapsed() + ahead;
    if (!this.#followed) this.#ahead = ahead;
    this.#followed = true;
  }

  /** Returns the time of a new record. */
  time(): Date {
    return new Date(this.#wall());
  }

  /**
   * Doubts the time since the newest record of an earlier process: the service may have been stopped for so long, or the clock
   * may be wrong. Call it once, at the start.
   */
  startedAfter(newest: Date): void {
    const by = this.#wall() - newest.getTime();
    if (by > STEP) this.#steps.push({ at: this.#elapsed(), by });
  }

  /** Returns the time by which ages are counted, in milliseconds since 1970. Look often enough to notice steps: each minute. */
  now(): number {
    const elapsed = this.#elapsed();
    const by = this.#wall() - elapsed - this.#ahead;
    if (Math.abs(by) > STEP) {
      this.#ahead += by;
      this.#steps.push({ at: elapsed, by });
      const seconds = Math.round(by / 1000);
      if (by > NOTED_STEP) {
        this.#log.warn(
          { seconds },
          'the clock was set forward; what is too old by it is removed in a day, unless it is set back',
        );
      }
    }
    this.#steps = this.#steps.filter(({ at }) => elapsed - at < DOUBT_TIME);
    const doubtful = this.#steps.reduce((sum, step) => sum + step.by, 0);
    return this.#wall() - Math.max(0, doubtful);
  }
}
