import { untilAborted } from '../core/waiting.ts';
import { RedfishError } from './errors.ts';

/**
 * How long discovered values are used before they are confirmed, in ms. With a session, a restart of the BMC shows by the
 * session's end; with Basic, and after a change without a restart, only by the service root. Confirming so rarely leaves a
 * call that is repeated every few seconds at one request.
 */
const CONFIRM_AFTER_MS = 5 * 60_000;
/** The minimum time that a BMC takes to restart, in ms; confirming sooner shows nothing. */
const RESTART_MS = 5000;

/** The load of a value that is under way. */
interface Loading {
  promise: Promise<unknown>;
  /** Whether its value serves only those who wait for it. */
  once: boolean;
}

/**
 * The values discovered about one BMC (the path of the subscriptions, the devices of a system), each requested once. All
 * are dropped by `forget`, after a 404 on such a path or a change of the service root, and when the BMC was unreachable,
 * as it may have other firmware now. After a while, and when a request got no response, they must be confirmed.
 */
export class Discovered {
  /** Not changed in place, as a snapshot of it may be held. */
  #values: ReadonlyMap<string, unknown> = new Map();
  readonly #loading = new Map<string, Loading>();
  readonly #absences: () => number;
  readonly #now: () => number;
  /** The count of absences when `#values` was last valid. */
  #seenAbsences = 0;
  /** The number of times that everything was dropped. */
  #dropped = 0;
  /** When to confirm the values, by the monotonic clock, in ms. */
  #confirmAt = 0;
  #confirming: Promise<void> | null = null;

  /** @param absences returns the number of times that the BMC was unreachable; `now` is the monotonic clock, in ms */
  constructor(absences: () => number, now: () => number) {
    this.#absences = absences;
    this.#now = now;
  }

  /**
   * Returns the value of `key`, which `load` discovers when there is none. Concurrent callers share one load and its failure;
   * when the loading caller aborts, the next one loads.
   * @param load discovers the value; it calls `doNotKeep` when a part could not be read, so that the next call looks again
   */
  async get<T>(key: string, signal: AbortSignal, load: (doNotKeep: () => void) => Promise<T>): Promise<T> {
    for (;;) {
      this.#dropStale();
      if (this.#values.has(key)) return this.#values.get(key) as T;
      const other = this.#loading.get(key);
      if (other === undefined) break;
      const succeeded = await hasSucceeded(other.promise, signal);
      if (succeeded && other.once) return (await other.promise) as T;
    }
    const dropped = this.#dropped;
    const loading: Loading = { promise: Promise.resolve(), once: false };
    const promise = load(() => {
      loading.once = true;
    });
    loading.promise = promise;
    this.#loading.set(key, loading);
    try {
      const value = await promise;
      this.#dropStale();
      // A value whose discovery began before everything was dropped may be stale.
      if (this.#dropped === dropped && !loading.once) this.#put(key, value);
      return value;
    } finally {
      this.#loading.delete(key);
    }
  }

  /** Returns the value of `key`; undefined when there is none. */
  peek<T>(key: string): T | undefined {
    this.#dropStale();
    return this.#values.get(key) as T | undefined;
  }

  /** Sets the value of `key`. */
  set(key: string, value: unknown): void {
    this.#dropStale();
    this.#put(key, value);
  }

  /** Returns all present values, which later changes leave as they are. */
  snapshot(): ReadonlyMap<string, unknown> {
    this.#dropStale();
    return this.#values;
  }

  /** Reports that the values belong to the BMC as its service root shows it now. */
  confirmed(): void {
    this.#confirmAt = this.#now() + CONFIRM_AFTER_MS;
  }

  /** Reports that a request got no response or a session was lost: the BMC may be restarting. */
  doubt(): void {
    this.#confirmAt = Math.min(this.#confirmAt, this.#now() + RESTART_MS);
  }

  /**
   * Runs `check` when the values have been in doubt for a while, or were last confirmed five minutes ago. Concurrent callers
   * share one check and its failure; when the checking caller aborts, the next one checks.
   * @param check reads the service root, and drops or confirms the values
   * @throws whatever `check` throws
   */
  async confirm(signal: AbortSignal, check: () => Promise<void>): Promise<void> {
    for (;;) {
      this.#dropStale();
      if (this.#values.size === 0 || this.#now() < this.#confirmAt) return;
      if (this.#confirming === null) break;
      if (await hasSucceeded(this.#confirming, signal)) return;
    }
    this.#confirming = check();
    try {
      await this.#confirming;
    } finally {
      this.#confirming = null;
    }
  }

  /** Drops everything: a BMC that moved one path may have moved all, as after a change of firmware. */
  forget(): void {
    this.#values = new Map();
    this.#dropped++;
  }

  #put(key: string, value: unknown): void {
    this.#values = new Map(this.#values).set(key, value);
  }

  #dropStale(): void {
    const absences = this.#absences();
    if (absences === this.#seenAbsences) return;
    this.#seenAbsences = absences;
    this.forget();
  }
}

/** Waits for the work of another caller. False when that caller aborted. Throws the work's RedfishError or `signal.reason`. */
async function hasSucceeded(work: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  try {
    await untilAborted(work, signal);
    return true;
  } catch (error) {
    if (error instanceof RedfishError) throw error;
    signal.throwIfAborted();
    return false;
  }
}
