import type { Logger } from './logger.ts';

/** What is done again and again until it is stopped. */
export interface Periodic {
  /** Resolves when the run that is under way has ended. */
  stop(): Promise<void>;
}

/**
 * Runs `work` every `interval` milliseconds, one run at a time; the first comes after the first interval. What it throws
 * is logged as `failure` and ends nothing. Keeps no process alive.
 */
export function periodically(
  interval: number,
  work: () => Promise<void>,
  { log, failure }: { log: Logger; failure: string },
): Periodic {
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
