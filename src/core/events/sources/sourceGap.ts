import type { EventGap } from '../event.ts';
import type { BmcState } from '../eventsInterface.ts';
import { SWITCHED_OFF, UNREACHABLE } from './sourceFault.ts';
import type { StoredSource } from './sourceStore.ts';

/** How far the times of restarts that a BMC tells may differ without a restart, in milliseconds: some count back from now. */
const RESET_TOLERANCE = 60_000;

/**
 * Returns when a BMC has restarted since it told `before`, in milliseconds since 1970 by this service's clock; null when it has not,
 * or does not tell.
 * @param now milliseconds since 1970
 */
export function restartTime(before: Date | null, { clock, lastReset }: BmcState, now: number): number | null {
  if (before === null || lastReset === null) return null;
  if (lastReset.getTime() - before.getTime() < RESET_TOLERANCE) return null;
  return Math.min(now, lastReset.getTime() - (clock === null ? 0 : clock.getTime() - now));
}

/**
 * Returns the time for which nothing could arrive by push; null when there was none.
 * @param fault why a subscription was made; null when it was there
 * @param reset when the BMC has restarted; null when it has not
 * @param end milliseconds since 1970
 */
export function gapOf(source: StoredSource, fault: string | null, reset: number | null, end: number): EventGap | null {
  const { verifyTime, lastEventTime, reason } = source;
  const lost = fault !== null && fault !== 'new' && fault !== 'the wish was changed';
  const away = reason?.startsWith(UNREACHABLE) === true;
  const off = reason?.startsWith(SWITCHED_OFF) === true;
  if (verifyTime === null || !(lost || away || off || reset !== null)) return null;
  const sure = Math.max(verifyTime.getTime(), lastEventTime?.getTime() ?? 0);
  const start = Math.min(end, Math.max(sure, reset ?? 0));
  const why = lost
    ? fault
    : off
      ? 'the EventService of the BMC was switched off'
      : away
        ? 'the BMC could not be reached'
        : 'the BMC restarted';
  const message = lost || !away ? `Nothing could arrive: ${why}` : `Events may be missing: ${why}`;
  return { kind: 'gap', start: new Date(start), end: new Date(end), message };
}
