// The one policy of repeats: which requests are sent again, when, and for how long.
import { pause } from '../../core/waiting.ts';
import { concernsPoll, isError, namedWaitMs, type Readiness, type RequestMode, readinessOf } from './meaning.ts';
import { type Words, wordsOf } from './messages.ts';
import { PollPace } from './pollPace.ts';
import type { RawResponse } from './request.ts';
import { retryAfter } from './response.ts';

/** How patient a request is. */
export interface Patience {
  /** How long a request is repeated in all, in ms. A longer wait is not begun. Default 30 s. */
  patienceMs?: number | undefined;
  /** Waits before a repeat, and counts as the time that it was asked to wait; for tests. */
  pause?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
}

const PATIENCE_MS = 30_000;

/** How long a BMC that says it is not ready is tried, in ms; one whose words may mean a lasting state only briefly. */
const READY_WITHIN_MS: Record<Readiness, number> = { 'not-ready': 30_000, perhaps: 6000, lasting: 0, unknown: 0 };
const FIRST_READY_PAUSE_MS = 500;
const LONGEST_READY_PAUSE_MS = 4000;

/** Statuses that a GET often gets once only. */
const PASSING = new Set([429, 500, 502, 503, 504]);
/** The pauses before the repeats of a GET. */
const READ_PAUSES_MS = [250, 1000];

/** How often a request is repeated that the BMC turned away because it was busy with others. */
const MAX_OVERLOADS = 4;

/** The repeats of one request, over its redirects and a new login. */
export class Repeats {
  readonly #mode: RequestMode;
  readonly #patienceMs: number;
  readonly #pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #started = performance.now();
  /** The sum of the pauses, in ms. */
  #waited = 0;
  readonly #pace = new PollPace();
  #reads = 0;
  #overloads = 0;
  #busy = 0;

  constructor(mode: RequestMode, patienceMs: Patience['patienceMs'] = PATIENCE_MS, wait: Patience['pause'] = pause) {
    this.#mode = mode;
    this.#patienceMs = patienceMs;
    this.#pause = wait;
  }

  /**
   * Waits before the request is sent again after `response`.
   * @returns false at once when it must not be sent again
   * @throws `signal.reason` when it fires
   */
  async afterResponse(response: RawResponse, signal: AbortSignal): Promise<boolean> {
    if (!isError(this.#mode, response)) return false;
    const words = wordsOf(response);
    // Any other is the operation's own.
    if (this.#mode === 'monitor' && !concernsPoll(response.status, words)) return false;
    const wantedMs = this.#waitMs(response, words);
    const ms = wantedMs === null ? null : this.#pace.next(wantedMs);
    if (ms === null || ms > this.#left(this.#patienceMs)) return false;
    await this.#wait(ms, signal);
    return true;
  }

  /** Does the same after the connection broke once the request was sent. */
  async afterBreak(signal: AbortSignal): Promise<boolean> {
    if (this.#mode === 'change') return false;
    // At once, as a kept connection may have been closed a moment ago.
    const ms = this.#reads === 0 ? 0 : READ_PAUSES_MS[this.#reads];
    if (ms === undefined) return false;
    if (this.#reads > 0 && (this.#mode === 'monitor' || ms > this.#left(this.#patienceMs))) return false;
    this.#reads++;
    await this.#wait(ms, signal);
    return true;
  }

  /** Allows one more repeat after a break: those so far may be due to a session that had ended. */
  forgetBreaks(): void {
    this.#reads = Math.min(this.#reads, 1);
  }

  /** Waits before the next attempt to connect. */
  async beforeConnecting(ms: number, signal: AbortSignal): Promise<void> {
    await this.#wait(ms, signal);
  }

  /** Returns the wait after a response; null when the request must not be repeated. */
  #waitMs(response: RawResponse, words: Words): number | null {
    const asked = retryAfter(response.headers) ?? namedWaitMs(words);
    const { status } = response;
    // 503 to one of several requests: the BMC serves few at once, and did not handle this one (RFC 9110, 15.6.4). `sendOnce`
    // waits until fewer are in flight.
    const givesNoCause = words.extendedInfo.length === 0 || words.keys.includes('servicetemporarilyunavailable');
    if (response.crowded && givesNoCause && this.#overloads < MAX_OVERLOADS) {
      this.#overloads++;
      return asked ?? 0;
    }
    const readiness = readinessOf(status, words);
    const left = this.#left(READY_WITHIN_MS[readiness]);
    if (left > 0) {
      const growing = Math.min(FIRST_READY_PAUSE_MS * 2 ** this.#busy++, LONGEST_READY_PAUSE_MS);
      const ms = asked === null ? Math.min(growing, left) : Math.max(asked, growing);
      return ms <= left ? ms : null;
    }
    const passes = this.#mode === 'monitor' || (this.#mode === 'read' && PASSING.has(status));
    if (readiness !== 'unknown' || !passes) return null;
    const pauseMs = READ_PAUSES_MS[this.#reads];
    if (pauseMs === undefined) return null;
    this.#reads++;
    return asked ?? pauseMs;
  }

  /** Returns how much is left of `ms` since the request began, within its patience. */
  #left(ms: number): number {
    const spent = Math.max(performance.now() - this.#started, this.#waited);
    return Math.min(ms, this.#patienceMs) - spent;
  }

  async #wait(ms: number, signal: AbortSignal): Promise<void> {
    this.#waited += ms;
    if (ms > 0) await this.#pause(ms, signal);
    else signal.throwIfAborted();
  }
}
