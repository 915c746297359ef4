import { create, toJson } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import {
  EventKind as EventKindEnum,
  type Event as EventMessage,
  EventSchema,
  EventSeverity as EventSeverityEnum,
  type WatchEventsResponse,
  WatchEventsResponseSchema,
} from '../../gen/passthru/v1/event_pb.ts';
import { WatchMarker } from '../../gen/passthru/v1/watch_pb.ts';
import {
  type EventGap,
  type EventKind,
  type EventRecord,
  type EventSeverity,
  NO_RAW,
  type StoredEvent,
} from '../core/events/event.ts';
import type { WatchEvent } from '../core/watch/watchEvent.ts';
import { jsonToStruct } from './value.ts';

const KINDS: Readonly<Record<EventKind, EventKindEnum>> = {
  record: EventKindEnum.RECORD,
  metric_report: EventKindEnum.METRIC_REPORT,
  gap: EventKindEnum.GAP,
};

const SEVERITIES: Readonly<Record<EventSeverity, EventSeverityEnum>> = {
  ok: EventSeverityEnum.OK,
  warning: EventSeverityEnum.WARNING,
  critical: EventSeverityEnum.CRITICAL,
};

const MARKERS = { current: WatchMarker.CURRENT, reset: WatchMarker.RESET } as const;

/** Converts an event to its message, without `raw` when that was not read. */
export function eventToMessage({ id, nodeUuid, nodeName, receiveTime, content }: StoredEvent): EventMessage {
  return create(EventSchema, {
    id,
    nodeUuid,
    nodeName: nodeName ?? '',
    kind: KINDS[content.kind],
    receiveTime: timestampFromDate(receiveTime),
    ...(content.kind === 'gap' ? gapFields(content) : recordFields(content)),
  });
}

/** Returns an event in proto3 JSON with the proto's names and all implicit fields. */
export function eventDocument(event: StoredEvent) {
  return toJson(EventSchema, eventToMessage(event), { useProtoFieldName: true, alwaysEmitImplicit: true });
}

function gapFields({ start, end, message }: EventGap) {
  return { message, gapStartTime: timestampFromDate(start), gapEndTime: timestampFromDate(end) };
}

function recordFields(record: EventRecord) {
  const { bmcTime, messageId, registry, message, messageArgs, origin, eventType, bmcEventId, raw, truncated } = record;
  return {
    bmcTime: bmcTime === null ? undefined : timestampFromDate(bmcTime),
    messageId,
    registry,
    message,
    messageArgs: [...messageArgs],
    severity: severityToMessage(record.severity),
    origin,
    eventType,
    bmcEventId,
    raw: raw === NO_RAW ? undefined : jsonToStruct(raw),
    truncated,
  };
}

/** Returns the enum's value of a severity; unspecified for null. */
export function severityToMessage(severity: EventSeverity | null): EventSeverityEnum {
  return severity === null ? EventSeverityEnum.UNSPECIFIED : SEVERITIES[severity];
}

/** Returns the severity of a field; null when not set, undefined for an unknown number. */
export function severityFromMessage(severity: EventSeverityEnum): EventSeverity | null | undefined {
  if (severity === EventSeverityEnum.UNSPECIFIED) return null;
  return (Object.keys(SEVERITIES) as EventSeverity[]).find((name) => SEVERITIES[name] === severity);
}

/** Converts what a watcher of events is told to its message. */
export function eventUpdateToMessage(event: WatchEvent<StoredEvent>): WatchEventsResponse {
  const { cursor } = event;
  if (event.kind === 'item') {
    return create(WatchEventsResponseSchema, { update: { case: 'event', value: eventToMessage(event.item) }, cursor });
  }
  // Events are not told to be removed.
  const marker = event.kind === 'marker' ? MARKERS[event.marker] : WatchMarker.UNSPECIFIED;
  return create(WatchEventsResponseSchema, { update: { case: 'marker', value: marker }, cursor });
}
