// Hardware events: what they are, where they come from, and how they are kept and told.
import type { JsonObject } from '../json.ts';

/** How bad the condition is of which an event tells. */
export const EVENT_SEVERITIES = ['ok', 'warning', 'critical'] as const;

export type EventSeverity = (typeof EVENT_SEVERITIES)[number];

/** Returns 0 for none, and more for what is worse. */
export function severityRank(severity: EventSeverity | null): number {
  return severity === null ? 0 : EVENT_SEVERITIES.indexOf(severity) + 1;
}

/** `record` and `metric_report` are of a BMC; `gap` is of the service: nothing could arrive for a time. */
export type EventKind = 'record' | 'metric_report' | 'gap';

/** What a BMC sent, in one form for all of theirs. */
export interface EventRecord {
  kind: 'record' | 'metric_report';
  /** When it happened by the BMC's clock; null when it tells none. */
  bmcTime: Date | null;
  /** As sent; '' for none. */
  messageId: string;
  /** The name of the message's registry, such as `ResourceEvent`; '' when `messageId` names none. */
  registry: string;
  /** As sent, or from the BMC's message registries; '' when neither has one. */
  message: string;
  messageArgs: readonly string[];
  /** Null when the BMC sent none, and none is known for the message. */
  severity: EventSeverity | null;
  /** The URI of the resource that it is about; '' for none. */
  origin: string;
  /** The type as the BMC sent it, such as `Alert`; '' for none. */
  eventType: string;
  /** The BMC's own id of the record; '' for none. */
  bmcEventId: string;
  /** The record as the BMC sent it, with secrets masked; `NO_RAW` where it was not read. */
  raw: JsonObject;
  /** Whether parts were too long and were cut. */
  truncated: boolean;
  /** The URI at the BMC where the record can be read, when the BMC sent no more than that; null otherwise. */
  reference: string | null;
}

/** Stands for a record's `raw` that was not read. */
export const NO_RAW: JsonObject = Object.freeze({});

/** Nothing could arrive between two times. */
export interface EventGap {
  kind: 'gap';
  start: Date;
  end: Date;
  /** Why, in the operator's words. */
  message: string;
}

/** A stored event of a node. */
export interface StoredEvent {
  /** Unique, and the same on every replica. */
  id: string;
  /** Its place in the order in which events were committed; see `ChangeBounds`. */
  position: number;
  /** About the size of what it keeps in memory. */
  bytes: number;
  nodeUuid: string;
  /** The node's name when the event was received; null when it had none. */
  nodeName: string | null;
  receiveTime: Date;
  content: EventRecord | EventGap;
}
