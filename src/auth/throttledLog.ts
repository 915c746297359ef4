import type { Logger } from '../core/logger.ts';

/** The minimum time between two lines, in ms. */
const INTERVAL = 10_000;

/**
 * Returns a function that warns at most once in ten seconds, and counts what it left out in `suppressed`. For errors
 * that every request meets, such as an identity service that is down: anyone can send requests and fill the disk.
 * @param now the monotonic clock, in ms
 */
export function createThrottledLog(
  log: Logger,
  now: () => number = () => performance.now(),
): (fields: object, message: string) => void {
  let quietUntil = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return (fields, message) => {
    if (now() < quietUntil) {
      suppressed += 1;
      return;
    }
    log.warn({ ...fields, suppressed }, message);
    quietUntil = now() + INTERVAL;
    suppressed = 0;
  };
}
