import { RedfishError } from '../errors.ts';

/** So many tries in a row without an answer, and the BMC counts as down. One call with its usual five may be all of them. */
const FAILURES = 5;

/** Milliseconds after which a BMC that is down is tried again. A BMC that restarts is away for minutes. */
const RETRY_MS = 15_000;

/** How one try ended: the BMC answered (whatever its status), it did not, or the caller left before that could be known. */
export type TryEnd = 'answered' | 'silent' | 'left';

/** Leave for one try at a BMC. */
export interface Pass {
  /** Whether it is the one request that finds out if the BMC is back. */
  readonly probe: boolean;
  /** To be told once. `why` says how a silent BMC failed. */
  end(how: TryEnd, why?: string): void;
}

interface Down {
  since: Date;
  /** By the monotonic clock. */
  retryAt: number;
}

/**
 * Knows whether the BMC at one address is down, so that calls to it are answered at once instead of one after another
 * waiting for its silence. After a while one request tries again; its answer ends the state. Answers of 4xx and 5xx are
 * answers.
 */
export class Breaker {
  readonly #origin: string;
  /** Tries in a row without an answer. */
  #failures = 0;
  #firstFailure: Date | null = null;
  /** How the last of them failed. */
  #why = '';
  #down: Down | null = null;
  #probing = false;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Whether the BMC counts as down. */
  get isDown(): boolean {
    return this.#down !== null;
  }

  /** @throws kind `unreachable`, since when and until when, while the BMC counts as down and it is not yet time to try */
  check(): void {
    if (this.#down === null) return;
    if (this.#probing || performance.now() < this.#down.retryAt) throw this.#error(this.#down);
  }

  /**
   * `check`, and leave to try.
   * @param begun whether the request had begun its tries before; then it makes all that its limits allow
   */
  admit(begun: boolean): Pass {
    if (!begun) this.check();
    const probe = !begun && this.#down !== null;
    if (probe) this.#probing = true;
    return {
      probe,
      end: (how, why = 'no answer') => {
        if (probe) this.#probing = false;
        if (how === 'answered') this.#up();
        else if (how === 'silent') this.#silent(probe, why);
      },
    };
  }

  #up(): void {
    this.#failures = 0;
    this.#firstFailure = null;
    this.#down = null;
  }

  #silent(probe: boolean, why: string): void {
    this.#failures++;
    this.#firstFailure ??= new Date();
    this.#why = why;
    if (this.#failures < FAILURES || (this.#down !== null && !probe)) return;
    this.#down = { since: this.#firstFailure, retryAt: performance.now() + RETRY_MS };
  }

  #error({ since, retryAt }: Down): RedfishError {
    const seconds = Math.max(1, Math.ceil((retryAt - performance.now()) / 1000));
    const next = this.#probing ? 'one request is trying it now' : `it is tried again in ${seconds} s`;
    const message = `the BMC has not answered since ${since.toISOString()} (${this.#failures} tries, the last: ${this.#why}), so nothing was sent; ${next}`;
    return new RedfishError('unreachable', message, { url: this.#origin });
  }
}
