import type { EndSignal } from './lazyAbort.ts';
import type { Logger } from './logger.ts';

/** The delay before a step that the store could not do is repeated, in milliseconds. */
const STORE_RETRY = 1000;

/** How long a change that got no response may still reach the store, in milliseconds. No proxy or broken connection is slower. */
export const LATE_COMMIT_TIME = 600_000;

/** The longest delay of a timer of Node, in milliseconds: it fires at once after a longer one. */
export const MAX_DELAY = 2 ** 31 - 1;

/** Waits `ms` milliseconds. Throws the signal's reason as soon as it fires. */
export async function pause(ms: number, signal: EndSignal, keepAlive = true): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  if (!keepAlive) timer.unref();
  await untilAborted(promise, signal, () => clearTimeout(timer));
}

/**
 * Returns what `work` returns, or throws the reason of `signal` when that fires first; `work` then continues to its end.
 * @param aborted called when the signal fires first
 */
export function untilAborted<T>(work: Promise<T>, signal: EndSignal, aborted?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      aborted?.();
      reject(signal.reason);
    };
    work.then(
      (value) => {
        signal.removeEventListener('abort', onAbort);
        resolve(value);
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort);
        reject(error);
      },
    );
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** Waits up to `time` milliseconds until all of `work` has settled. Returns whether it has. */
export async function settledWithin(work: Promise<unknown>[], time: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(resolve, time, false);
  void Promise.allSettled(work).then(() => resolve(true));
  return promise.finally(() => clearTimeout(timer));
}

/**
 * Repeats `step` until it succeeds, a second apart, and returns its result. Keeps no process alive.
 * @param closed ends the attempts: a store that is closed never succeeds again
 * @param failed called with the error of each attempt; may throw to end the attempts
 * @throws the reason of `closed`
 */
export async function untilStored<T>(
  step: () => Promise<T>,
  closed: AbortSignal,
  failed: (error: unknown) => void = () => {},
): Promise<T> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      closed.throwIfAborted();
      failed(error);
      await pause(STORE_RETRY, closed, false);
    }
  }
}

/** A background task that is repeated until it is stopped. */
export interface Periodic {
  /** Resolves when the run that is under way has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `work` every `interval` milliseconds, one run at a time, first after an interval. An error is logged with the message
 * `failure`, and the runs continue. Keeps no process alive.
 */
export function periodically(interval: number, work: () => Promise<void>, log: Logger, failure: string): Periodic {
  let run: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | null = null;
  let stopped = false;
  const next = () => {
    if (!stopped) timer = setTimeout(begin, interval).unref();
  };
  const begin = () => {
    run = work()
      .catch((error: unknown) => log.warn({ err: error }, failure))
      .then(next);
  };
  next();
  return {
    stop() {
      stopped = true;
      if (timer !== null) clearTimeout(timer);
      return run;
    },
  };
}

/** Callers that wait for their turn, first come, first served. */
export class WaitingLine<T = void> {
  readonly #callers: { grant(value: T): void; refuse(error: unknown): void }[] = [];

  /** The number of callers that wait. */
  get length(): number {
    return this.#callers.length;
  }

  /**
   * Waits for at most `ms` milliseconds until `grant` reaches this caller, and returns its value.
   * @param late returns the error of a wait that timed out
   * @throws that error, the signal's reason, or the error given to `refuseAll`
   */
  wait(ms: number, signal: EndSignal, late: () => unknown): Promise<T> {
    if (signal.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', aborted);
        const place = this.#callers.indexOf(caller);
        if (place !== -1) this.#callers.splice(place, 1);
      };
      const caller = {
        grant: (value: T) => {
          leave();
          resolve(value);
        },
        refuse: (error: unknown) => {
          leave();
          reject(error);
        },
      };
      const aborted = () => caller.refuse(signal.reason);
      const timer = setTimeout(() => caller.refuse(late()), Math.min(ms, MAX_DELAY));
      signal.addEventListener('abort', aborted, { once: true });
      this.#callers.push(caller);
    });
  }

  /** Gives the first in line its turn with `value`. Returns false when no one waits. */
  grant(value: T): boolean {
    const [first] = this.#callers;
    first?.grant(value);
    return first !== undefined;
  }

  /** Ends the wait of all with `error`. */
  refuseAll(error: unknown): void {
    for (const caller of [...this.#callers]) caller.refuse(error);
  }
}
