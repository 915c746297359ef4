import { createHmac, randomBytes } from 'node:crypto';
import type { Caller } from '../core/caller.ts';
import { PassthruError } from '../core/errors.ts';

/** What a check came to. */
export interface Checked {
  caller: Caller;
  /** When the credentials end by themselves, in milliseconds since the epoch; null when they do not. */
  expires: number | null;
}

/** Times are in milliseconds. */
export interface CheckCacheOptions {
  /** How long credentials that were found right are believed without another look. */
  keep: number;
  /** How long those that were found wrong are refused without another look. */
  keepWrong: number;
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

/** So many different credentials may be checked at a time: each check keeps a thread or another server busy. */
const MAX_RUNNING = 256;
/** So many requests may wait for these checks in all: each takes memory, and nobody knows yet whose it is. */
const MAX_WAITING = 4096;

/**
 * Remembers for a while whom credentials prove, and that some prove nobody, for checks that cost more than a call may.
 * The same credentials that come again while they are checked wait for that check. Credentials are kept as a digest
 * under a key of this process alone, so that its memory gives none away and comparing takes no time that depends on them.
 */
export class CheckCache {
  readonly #key = randomBytes(32);
  readonly #options: Required<CheckCacheOptions>;
  #right = new Map<string, Remembered>();
  /** Apart, so that a flood of wrong ones does not drive the right ones out. */
  #wrong = new Map<string, Remembered>();
  #running = new Map<string, Promise<Caller>>();
  #waiting = 0;

  constructor(options: CheckCacheOptions) {
    this.#options = { size: SIZE, now: () => performance.now(), ...options };
  }

  /**
   * Whom `parts` prove: as `verify` said when it was last asked, or asked now. Of its errors those of kind
   * `unauthenticated` are remembered. Credentials that were right when they were last looked at are checked whoever waits,
   * so that a flood of wrong ones keeps nobody out who is in.
   * @param verify is told whether the credentials were right
   * @throws kind `rate_limited` when too many wait already
   */
  check(parts: readonly string[], verify: (wereRight: boolean) => Promise<Checked>): Caller | Promise<Caller> {
    const digest = createHmac('sha256', this.#key).update(JSON.stringify(parts)).digest('base64');
    const wereRight = this.#right.has(digest);
    const known = this.#right.get(digest) ?? this.#wrong.get(digest);
    if (known !== undefined && this.#isFresh(known)) {
      if (known.outcome instanceof PassthruError) throw known.outcome;
      return known.outcome;
    }
    const joined = this.#running.get(digest);
    const isFull = this.#waiting >= MAX_WAITING || (joined === undefined && this.#running.size >= MAX_RUNNING);
    if (isFull && !wereRight) {
      throw new PassthruError('rate_limited', 'Too many credentials wait to be checked; try again shortly.');
    }
    if (joined !== undefined) return this.#counted(joined);
    const checking = this.#verify(digest, () => verify(wereRight), this.#running);
    this.#running.set(digest, checking);
    return this.#counted(checking);
  }

  #isFresh({ until, expires }: Remembered): boolean {
    return this.#options.now() < until && (expires === null || Date.now() < expires);
  }

  /** Forgets everything, and what the checks that still run will say. */
  clear(): void {
    this.#right = new Map();
    this.#wrong = new Map();
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
    const { keep, keepWrong, now } = this.#options;
    const [right, wrong] = [this.#right, this.#wrong];
    try {
      const { caller, expires } = await verify();
      right.delete(digest);
      this.#remember(right, digest, { until: now() + keep, expires, outcome: caller });
      return caller;
    } catch (error) {
      // While it cannot be told they stay what they were, though not believed.
      if (error instanceof PassthruError && error.kind === 'unauthenticated') {
        right.delete(digest);
        wrong.delete(digest);
        this.#remember(wrong, digest, { until: now() + keepWrong, expires: null, outcome: error });
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
