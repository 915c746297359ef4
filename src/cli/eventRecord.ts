import { type Event, EventKind, EventSeverity } from '../../gen/passthru/v1/event_pb.ts';
import type { Json } from '../core/json.ts';
import { type Listing, orNull, type PrintedRecord, timeOrNull } from './print/output.ts';

/** The severities by the names used in options and output. */
export const SEVERITIES: Readonly<Record<string, EventSeverity>> = {
  ok: EventSeverity.OK,
  warning: EventSeverity.WARNING,
  critical: EventSeverity.CRITICAL,
};

const KINDS: Readonly<Record<number, string>> = {
  [EventKind.RECORD]: 'record',
  [EventKind.METRIC_REPORT]: 'metric_report',
  [EventKind.GAP]: 'gap',
};

/** Returns events as a listing. */
export function eventListing(events: readonly Event[], empty: string): Listing {
  return {
    columns: ['ID', 'Received At', 'Node', 'Severity', 'Message ID', 'Message', 'Origin', 'BMC Time', 'Kind'],
    shown: ['Received At', 'Node', 'Severity', 'Message ID', 'Message', 'Origin'],
    narrow: ['Received At', 'Node', 'Severity', 'Message', 'Message ID', 'Origin'],
    empty,
    rows: events.map((event) => [
      event.id,
      timeOrNull(event.receiveTime),
      nodeOf(event),
      severityName(event),
      orNull(event.messageId),
      orNull(event.message),
      orNull(event.origin),
      timeOrNull(event.bmcTime),
      KINDS[event.kind] ?? null,
    ]),
  };
}

/** Returns all fields of an event. */
export function eventRecord(event: Event): PrintedRecord {
  return {
    bmc_event_id: orNull(event.bmcEventId),
    bmc_time: timeOrNull(event.bmcTime),
    event_type: orNull(event.eventType),
    gap_end_time: timeOrNull(event.gapEndTime),
    gap_start_time: timeOrNull(event.gapStartTime),
    id: event.id,
    kind: KINDS[event.kind] ?? null,
    message: orNull(event.message),
    message_args: event.messageArgs,
    message_id: orNull(event.messageId),
    node_name: orNull(event.nodeName),
    node_uuid: event.nodeUuid,
    origin: orNull(event.origin),
    raw: (event.raw as Json | undefined) ?? null,
    received_at: timeOrNull(event.receiveTime),
    registry: orNull(event.registry),
    severity: severityName(event),
    truncated: event.truncated,
  };
}

/** Returns an event in one line. */
export function eventLine(event: Event): string {
  const { kind, message, messageId, origin } = event;
  const what = message || messageId || 'event without a text';
  if (kind === EventKind.GAP) return `${nodeOf(event)} gap: ${what}`;
  return `${nodeOf(event)} ${severityName(event) ?? 'unknown'} ${what}${origin === '' ? '' : ` (${origin})`}`;
}

function nodeOf({ nodeName, nodeUuid }: Event): string {
  return nodeName || nodeUuid;
}

function severityName({ severity }: Event): string | null {
  return Object.keys(SEVERITIES).find((name) => SEVERITIES[name] === severity) ?? null;
}
