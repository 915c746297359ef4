import { untilAborted } from '../core/waiting.ts';
import { RedfishError } from './errors.ts';

/**
 * So long what is known is taken to hold, in milliseconds. Under a session a restart of the BMC shows by the session's end;
 * under Basic, and where a BMC has changed without a restart, its service root alone shows it. One look in so long a time
 * leaves a call that comes every few seconds at one request.
 */
const HOLDS_MS = 5 * 60_000;
/** A BMC that gave no answer because it restarts is not back sooner, in milliseconds; before that a look shows nothing. */
const AWAY_MS = 5000;

/**
 * What was discovered about one BMC (where the subscriptions are, which devices a system has), so that it is asked once.
 * Kept until `forget`, which a 404 on a known path and a changed service root call for, and until the BMC was away: it
 * may have come back with other firmware. After a while, and when a request got no answer, it is in doubt: then the
 * service root is looked at (`confirm`).
 */
export class KnownPaths {
  readonly #known = new Map<string, unknown>();
  readonly #loading = new Map<string, Promise<unknown>>();
  readonly #absences: () => number;
  /** As counted when `#known` was last known to hold. */
  #seenAbsences = 0;
  /** How often everything was dropped. */
  #dropped = 0;
  /** When it is to be seen whether it still holds, by the monotonic clock. */
  #lookAt = 0;
  /** The look at the service root that is under way. */
  #looking: Promise<void> | null = null;

  /** @param absences how often the BMC was away so far */
  constructor(absences: () => number) {
    this.#absences = absences;
  }

  /**
   * What is known under `key`, else what `load` finds out. Concurrent callers share one load and its failure; when the
   * caller who loads leaves, the next one loads.
   */
  async get<T>(key: string, signal: AbortSignal, load: () => Promise<T>): Promise<T> {
    for (;;) {
      this.#dropStale();
      if (this.#known.has(key)) return this.#known.get(key) as T;
      const loading = this.#loading.get(key);
      if (loading === undefined) break;
      try {
        await untilAborted(loading, signal);
      } catch (error) {
        if (error instanceof RedfishError) throw error;
        signal.throwIfAborted();
      }
    }
    const dropped = this.#dropped;
    const loading = load();
    this.#loading.set(key, loading);
    try {
      const value = await loading;
      this.#dropStale();
      // What was being found out when everything was dropped may be of before.
      if (this.#dropped === dropped) this.#known.set(key, value);
      return value;
    } finally {
      this.#loading.delete(key);
    }
  }

  /** What is known under `key`; undefined when nothing is. */
  peek<T>(key: string): T | undefined {
    this.#dropStale();
    return this.#known.get(key) as T | undefined;
  }

  /** Replaces what is known under `key`. */
  set(key: string, value: unknown): void {
    this.#dropStale();
    this.#known.set(key, value);
  }

  /** The service root was read, and what is known is of the BMC that it shows. */
  holds(): void {
    this.#lookAt = performance.now() + HOLDS_MS;
  }

  /** A request got no answer, or a session was lost: the BMC may be restarting. */
  doubt(): void {
    this.#lookAt = Math.min(this.#lookAt, performance.now() + AWAY_MS);
  }

  /**
   * Has `look` see whether what is known still holds, when that has been in doubt for a while or was last seen five minutes
   * ago. Concurrent
   * callers share one look and its failure; when the caller who looks leaves, the next one looks.
   * @throws what `look` throws
   */
  async confirm(signal: AbortSignal, look: () => Promise<void>): Promise<void> {
    for (;;) {
      this.#dropStale();
      if (this.#known.size === 0 || performance.now() < this.#lookAt) return;
      if (this.#looking === null) break;
      try {
        return await untilAborted(this.#looking, signal);
      } catch (error) {
        if (error instanceof RedfishError) throw error;
        signal.throwIfAborted();
      }
    }
    this.#looking = look();
    try {
      await this.#looking;
    } finally {
      this.#looking = null;
    }
  }

  /** Drops everything: paths of a BMC that moved one have moved all, as after a change of firmware. */
  forget(): void {
    this.#known.clear();
    this.#dropped++;
  }

  #dropStale(): void {
    const absences = this.#absences();
    if (absences === this.#seenAbsences) return;
    this.#seenAbsences = absences;
    this.forget();
  }
}
