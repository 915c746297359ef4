import type { RedfishError } from '../errors.ts';
import { hasMessage } from './extendedInfo.ts';

/** iDRAC's and iLO's words for "busy, try again shortly"; they come under 400, 409 or 503. */
const BUSY = ['SYS518', 'InvalidOperationForSystemState'];

/** How often a request is sent to a BMC that says it is busy. Bounded, for iLO says so of lasting states as well. */
export const BUSY_TRIES = 4;

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** Whether the BMC refused because it is busy. Nothing was done then, so that any verb may be sent again. */
export function meansBusy(error: RedfishError): boolean {
  return [400, 409, 503].includes(error.status) && hasMessage(error.extendedInfo, ...BUSY);
}

/** Milliseconds to wait after the `tries`-th answer of a busy BMC. */
export function busyWaitMs(tries: number, headers: Record<string, string>): number {
  return retryAfterMs(headers) ?? FIRST_WAIT_MS * 2 ** (tries - 1);
}

/** `Retry-After` in milliseconds, at most 30 s: seconds, or a date (RFC 9110, 10.2.3). Null when there is none. */
export function retryAfterMs(headers: Record<string, string>): number | null {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
}
