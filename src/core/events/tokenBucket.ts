/** Seconds for which unused tokens are kept. */
const BURST = 10;

/** Limits a rate, with bursts of ten seconds' worth. */
export class TokenBucket {
  readonly #rate: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  /**
   * @param rate tokens per second
   * @param now the monotonic clock, in milliseconds
   */
  constructor(rate: number, now: () => number) {
    this.#rate = rate;
    this.#now = now;
    this.#tokens = rate * BURST;
    this.#at = now();
  }

  /** Whether there are tokens. */
  get open(): boolean {
    this.#refill();
    return this.#tokens >= 1;
  }

  /** Whether none was taken for a while. */
  get full(): boolean {
    this.#refill();
    return this.#tokens === this.#rate * BURST;
  }

  /** Takes `count` tokens, more than there are if need be: what comes next waits for them. */
  take(count: number): void {
    this.#tokens -= count;
  }

  #refill(): void {
    const now = this.#now();
    this.#tokens = Math.min(this.#rate * BURST, this.#tokens + ((now - this.#at) / 1000) * this.#rate);
    this.#at = now;
  }
}
