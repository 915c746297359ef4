import { z } from 'zod';
import type { Json, JsonObject } from '../../core/json.ts';
import type { Documents } from '../documents.ts';
import { filled, findMessage } from './messageTexts.ts';

/** The types of an event (DSP0268, Event). */
export const EVENT_TYPES = [
  'StatusChange',
  'ResourceUpdated',
  'ResourceAdded',
  'ResourceRemoved',
  'Alert',
  'Other',
] as const;

export const SEVERITIES = ['OK', 'Warning', 'Critical'] as const;

/** An event to send. What is left out has a default. */
export const EVENT = z.strictObject({
  /** The EventId, by default the next number. */
  id: z.string().optional(),
  /** With registry and version, for example `ResourceEvent.1.3.ResourceErrorsDetected`. */
  messageId: z.string().optional(),
  /** By default the text of the message registry, with `args`. */
  message: z.string().optional(),
  /** By default as many as the message has. */
  args: z.array(z.string()).optional(),
  /** By default that of the message registry. */
  severity: z.enum(SEVERITIES).optional(),
  /** The EventType, `Alert` by default. */
  type: z.enum(EVENT_TYPES).optional(),
  /** The path of the resource that it is about, by default that of the system. */
  origin: z.string().optional(),
  /** The EventTimestamp in milliseconds since the epoch, by default the BMC's clock. */
  time: z.number().optional(),
});

export type EventInput = z.infer<typeof EVENT>;

/** A metric report to send. */
export const REPORT = z.strictObject({
  /** The Id of the report, and of its definition; `Power` by default. */
  report: z.string().optional(),
  values: z.array(z.strictObject({ id: z.string(), value: z.string(), property: z.string().optional() })).min(1),
});

export type ReportInput = z.infer<typeof REPORT>;

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

/** Returns an event in which the BMC's registries and these defaults fill what `input` leaves out. */
export function makeEvent(
  input: EventInput,
  defaults: { id: () => string; messageId: string; origin: string; now: number },
  documents: Documents,
): SimEvent {
  const { messageId = defaults.messageId, origin = defaults.origin } = input;
  const known = findMessage(documents, messageId);
  const { args = exampleArgs(known?.args ?? 0, origin) } = input;
  return {
    id: input.id ?? defaults.id(),
    type: input.type ?? 'Alert',
    time: input.time ?? defaults.now,
    messageId,
    message: input.message ?? filled(known?.text ?? 'A simulated event.', args),
    args,
    severity: input.severity ?? known?.severity ?? 'Warning',
    origin,
  };
}

function exampleArgs(count: number, origin: string): string[] {
  return [origin, ...'123456789'].slice(0, count);
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

/** Returns the body of a post with these records. Its Id is that of the first event. */
export function envelopeOf(id: string, records: readonly JsonObject[], context: Json): JsonObject {
  return {
    '@odata.type': '#Event.v1_7_0.Event',
    Id: id,
    Name: 'Event Array',
    Context: context,
    Events: [...records],
  };
}

/** Returns the body of a metric report (DSP0268, MetricReport), whose ReportSequence is `id`. */
export function reportOf(
  id: string,
  { report = 'Power', values }: ReportInput,
  now: number,
  context: Json,
): JsonObject {
  const place = '/redfish/v1/TelemetryService';
  return {
    '@odata.id': `${place}/MetricReports/${report}`,
    '@odata.type': '#MetricReport.v1_5_0.MetricReport',
    Id: report,
    Name: `${report} report`,
    ReportSequence: id,
    MetricReportDefinition: { '@odata.id': `${place}/MetricReportDefinitions/${report}` },
    Timestamp: timestamp(now),
    MetricValues: values.map(({ id: metric, value, property }) => ({
      MetricId: metric,
      MetricValue: value,
      Timestamp: timestamp(now),
      ...(property === undefined ? {} : { MetricProperty: property }),
    })),
    Context: context,
  };
}

/** Returns a time as Redfish has it: `2026-11-30T03:45:28Z`. */
export function timestamp(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
