/** So long a BMC that turned requests away is asked fewer things at once, in milliseconds. */
const NARROW_MS = 60_000;

/**
 * How many requests a BMC is sent at once. Some serve one or two and answer 503 to more; they are found by that, and then
 * asked less for a while.
 */
export class RequestsAtOnce {
  readonly #most: number;
  #fewer: { limit: number; until: number } | null = null;

  constructor(most: number) {
    this.#most = most;
  }

  get limit(): number {
    if (this.#fewer !== null && performance.now() >= this.#fewer.until) this.#fewer = null;
    return this.#fewer?.limit ?? this.#most;
  }

  /** The BMC turned one away while it was at work on others: one fewer from now on, at least one. */
  narrow(): void {
    this.#fewer = { limit: Math.max(1, this.limit - 1), until: performance.now() + NARROW_MS };
  }
}
