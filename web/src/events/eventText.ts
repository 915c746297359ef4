import { type Event, EventKind } from '../../../gen/passthru/v1/event_pb.ts';
import { clockTime, millis } from '../parts/time.tsx';
import { texts } from '../texts.ts';

/** Returns what an event says, in one line. */
export function eventText({ kind, message, messageId, gapStartTime, gapEndTime }: Event): string {
  if (kind === EventKind.GAP) {
    const between = texts.events.between(clockTime(millis(gapStartTime) ?? 0), clockTime(millis(gapEndTime) ?? 0));
    return `${between}: ${message}`;
  }
  if (kind === EventKind.METRIC_REPORT && message === '') return texts.events.report;
  return message || messageId || texts.events.noMessage;
}
