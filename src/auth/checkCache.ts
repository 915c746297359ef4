import { createHmac, randomBytes } from 'node:crypto';
import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';

/** The result of a successful check. */
export interface Checked {
  caller: Caller;
  /** When the credentials expire, in ms since the epoch; null when they do not. */
  expires: number | null;
}

/** Times are in ms. */
interface CheckCacheOptions {
  /** How long valid credentials are accepted without another check. */
  keep: number;
  /** How long invalid credentials are refused without another check. */
  keepInvalid: number;
  /** The maximum number of credentials remembered of each kind; the oldest are forgotten first. */
  size?: number;
  /** The monotonic clock, in ms. A step of the wall clock neither prolongs nor ends what is remembered. */
  now?: () => number;
}

interface Remembered {
  /** By the monotonic clock. */
  until: number;
  /** By the wall clock, as `Checked.expires`. */
  expires: number | null;
  outcome: Caller | PassthruError;
}

const SIZE = 10_000;

/** Maximum number of concurrent checks: each occupies a thread or another server. */
const MAX_RUNNING = 256;
/** Maximum number of requests that wait for these checks: each takes memory, for a caller not yet authenticated. */
const MAX_WAITING = 4096;

/**
 * Caches the results of expensive credential checks, both valid and invalid. Requests with credentials that are being
 * checked share that check. Credentials are kept as an HMAC with a key of this process, so memory holds none and
 * look-ups take constant time.
 */
export class CheckCache {
  readonly #key = randomBytes(32);
  readonly #options: Required<CheckCacheOptions>;
  #valid = new Map<string, Remembered>();
  /** Separate, so that a flood of invalid credentials does not evict valid ones. */
  #invalid = new Map<string, Remembered>();
  #running = new Map<string, Promise<Caller>>();
  #waiting = 0;

  constructor(options: CheckCacheOptions) {
    this.#options = { size: SIZE, now: () => performance.now(), ...options };
  }

  /**
   * Returns the caller with the credentials `parts`, from the cache or by `verify`; errors of kind `unauthenticated` are
   * cached too. Credentials that were valid at their last check bypass the limits, so that a flood of invalid ones locks
   * no one out.
   * @param verify checks them; receives whether they were valid before
   * @throws kind `rate_limited` when too many wait already
   */
  check(parts: readonly string[], verify: (wasValid: boolean) => Promise<Checked>): Caller | Promise<Caller> {
    const digest = createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64');
    const wasValid = this.#valid.has(digest);
    const cached = this.#valid.get(digest) ?? this.#invalid.get(digest);
    if (cached !== undefined && this.#isFresh(cached)) {
      if (cached.outcome instanceof PassthruError) throw cached.outcome;
      return cached.outcome;
    }
    const joined = this.#running.get(digest);
    const isFull = this.#waiting >= MAX_WAITING || (joined === undefined && this.#running.size >= MAX_RUNNING);
    if (isFull && !wasValid) {
      throw new PassthruError('rate_limited', 'Too many credentials are waiting to be checked; try again shortly.');
    }
    if (joined !== undefined) return this.#counted(joined);
    const checking = this.#verify(digest, () => verify(wasValid), this.#running);
    this.#running.set(digest, checking);
    return this.#counted(checking);
  }

  /** The number of credentials that are remembered. */
  get size(): number {
    return this.#valid.size + this.#invalid.size;
  }

  #isFresh({ until, expires }: Remembered): boolean {
    return this.#options.now() < until && (expires === null || Date.now() < expires);
  }

  /** Clears the cache; results of checks still running are discarded. */
  clear(): void {
    this.#valid = new Map();
    this.#invalid = new Map();
    this.#running = new Map();
  }

  async #counted(check: Promise<Caller>): Promise<Caller> {
    this.#waiting += 1;
    try {
      return await check;
    } finally {
      this.#waiting -= 1;
    }
  }

  async #verify(digest: string, verify: () => Promise<Checked>, running: Map<string, Promise<Caller>>) {
    const { keep, keepInvalid, now } = this.#options;
    const [valid, invalid] = [this.#valid, this.#invalid];
    try {
      const { caller, expires } = await verify();
      valid.delete(digest);
      this.#remember(valid, digest, { until: now() + keep, expires, outcome: caller });
      return caller;
    } catch (error) {
      // When the check itself failed, credentials keep their last status but are not accepted.
      if (error instanceof PassthruError && error.kind === 'unauthenticated') {
        valid.delete(digest);
        invalid.delete(digest);
        forgetExpired(invalid, now());
        this.#remember(invalid, digest, { until: now() + keepInvalid, expires: null, outcome: error });
      }
      throw error;
    } finally {
      running.delete(digest);
    }
  }

  #remember(map: Map<string, Remembered>, digest: string, remembered: Remembered): void {
    map.set(digest, remembered);
    if (map.size <= this.#options.size) return;
    const [oldest] = map.keys();
    map.delete(oldest as string);
  }
}

/** Forgets what has expired; all are kept for the same time, so the first ones expire first. */
function forgetExpired(map: Map<string, Remembered>, now: number): void {
  for (const [digest, { until }] of map) {
    if (until > now) return;
    map.delete(digest);
  }
}
