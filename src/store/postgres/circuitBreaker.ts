import { ConnectionLost } from './errors.ts';

/** Milliseconds after a timeout before the next attempt. */
const PAUSE = 1000;

/**
 * Fails statements at once while the database does not respond. After a timeout one statement at a time is let through
 * to probe it; each of the others would only wait for its own timeout.
 */
export class CircuitBreaker {
  #open = false;
  #probing = false;
  #nextProbe = 0;
  /** When the last timeout happened, by the monotonic clock; -Infinity if never. */
  #lastTimeout = Number.NEGATIVE_INFINITY;

  /** Throws ConnectionLost unless the database is thought to respond or the caller is the probe. */
  enter(): void {
    if (!this.#open) return;
    if (this.#probing || performance.now() < this.#nextProbe) {
      throw new ConnectionLost('the database timed out a moment ago');
    }
    this.#probing = true;
  }

  /** Records a response, errors included, or a connection attempt that failed at once. */
  responded(): void {
    this.#open = false;
    this.#probing = false;
  }

  /** Records a timeout. */
  timedOut(): void {
    this.#open = true;
    this.#probing = false;
    this.#lastTimeout = performance.now();
    this.#nextProbe = this.#lastTimeout + PAUSE;
  }

  /** Whether a connection that last responded at `time` may be cut off: it is older than the last timeout. */
  isSuspect(time: number): boolean {
    return time < this.#lastTimeout;
  }
}
