import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '../../core/json.ts';
import type { Quirk } from '../bmc.ts';
import { linkPath, without } from '../documents.ts';
import { messageIdParts } from '../events/messageTexts.ts';

/** What event records hold, and how. */
export const eventRecordQuirks: Quirk[] = [
  record(
    'event-message-empty',
    'an event has an empty Message, unless it is a test (HPE iLO)',
    (event, _bmc, isTest) => (isTest ? event : { ...event, Message: '' }),
  ),
  record('event-message-missing', 'an event has no Message, only a MessageId', (event) => without(event, 'Message')),
  record('event-message-null', 'an event has a Message of null', (event) => ({ ...event, Message: null })),
  messageId('no-version', 'no version: IDRAC.TMP0120 (iDRAC 10)', (id) => {
    const { registry, key } = messageIdParts(id);
    return `${registry}.${key}`;
  }),
  messageId('key', 'its key alone: TMP0120 (iDRAC 8)', (id) => messageIdParts(id).key),
  messageId('long-version', 'a version of three numbers (HPE iLO)', (id) => {
    const { registry, key } = messageIdParts(id);
    const [major = '1', minor = '0'] = id.split('.').slice(1, -1);
    return [registry, major, minor, '0', key].join('.');
  }),
  messageId('lower', 'lower case', (id) => id.toLowerCase()),
  messageId('upper', 'upper case', (id) => id.toUpperCase()),
  record('event-args-null', 'an event has MessageArgs of null (iDRAC 10)', (event) => ({
    ...event,
    MessageArgs: null,
  })),
  record('event-args-missing', 'an event has no MessageArgs', (event) => without(event, 'MessageArgs')),
  record('event-origin-text', 'OriginOfCondition of an event is a text in place of a link', (event) => ({
    ...event,
    OriginOfCondition: linkPath(event.OriginOfCondition) ?? event.OriginOfCondition ?? null,
  })),
  record('event-origin-missing', 'an event has no OriginOfCondition (bmcweb)', (event) =>
    without(event, 'OriginOfCondition'),
  ),
  record('event-severity-old', 'an event has Severity, and no MessageSeverity (older schemas)', (event) =>
    without(event, 'MessageSeverity'),
  ),
  record('event-severity-new', 'an event has MessageSeverity, and no Severity (iDRAC 10)', (event) =>
    without(event, 'Severity'),
  ),
  time('utc', 'an offset of +00:00 (bmcweb)', (at) => `${at.toISOString().slice(0, 19)}+00:00`),
  time('local', "the offset of the BMC's place, -06:00 (iDRAC)", (at) => `${shifted(at, -6)}-06:00`),
  time('compact', 'an offset without a colon: -0600', (at) => `${shifted(at, -6)}-0600`),
  time('fraction', 'microseconds', (at) => `${at.toISOString().slice(0, -1)}000+00:00`),
  time('no-zone', 'no offset', (at) => at.toISOString().slice(0, 19)),
  record('event-timestamp-missing', 'an event has no EventTimestamp', (event) => without(event, 'EventTimestamp')),
  record('event-timestamp-unset', 'an event has the time of a clock that was never set: 1970', (event) => ({
    ...event,
    EventTimestamp: '1970-01-01T00:00:42Z',
  })),
  record('event-type-missing', 'an event has no EventType (newer schemas)', (event) => without(event, 'EventType')),
  record('event-type-unknown', 'an event has the EventType Event, which no schema has (bmcweb)', (event) => ({
    ...event,
    EventType: 'Event',
  })),
  record('event-member-id-missing', 'an event has no MemberId (bmcweb)', (event) => without(event, 'MemberId')),
  record('event-id-missing', 'an event has no EventId', (event) => without(event, 'EventId')),
  record(
    'event-id-per-message',
    'the EventId of an event is that of its message, again and again (iDRAC)',
    (event) => ({
      ...event,
      EventId: String(1000 + (Number.parseInt(digest(event.MessageId).slice(0, 4), 16) % 9000)),
    }),
  ),
  record(
    'event-id-uuid',
    'the EventId of an event is a UUID, unless it is a test (HPE iLO)',
    (event, { url }, isTest) => (isTest ? event : { ...event, EventId: uuidOf(`${url} ${event.EventId}`) }),
  ),
  {
    name: 'event-ids-start-over',
    description: 'the ids of events start over at 1 after a restart',
    events: { idsStartOver: true },
  },
];

function record(name: string, description: string, change: NonNullable<Quirk['changeRecord']>): Quirk {
  return { name, description, changeRecord: change };
}

function messageId(form: string, what: string, change: (id: string) => string): Quirk {
  return record(`event-message-id-${form}`, `the MessageId of an event has ${what}`, (event) => ({
    ...event,
    MessageId: change(String(event.MessageId)),
  }));
}

function time(form: string, what: string, write: (at: Date) => string): Quirk {
  return record(`event-timestamp-${form}`, `EventTimestamp of an event has ${what}`, (event) => ({
    ...event,
    EventTimestamp: write(new Date(String(event.EventTimestamp))),
  }));
}

/** Returns the date and time at an offset in hours, without the offset. */
function shifted(at: Date, hours: number): string {
  return new Date(at.getTime() + hours * 3_600_000).toISOString().slice(0, 19);
}

function digest(value: Json | undefined): string {
  return createHash('sha256').update(String(value)).digest('hex');
}

function uuidOf(text: string): string {
  return digest(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
}

/** Whether a body holds a list of events. */
export function holdsEvents(body: Json): body is JsonObject & { Events: JsonObject[] } {
  return typeof body === 'object' && body !== null && 'Events' in body && Array.isArray(body.Events);
}
