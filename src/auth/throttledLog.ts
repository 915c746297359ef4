import type { Logger } from '../core/logger.ts';

/** So long nothing is said after something was, in milliseconds. */
const QUIET = 10_000;

/**
 * Warns of trouble that each request meets anew, such as an identity service that is away: once in ten seconds at most,
 * with how often it was not said. Anybody can send requests, and would fill the log's disk.
 */
export function createTroubleLog(log: Logger): (fields: object, message: string) => void {
  let quietUntil = 0;
  let unsaid = 0;
  return (fields, message) => {
    if (Date.now() < quietUntil) {
      unsaid += 1;
      return;
    }
    log.warn({ ...fields, unsaid }, message);
    quietUntil = Date.now() + QUIET;
    unsaid = 0;
  };
}
