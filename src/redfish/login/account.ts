import { createHash } from 'node:crypto';
import type { LookupAddress } from 'node:dns';
import { MAX_DELAY, WaitingLine } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';
import { type Candidate, WrongPasswords } from './wrongPasswords.ts';

/** `auto`: a session, or Basic where the BMC offers none. */
export type AuthType = 'auto' | 'session' | 'basic';

/** The credentials for one BMC. */
export interface Account {
  /** Null: without credentials. */
  username: string | null;
  password: string;
  authType: AuthType;
}

/** The right to send one request with an account's credentials. */
export interface Authorization {
  kind: 'none' | Way;
  headers: Record<string, string>;
  /** Throws when the credentials were refused meanwhile. Call it in the tick in which the request is written. */
  check?(): void;
  /** Lets the next request proceed. Call it once the response was judged, or the request has failed. */
  release(): void;
  /** For `session`: whether it was opened for an earlier request. */
  kept?: boolean;
  /** For `basic`: why the BMC opened no session, so that Basic replaces it; null without sessions. */
  noSession?: RedfishError | null;
}

/** What the requests of one call share about their login. */
export interface CallLogin {
  /** Why the BMC opened no session for an earlier request, so that Basic replaces it for the whole call; null before. */
  noSession: RedfishError | null;
}

export const ANONYMOUS: Authorization = { kind: 'none', headers: {}, release: () => {} };

/** The maximum number of logins of one account that wait; more are refused at once. */
const MAX_WAITING = 1000;

/** How long a refused login is not retried, in ms: BMCs lock an account after a few failures. */
const REFUSED_MS = 5 * 60_000;

/** A login that the BMC refused; in force for five minutes. */
export class Refusal {
  readonly why: string;
  readonly #remainingMs: () => number;

  /** @param now the monotonic clock, in ms: a clock that is set back must not lock a node out */
  constructor(why: string, now: () => number) {
    const until = now() + REFUSED_MS;
    this.why = why;
    this.#remainingMs = () => until - now();
  }

  get inForce(): boolean {
    return this.#remainingMs() > 0;
  }

  /**
   * Returns the error for a caller of the refused account.
   * @param why replaces the refusal's own words
   */
  error(url: string, why = this.why): RedfishError {
    const seconds = Math.ceil(this.#remainingMs() / 1000);
    const message = `${why}; retry blocked for ${seconds} s or until the credentials change, to avoid locking the BMC account`;
    return new RedfishError('auth', message, { status: 401, url });
  }
}

/** A way to log in. */
export type Way = 'session' | 'basic';

/** Returns the words for an account whose password the BMC refused by each way that was tried. */
export function wrongPassword({ username }: Account, ...ways: Way[]): string {
  const tried = ways.map((way) => (way === 'session' ? 'a session' : 'Basic authentication')).join(' and by ');
  return `The BMC refuses the user name or password of account ${username} (tried by ${tried})`;
}

/** The state shared by all logins with one user name and password at one BMC, which count their failures together. */
export class AccountLogins {
  readonly key: string;
  readonly #origin: string;
  /** The monotonic clock, in ms. */
  readonly now: () => number;
  /** The number of contexts that use it. */
  users = 0;
  /** Whether the latest login by a session was refused, however long ago and whatever was forgotten since. */
  sessionRefused = false;
  readonly #wrongPasswords: WrongPasswords;
  readonly #candidate: Candidate;
  /** Whether the login under way has a password that a caller gave. */
  #guessed = false;
  #basicProven = false;
  /** The latest refusal by each way. One says nothing about the other: a BMC may offer only one of them. */
  readonly #refusals = new Map<Way, Refusal>();
  /** The logins that wait for the one under way; null when there is none. */
  #line: WaitingLine | null = null;

  constructor(key: string, tried: Candidate, now: () => number, wrongPasswords: WrongPasswords) {
    this.key = key;
    this.#origin = tried.origin;
    this.#candidate = tried;
    this.now = now;
    this.#wrongPasswords = wrongPasswords;
  }

  /** Whether the password has proved right for Basic, so that requests need not wait for each other. */
  get basicProven(): boolean {
    return this.#basicProven;
  }

  set basicProven(proven: boolean) {
    if (proven && !this.#basicProven) this.#wrongPasswords.proven(this.#candidate);
    this.#basicProven = proven;
  }

  /** Remembers that the password opened a session. */
  sessionOpened(): void {
    this.sessionRefused = false;
    this.#wrongPasswords.proven(this.#candidate);
  }

  /** Returns the refusal by `way` that is in force. */
  refusal(way: Way): Refusal | null {
    const refusal = this.#refusals.get(way);
    return refusal?.inForce ? refusal : null;
  }

  /** Remembers that the BMC refused a login by `way`, and returns the refusal. */
  refuse(way: Way, why: string): Refusal {
    const refusal = new Refusal(why, this.now);
    // Requests that were under way when a proven password became wrong count once.
    if (this.refusal(way) === null) this.#wrongPasswords.refused(this.#candidate, this.#guessed, this.now());
    this.#refusals.set(way, refusal);
    if (way === 'basic') this.basicProven = false;
    else this.sessionRefused = true;
    return refusal;
  }

  /** Forgets all refusals. */
  forget(): void {
    this.#refusals.clear();
    this.basicProven = false;
  }

  /** Whether a login is under way, on whose outcome the next ones depend. */
  get isBusy(): boolean {
    return this.#line !== null;
  }

  /**
   * Waits until the logins before this one have ended, so that it knows of their refusal.
   * @param waitMs the longest wait in milliseconds; null for no limit
   * @param guessed whether a caller gave the password, rather than a node
   * @returns a function that ends the turn
   * @throws kind `busy` when the turn does not come in time or too many wait; kind `auth` when too many other passwords were
   *   refused; `signal.reason` when it fires
   */
  async turn(waitMs: number | null, signal: AbortSignal, guessed = false): Promise<() => void> {
    const busy = (why: string) => {
      const message = `another request of this account is trying the password first; ${why}, and this one was not sent`;
      return new RedfishError('busy', message, { url: this.#origin });
    };
    if (this.#line === null) {
      signal.throwIfAborted();
      this.#line = new WaitingLine();
    } else {
      if (this.#line.length >= MAX_WAITING) throw busy('too many requests are waiting for it');
      await this.#line.wait(waitMs ?? MAX_DELAY, signal, () => busy(`it got no response within ${waitMs! / 1000} s`));
    }
    const next = () => {
      if (!this.#line?.grant()) this.#line = null;
    };
    let leave: () => void;
    try {
      leave = await this.#wrongPasswords.turn(this.#candidate, guessed, waitMs, signal, this.now);
    } catch (error) {
      next();
      throw error;
    }
    this.#guessed = guessed;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#guessed = false;
      leave();
      next();
    };
  }
}

/** Remembers the logins at each BMC with each user name and password. Holds no password in plain text. */
export class LoginCache {
  readonly #accounts = new Map<string, AccountLogins>();
  readonly #wrongPasswords = new WrongPasswords();

  /**
   * Returns the state for a new context; pass it to `leave` when the context is dropped.
   * @param addresses those that connections are made to, where they are known
   */
  join(origin: string, account: Account, now: () => number, addresses: readonly LookupAddress[] = []): AccountLogins {
    const key = keyOf(origin, account);
    const logins =
      this.#accounts.get(key) ??
      new AccountLogins(key, candidate(origin, account, addresses), now, this.#wrongPasswords);
    this.#accounts.set(key, logins);
    logins.users++;
    return logins;
  }

  /** Drops the state that no context uses, unless the account is refused or a login is under way. */
  leave(logins: AccountLogins): void {
    logins.users--;
    this.#dropUnused(logins);
  }

  /** Forgets the refusals of an account, as when the credentials of its nodes have changed. */
  forget(origin: string, account: Account): void {
    const logins = this.#accounts.get(keyOf(origin, account));
    if (logins === undefined) return;
    logins.forget();
    this.#dropUnused(logins);
  }

  /** Drops what `leave` kept and is of no use any more. */
  sweep(now: number): void {
    this.#wrongPasswords.sweep(now);
    for (const logins of this.#accounts.values()) this.#dropUnused(logins);
  }

  #dropUnused(logins: AccountLogins): void {
    const refused = logins.refusal('session') ?? logins.refusal('basic');
    if (logins.users === 0 && !logins.isBusy && refused === null) this.#accounts.delete(logins.key);
  }
}

function keyOf(origin: string, { username, password }: Account): string {
  return JSON.stringify([origin, username, passwordDigest(password)]);
}

/**
 * Describes an account's password for `WrongPasswords`.
 * @param addresses those that connections are made to, where they are known
 */
function candidate(origin: string, account: Account, addresses: readonly LookupAddress[] = []): Candidate {
  const { protocol, hostname, port } = new URL(origin);
  const at = port === '' ? protocol : port;
  const name = hostname.replace(/^\[|\]$|\.$/g, '');
  const places = [...new Set([name, ...addresses.map(({ address }) => address)])].map((place) => `${place} ${at}`);
  return { origin, username: account.username, digest: passwordDigest(account.password), places };
}

/** Returns a digest that distinguishes passwords without keeping them in plain text. */
export function passwordDigest(password: string): string {
  return createHash('sha256').update(password).digest('base64');
}
