import type { RedfishError } from '../errors.ts';
import { hasMessage } from './extendedInfo.ts';

/** iDRAC's and iLO's messages for "busy, try again shortly"; their status is 400, 409 or 503. */
const BUSY = ['SYS518', 'InvalidOperationForSystemState'];

/** Maximum number of tries at a busy BMC. Bounded, because iLO reports lasting states as busy too. */
export const BUSY_TRIES = 4;

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** Whether the BMC refused because it is busy. It did nothing then, so that any verb may be repeated. */
export function meansBusy(error: RedfishError): boolean {
  return [400, 409, 503].includes(error.status) && hasMessage(error.extendedInfo, ...BUSY);
}

/** Returns the wait after the `tries`-th response of a busy BMC, in ms. */
export function busyWaitMs(tries: number, headers: Record<string, string>): number {
  return retryAfterMs(headers) ?? FIRST_WAIT_MS * 2 ** (tries - 1);
}

/** Reads `Retry-After`, which is seconds or a date (RFC 9110, 10.2.3), in ms and at most 30 s. Null when absent or invalid. */
export function retryAfterMs(headers: Record<string, string>): number | null {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
}
