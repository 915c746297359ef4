import { MAX_DELAY, WaitingLine } from '../../core/waiting.ts';
import { RedfishError } from '../errors.ts';

/** How long a refused login counts, in ms. */
const WINDOW_MS = 5 * 60_000;

/** The refused logins after which no other password is tried: of one user name at a BMC, and of all guesses there. */
const MAX_OF_USER = 3;
const MAX_OF_BMC = 10;

/** The maximum number of passwords remembered as right; the oldest is dropped first. */
const MAX_PROVEN = 10_000;

/** The maximum number of logins that wait for their turn; more are refused at once. */
const MAX_WAITING = 1000;

/** A login that a BMC refused. */
interface Refused {
  username: string | null;
  digest: string;
  guessed: boolean;
  /** By the monotonic clock, in ms. */
  at: number;
}

/** One password of one account at one BMC. */
export interface Candidate {
  readonly origin: string;
  readonly username: string | null;
  /** Of the password. */
  readonly digest: string;
  /** What the BMC is known by: name and port, and each address with the port. */
  readonly places: readonly string[];
}

/**
 * Bounds the wrong passwords that a BMC gets, which locks an account after some for all its nodes. Those that callers give to
 * `discover` are guesses: they are counted together with the wrong passwords of nodes, and never keep out a node, whose password
 * an administrator has set. A password that was right here is always tried.
 */
export class WrongPasswords {
  readonly #refused = new Map<string, Refused[]>();
  readonly #proven = new Set<string>();
  readonly #lines = new Map<string, WaitingLine>();

  /**
   * Waits for the logins before this one with the same user name, so that it knows of their refusal. Those of nodes do not wait
   * for guesses.
   * @param waitMs the longest wait in milliseconds; null for no limit
   * @param now returns the monotonic clock, in ms
   * @returns a function that ends the turn
   * @throws kind `auth` when too many other passwords were refused lately; kind `busy` when the turn does not come;
   *   `signal.reason` when it fires
   */
  async turn(
    tried: Candidate,
    guessed: boolean,
    waitMs: number | null,
    signal: AbortSignal,
    now: () => number,
  ): Promise<() => void> {
    if (this.#isProven(tried)) return () => {};
    const key = JSON.stringify([tried.places.at(-1), guessed ? null : tried.username, guessed]);
    const line = this.#lines.get(key);
    if (line === undefined) this.#lines.set(key, new WaitingLine());
    else {
      const busy = () =>
        new RedfishError('busy', 'other passwords of this account are being tried first; this one was not sent', {
          url: tried.origin,
        });
      if (line.length >= MAX_WAITING) throw busy();
      await line.wait(waitMs ?? MAX_DELAY, signal, busy);
    }
    const leave = () => {
      if (!this.#lines.get(key)?.grant()) this.#lines.delete(key);
    };
    try {
      this.#check(tried, guessed, now());
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  /** Remembers that the BMC refused a password. */
  refused({ places, username, digest }: Candidate, guessed: boolean, now: number): void {
    for (const place of places) {
      this.#proven.delete(JSON.stringify([place, username, digest]));
      const list = this.#recent(place, now);
      list.push({ username, digest, guessed, at: now });
      this.#refused.set(place, list);
    }
  }

  /** Remembers that a password is right; that it was refused before meant something else. */
  proven({ places, username, digest }: Candidate): void {
    for (const place of places) {
      this.#proven.add(JSON.stringify([place, username, digest]));
      const list = this.#refused.get(place);
      const others = list?.filter((one) => one.username !== username || one.digest !== digest);
      if (others !== undefined) this.#refused.set(place, others);
    }
    for (const oldest of this.#proven) {
      if (this.#proven.size <= MAX_PROVEN) break;
      this.#proven.delete(oldest);
    }
  }

  /** Drops what is of no use any more. */
  sweep(now: number): void {
    for (const place of this.#refused.keys()) {
      const list = this.#recent(place, now);
      if (list.length === 0) this.#refused.delete(place);
      else this.#refused.set(place, list);
    }
  }

  #isProven({ places, username, digest }: Candidate): boolean {
    return places.some((place) => this.#proven.has(JSON.stringify([place, username, digest])));
  }

  #recent(place: string, now: number): Refused[] {
    return (this.#refused.get(place) ?? []).filter(({ at }) => now - at < WINDOW_MS);
  }

  #check({ origin, places, username, digest }: Candidate, guessed: boolean, now: number): void {
    for (const place of places) {
      // A refusal of the same password, by another way to log in, has its own memory.
      const counted = this.#recent(place, now).filter(
        (one) => (one.username !== username || one.digest !== digest) && (guessed || !one.guessed),
      );
      const ofUser = counted.filter((one) => one.username === username);
      const enough = ofUser.length >= MAX_OF_USER ? ofUser.at(-MAX_OF_USER) : null;
      const oldest = enough ?? (guessed ? counted.at(-MAX_OF_BMC) : undefined);
      if (oldest === undefined || (enough === null && counted.length < MAX_OF_BMC)) continue;
      const seconds = Math.ceil((oldest.at + WINDOW_MS - now) / 1000);
      const what = enough === null ? 'accounts of this BMC' : `account ${username}`;
      const count = enough === null ? counted.length : ofUser.length;
      const message = `The BMC has refused ${count} logins of ${what} within five minutes; another password is not tried for ${seconds} s, to avoid locking the BMC account`;
      throw new RedfishError('auth', message, { status: 401, url: origin });
    }
  }
}
