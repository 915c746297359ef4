import { pause } from '../core/waiting.ts';

/** How long a step waits for another program's write, in milliseconds. */
const BUSY_TIME = 1000;

/** The first and the longest time between two attempts, in milliseconds. */
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 200;

/**
 * Runs a step, and repeats it while it finds the database locked by another program, until it succeeds or a second has
 * passed. A timer waits, not SQLite, which would stop the event loop; other steps, such as those that read, go on meanwhile.
 * @param closed ends the attempts
 * @throws the error of the last attempt
 */
export async function withBusyRetry<T>(
  step: () => Promise<T>,
  isBusy: (error: unknown) => boolean,
  closed: AbortSignal,
): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (!isBusy(error)) throw error;
    return retryBusy(step, isBusy, closed);
  }
}

async function retryBusy<T>(
  step: () => Promise<T>,
  isBusy: (error: unknown) => boolean,
  closed: AbortSignal,
): Promise<T> {
  const end = performance.now() + BUSY_TIME;
  for (let time = FIRST_PAUSE; ; time = Math.min(2 * time, LONGEST_PAUSE)) {
    await pause(time, closed);
    try {
      return await step();
    } catch (error) {
      if (!isBusy(error) || performance.now() >= end) throw error;
    }
  }
}
