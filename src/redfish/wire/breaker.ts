import { RedfishError } from '../errors.ts';

/** Consecutive tries without a response after which a BMC counts as down. One call with the default of five may make them all. */
const MAX_FAILURES = 5;

/** When a BMC that is down is tried again, in ms. One that restarts is away for minutes. */
const RETRY_MS = 15_000;

/** How one try ended: with a response of any status, without one, or abandoned by the caller before either. */
export type TryResult = 'responded' | 'silent' | 'abandoned';

/** The permission for one try at a BMC. */
export interface Pass {
  /** Whether it is the request that finds out if the BMC is back. */
  readonly probe: boolean;
  /** Reports the result, once. `error` says how a silent BMC failed. */
  end(result: TryResult, error?: string): void;
}

interface Down {
  since: Date;
  /** By the monotonic clock, in ms. */
  retryAt: number;
}

/**
 * The circuit breaker of the BMC at one address: while it is down, calls fail at once instead of each waiting for its own
 * timeout. After a while one request probes it; a response, 4xx and 5xx included, ends the state.
 */
export class Breaker {
  readonly #origin: string;
  /** Consecutive tries without a response. */
  #failures = 0;
  #firstFailure: Date | null = null;
  /** How the last of them failed. */
  #lastError = '';
  #down: Down | null = null;
  #probing = false;
  readonly #now: () => number;

  constructor(origin: string, now: () => number) {
    this.#origin = origin;
    this.#now = now;
  }

  /** Whether the BMC counts as down. */
  get isDown(): boolean {
    return this.#down !== null;
  }

  /** @throws kind `unreachable`, with since when and until when, while the BMC counts as down and no probe is due */
  check(): void {
    if (this.#down === null) return;
    if (this.#probing || this.#now() < this.#down.retryAt) throw this.#error(this.#down);
  }

  /**
   * Checks as `check`, and permits one try.
   * @param begun whether the request was tried before; then it makes all the tries that its limits allow
   */
  admit(begun: boolean): Pass {
    if (!begun) this.check();
    const probe = !begun && this.#down !== null;
    if (probe) this.#probing = true;
    return {
      probe,
      end: (result, error = 'no response') => {
        if (probe) this.#probing = false;
        if (result === 'responded') this.#recordResponse();
        else if (result === 'silent') this.#recordSilence(probe, error);
      },
    };
  }

  #recordResponse(): void {
    this.#failures = 0;
    this.#firstFailure = null;
    this.#down = null;
  }

  #recordSilence(probe: boolean, error: string): void {
    this.#failures++;
    this.#firstFailure ??= new Date();
    this.#lastError = error;
    if (this.#failures < MAX_FAILURES || (this.#down !== null && !probe)) return;
    this.#down = { since: this.#firstFailure, retryAt: this.#now() + RETRY_MS };
  }

  #error({ since, retryAt }: Down): RedfishError {
    const seconds = Math.max(1, Math.ceil((retryAt - this.#now()) / 1000));
    const next = this.#probing ? 'one request is probing it now' : `next try in ${seconds} s`;
    const message = `the BMC has not responded since ${since.toISOString()} (${this.#failures} tries, last error: ${this.#lastError}), so nothing was sent; ${next}`;
    return new RedfishError('unreachable', message, { url: this.#origin });
  }
}
