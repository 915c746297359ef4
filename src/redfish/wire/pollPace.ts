/** The shortest wait before the first poll, in ms: a BMC that is quickly done is noticed soon. */
const FIRST_MS = 100;
/** The waits become longer by half, up to this, in ms. */
const LONGEST_LEAST_MS = 2000;
/** After a long response the next poll waits for as long as this many bytes a ms would have taken. */
const BYTES_PER_MS = 1024;

/**
 * The shortest waits between requests that ask a BMC for the same thing again and again, whatever time the BMC names: one that
 * says `Retry-After: 0` for ever would keep the service busy.
 */
export class PollPace {
  #leastMs = FIRST_MS;
  /** The bytes of all responses. */
  bytes = 0;

  /**
   * Returns how long to wait before the next request, in ms.
   * @param wantedMs what the BMC asks for, or the usual wait
   * @param bytes the length of the latest response
   */
  next(wantedMs: number, bytes = 0): number {
    this.bytes += bytes;
    const leastMs = Math.max(this.#leastMs, bytes / BYTES_PER_MS);
    this.#leastMs = Math.min(this.#leastMs * 1.5, LONGEST_LEAST_MS);
    return Math.max(wantedMs, leastMs);
  }
}
