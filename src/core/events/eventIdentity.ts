import { hash } from 'node:crypto';
import type { EventGap, EventRecord } from './event.ts';
import type { NewEvent } from './eventStore.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTE = 60_000;

/** The lengths of the parts of a digest, in characters: a time in seconds, and 128 bits. */
const TIME = 7;
const HASH = 22;

/**
 * Returns an event as it is stored, with what tells whether it was delivered before. BMCs repeat a delivery whose response they
 * missed, and send an event once for each of their subscriptions. A record whose time can be true is the same one however
 * late it comes again. Where the clock is wrong, ids and times start over at each restart of the BMC, so that an equal
 * record is another one after a while; even more so without an id.
 * @param now milliseconds since 1970
 */
export function identify(nodeUuid: string, content: EventRecord | EventGap, now: number): NewEvent {
  if (content.kind === 'gap') {
    const start = content.start.getTime();
    const digest = digestOf(start, [nodeUuid, start, content.end.getTime()]);
    return { nodeUuid, content, digest, repeatedWithin: null };
  }
  const { kind, bmcEventId, bmcTime, messageId, messageArgs, origin, message, raw, reference } = content;
  const time = bmcTime?.getTime() ?? null;
  const told = messageId === '' ? message : messageId.toLowerCase();
  const report = kind === 'metric_report' ? raw : null;
  const digest = digestOf(time, [nodeUuid, kind, bmcEventId, time, told, messageArgs, origin, reference, report]);
  return { nodeUuid, content, digest, repeatedWithin: repeatedWithin(bmcEventId, time, now) };
}

function repeatedWithin(id: string, time: number | null, now: number): number | null {
  if (time !== null && Math.abs(now - time) <= DAY) return null;
  return id === '' ? 2 * MINUTE : HOUR;
}

/**
 * Begins with the event's own time, so that events of the same time are neighbours in the index of digests: each at a place of
 * its own would have a commit write another page for each of them.
 */
function digestOf(time: number | null, parts: readonly unknown[]): string {
  const seconds = Math.floor((time ?? 0) / 1000).toString(36);
  return seconds.padStart(TIME, '0') + hash('sha256', JSON.stringify(parts), 'base64url').slice(0, HASH);
}
