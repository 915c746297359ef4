import { z } from 'zod';
import type { JsonObject } from '../../core/json.ts';

const EVENT_TYPES = ['StatusChange', 'ResourceUpdated', 'ResourceAdded', 'ResourceRemoved', 'Alert', 'Other'] as const;

/** An event to send. What is left out has a default. */
export const EVENT = z.strictObject({
  /** The EventId, by default the next number. */
  id: z.string().optional(),
  /** With registry and version, for example `ResourceEvent.1.3.ResourceErrorsDetected`. */
  messageId: z.string().optional(),
  /** By default the text of the message registry. */
  message: z.string().optional(),
  args: z.array(z.string()).optional(),
  severity: z.enum(['OK', 'Warning', 'Critical']).optional(),
  /** The EventType, `Alert` by default. */
  type: z.enum(EVENT_TYPES).optional(),
  /** The path of the resource that it is about, by default that of the system. */
  origin: z.string().optional(),
  /** The EventTimestamp in milliseconds since the epoch, by default the BMC's clock. */
  time: z.number().optional(),
});

export type EventInput = z.infer<typeof EVENT>;

/** One event, before quirks give it the form of a machine. */
export interface SimEvent {
  id: string;
  type: string;
  /** Milliseconds since the epoch. */
  time: number;
  messageId: string;
  message: string;
  args: readonly string[];
  severity: string;
  origin: string;
}

/** Returns the record of an event (DSP0268, Event). */
export function recordOf(event: SimEvent, member: number): JsonObject {
  return {
    MemberId: String(member),
    EventId: event.id,
    EventType: event.type,
    EventTimestamp: timestamp(event.time),
    Severity: event.severity,
    MessageSeverity: event.severity,
    Message: event.message,
    MessageId: event.messageId,
    MessageArgs: [...event.args],
    OriginOfCondition: { '@odata.id': event.origin },
  };
}

/** Returns the body of a post with these records, without Context. Its Id is that of the first event. */
export function envelopeOf(id: string, records: readonly JsonObject[]): JsonObject {
  return { '@odata.type': '#Event.v1_7_0.Event', Id: id, Name: 'Event Array', Events: [...records] };
}

/** Returns a time as Redfish has it: `2026-11-30T03:45:28Z`. */
export function timestamp(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
