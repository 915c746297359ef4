import { createHash } from 'node:crypto';
import { untilAborted } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import type { Account } from './account.ts';

/** A BMC's no to an account. */
export interface Refusal {
  why: string;
  /** Until when the account is not tried again; milliseconds since 1970. */
  until: number;
}

/** What all log-ins with one user name and password at one BMC share, for the BMC counts them together. */
export interface AccountLogIns {
  /** Null when the password does not count as wrong. */
  refusal(): Refusal | null;
  remember(refusal: Refusal): void;
  /** Whether Basic was refused lately where the BMC had no session to give; null when not. */
  basicRefusal(): Refusal | null;
  rememberBasic(refusal: Refusal): void;
  /** Whether the password is known to be right for Basic, so that requests need not wait for one another. */
  basicProven: boolean;
  /**
   * Runs `logIn` when those before it have ended, so that it can know of their refusal.
   * @param waitMs milliseconds to wait for them at most; null: as long as it takes
   * @throws what `logIn` throws; `signal.reason` when it fires before; kind `busy` when the turn does not come in time, or
   *   too many wait
   */
  inTurn<T>(logIn: () => Promise<T>, waitMs: number | null, signal: AbortSignal): Promise<T>;
}

/** Log-ins of one account that may wait for another; more are refused at once. */
const MAX_WAITING = 1000;

/** BMCs lock an account after a few wrong passwords. */
const WRONG_PASSWORD_MS = 5 * 60_000;

/** A refusal that counts from now for five minutes. */
export function refusalNow(why: string): Refusal {
  return { why, until: Date.now() + WRONG_PASSWORD_MS };
}

/** `refusal` while it counts; else null. */
export function inForce(refusal: Refusal | null): Refusal | null {
  return refusal !== null && Date.now() < refusal.until ? refusal : null;
}

/** What a caller gets who would try `refusal`'s account meanwhile. */
export function refusedError({ why, until }: Refusal, url: string): RedfishError {
  const seconds = Math.ceil((until - Date.now()) / 1000);
  const message = `${why}; not tried again for ${seconds} s or until the credentials change, for BMCs lock accounts`;
  return new RedfishError('auth', message, { status: 401, url });
}

/** How a refusal of the password is told. */
export function wrongPassword({ username }: Account): Refusal {
  return refusalNow(`The BMC refuses the user name or password of account ${username}`);
}

interface Remembered {
  refusal: Refusal | null;
  basicRefusal: Refusal | null;
  basicProven: boolean;
}

/**
 * What is remembered of the log-ins at each BMC with each user name and password, whatever else their conversations
 * differ in and however short they were. Holds no password in the clear.
 */
export class LogIns {
  readonly #remembered = new Map<string, Remembered>();
  /** Of the log-ins under way or waiting, how many there are, and the end of all. */
  readonly #lines = new Map<string, { end: Promise<unknown>; length: number }>();

  of(origin: string, account: Account): AccountLogIns {
    const key = keyOf(origin, account);
    const known = () => this.#remembered.get(key);
    const change = (part: Partial<Remembered>) => {
      const before = known() ?? { refusal: null, basicRefusal: null, basicProven: false };
      this.#remembered.set(key, { ...before, ...part });
    };
    return {
      refusal: () => inForce(known()?.refusal ?? null),
      remember: (refusal) => {
        this.#dropOld();
        change({ refusal, basicProven: false });
      },
      basicRefusal: () => inForce(known()?.basicRefusal ?? null),
      rememberBasic: (basicRefusal) => {
        this.#dropOld();
        change({ basicRefusal, basicProven: false });
      },
      get basicProven() {
        return known()?.basicProven ?? false;
      },
      set basicProven(basicProven) {
        change({ basicProven });
      },
      inTurn: (logIn, waitMs, signal) => this.#inTurn(key, origin, logIn, waitMs, signal),
    };
  }

  /** Drops what is remembered of an account, as when the credentials of its nodes have changed. */
  forget(origin: string, account: Account): void {
    this.#remembered.delete(keyOf(origin, account));
  }

  /** A conversation that is not kept has ended: only a refusal is worth remembering. */
  leave(origin: string, account: Account): void {
    const remembered = this.#remembered.get(keyOf(origin, account));
    if (remembered !== undefined) remembered.basicProven = false;
    this.#dropOld();
  }

  async #inTurn<T>(
    key: string,
    url: string,
    logIn: () => Promise<T>,
    waitMs: number | null,
    signal: AbortSignal,
  ): Promise<T> {
    const line = this.#lines.get(key) ?? { end: Promise.resolve(), length: 0 };
    const busy = (why: string) =>
      new RedfishError('busy', `another request with this account tries the password first; ${why}`, { url });
    if (line.length > MAX_WAITING) throw busy('too many wait for it, and this one was not sent');
    const late = waitMs === null ? [] : [AbortSignal.timeout(waitMs)];
    const before = line.end;
    const waited = untilAborted(before, AbortSignal.any([signal, ...late])).catch(() => {
      signal.throwIfAborted();
      throw busy(`it was not answered within ${waitMs! / 1000} s, and this one was not sent`);
    });
    const turn = waited.then(logIn);
    line.length++;
    this.#lines.set(key, line);
    // One that left while it waited does not end the log-in that it waited for.
    line.end = Promise.allSettled([before, turn]);
    try {
      return await turn;
    } finally {
      if (--line.length === 0) this.#lines.delete(key);
    }
  }

  #dropOld(): void {
    for (const [key, { refusal, basicRefusal, basicProven }] of this.#remembered) {
      if (!basicProven && inForce(refusal) === null && inForce(basicRefusal) === null) this.#remembered.delete(key);
    }
  }
}

function keyOf(origin: string, { username, password }: Account): string {
  return JSON.stringify([origin, username, passwordDigest(password)]);
}

/** Tells passwords apart without holding them in the clear. */
export function passwordDigest(password: string): string {
  return createHash('sha256').update(password).digest('base64');
}
