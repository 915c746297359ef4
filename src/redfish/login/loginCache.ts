import { createHash } from 'node:crypto';
import { MAX_DELAY, WaitingLine } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import type { Account } from './account.ts';

/** A rejected login, cached until `until`. */
export interface Refusal {
  why: string;
  /** By the monotonic clock, in milliseconds: a clock that is set back must not lock a node out. */
  until: number;
}

/** The state shared by all logins with one user name and password at one BMC, which counts their failures together. */
export interface AccountLogins {
  /** Returns the refusal of the password; null when none is in force. */
  refusal(): Refusal | null;
  remember(refusal: Refusal): void;
  /** Returns the refusal of Basic where the BMC offered no session; null when none is in force. */
  basicRefusal(): Refusal | null;
  rememberBasic(refusal: Refusal): void;
  /** Whether the password has proved right for Basic, so that requests need not wait for each other. */
  basicProven: boolean;
  /**
   * Waits until the logins before this one have ended, so that it knows of their refusal.
   * @param waitMs the longest wait in milliseconds; null for as long as it takes
   * @returns lets the next one have its turn
   * @throws kind `busy` when the turn does not come in time or too many wait; `signal.reason` when it fires
   */
  turn(waitMs: number | null, signal: AbortSignal): Promise<() => void>;
}

/** The maximum number of logins of one account that wait; more are refused at once. */
const MAX_WAITING = 1000;

/** How long a wrong password is not tried again, in ms: BMCs lock an account after a few. */
const WRONG_PASSWORD_MS = 5 * 60_000;

/** Returns a refusal that is in force for the next five minutes. */
export function refusalNow(why: string): Refusal {
  return { why, until: performance.now() + WRONG_PASSWORD_MS };
}

/** Returns `refusal` while it is in force; otherwise null. */
export function inForce(refusal: Refusal | null): Refusal | null {
  return refusal !== null && performance.now() < refusal.until ? refusal : null;
}

/** Returns the error for a caller of a refused account. */
export function refusedError({ why, until }: Refusal, url: string): RedfishError {
  const seconds = Math.ceil((until - performance.now()) / 1000);
  const message = `${why}; retry blocked for ${seconds} s or until the credentials change, to avoid locking the BMC account`;
  return new RedfishError('auth', message, { status: 401, url });
}

/** Returns the refusal of a wrong password. */
export function wrongPassword({ username }: Account): Refusal {
  return refusalNow(`The BMC refuses the user name or password of account ${username}`);
}

interface Remembered {
  refusal: Refusal | null;
  basicRefusal: Refusal | null;
  basicProven: boolean;
}

/** Remembers the logins at each BMC with each user name and password. Holds no password in plain text. */
export class LoginCache {
  readonly #remembered = new Map<string, Remembered>();
  /** The logins that wait for the one under way, by account. */
  readonly #lines = new Map<string, WaitingLine>();

  of(origin: string, account: Account): AccountLogins {
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
      turn: (waitMs, signal) => this.#turn(key, origin, waitMs, signal),
    };
  }

  /** Drops an account, as when the credentials of its nodes have changed. */
  forget(origin: string, account: Account): void {
    this.#remembered.delete(keyOf(origin, account));
  }

  /** Drops all but the refusal of an account that is no longer used. */
  leave(origin: string, account: Account): void {
    const remembered = this.#remembered.get(keyOf(origin, account));
    if (remembered !== undefined) remembered.basicProven = false;
    this.#dropOld();
  }

  async #turn(key: string, url: string, waitMs: number | null, signal: AbortSignal): Promise<() => void> {
    let line = this.#lines.get(key);
    const busy = (why: string) =>
      new RedfishError('busy', `another request of this account is trying the password first; ${why}`, { url });
    if (line === undefined) {
      signal.throwIfAborted();
      line = new WaitingLine();
      this.#lines.set(key, line);
    } else {
      if (line.length >= MAX_WAITING) throw busy('too many requests are waiting for it, and this one was not sent');
      const late = () => busy(`it got no response within ${waitMs! / 1000} s, and this one was not sent`);
      await line.wait(waitMs ?? MAX_DELAY, signal, late);
    }
    const own = line;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      if (!own.grant()) this.#lines.delete(key);
    };
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

/** Returns a digest that distinguishes passwords without keeping them in plain text. */
export function passwordDigest(password: string): string {
  return createHash('sha256').update(password).digest('base64');
}
