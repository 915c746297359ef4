// The store's part for events: their rows, lists, and removal.
import { type RawBuilder, sql } from 'kysely';
import {
  EVENT_SEVERITIES,
  type EventGap,
  type EventRecord,
  NO_RAW,
  type StoredEvent,
  severityRank,
} from '../../core/events/event.ts';
import type { NewEvent } from '../../core/events/eventStore.ts';
import { messageKeys, messageParts } from '../../core/events/messageId.ts';
import { storableText } from '../../core/json.ts';
import type { EventsTable } from '../schema.ts';

/** About the bytes of a row beside its texts. */
const ROW_BYTES = 400;

/** The columns of the table with their types in PostgreSQL. */
export const COLUMNS: Readonly<Record<keyof EventsTable, 'bigint' | 'integer' | 'text'>> = {
  position: 'bigint',
  time: 'bigint',
  node_uuid: 'text',
  node_name: 'text',
  kind: 'text',
  severity: 'integer',
  registry_key: 'text',
  message_key: 'text',
  message_id: 'text',
  message: 'text',
  message_args: 'text',
  origin: 'text',
  event_type: 'text',
  bmc_event_id: 'text',
  bmc_time: 'bigint',
  gap_start: 'bigint',
  gap_end: 'bigint',
  truncated: 'integer',
  reference: 'text',
  digest: 'text',
  raw: 'text',
  bytes: 'integer',
  raw_bytes: 'integer',
};

/** The columns that `toEvent` needs beside `raw`. */
export const SHOWN_COLUMNS = (Object.keys(COLUMNS) as (keyof EventsTable)[]).filter(
  (column) => !['raw', 'digest', 'registry_key', 'message_key'].includes(column),
) as Exclude<keyof EventsTable, 'raw' | 'digest' | 'registry_key' | 'message_key'>[];

/** A row as it is read; `raw` is absent when it was not. */
export type EventRow = Pick<EventsTable, (typeof SHOWN_COLUMNS)[number]> & { raw?: string | null };

/** Where an event is stored. */
interface Place {
  position: number;
  time: number;
  nodeName: string | null;
}

/** Returns the row of an event. */
export function toEventRow({ nodeUuid, content, digest }: NewEvent, place: Place): EventsTable {
  if (content.kind === 'gap') {
    const message = storableText(content.message);
    return {
      ...EMPTY,
      position: place.position,
      time: place.time,
      node_uuid: nodeUuid,
      node_name: place.nodeName,
      kind: 'gap',
      message,
      gap_start: content.start.getTime(),
      gap_end: content.end.getTime(),
      digest,
      bytes: ROW_BYTES + bytesOf(message),
    };
  }
  const keys = messageKeys(content.messageId);
  const messageId = storableText(content.messageId);
  const message = storableText(content.message);
  const messageArgs = content.messageArgs.length === 0 ? null : JSON.stringify(content.messageArgs);
  const origin = storableText(content.origin);
  const raw = JSON.stringify(content.raw);
  // Written out: each copy of an object with so many members would cost as much as a text.
  return {
    position: place.position,
    time: place.time,
    node_uuid: nodeUuid,
    node_name: place.nodeName,
    kind: content.kind,
    severity: severityRank(content.severity),
    registry_key: storableText(keys.registry),
    message_key: storableText(keys.message),
    message_id: messageId,
    message,
    message_args: messageArgs,
    origin,
    event_type: storableText(content.eventType),
    bmc_event_id: storableText(content.bmcEventId),
    bmc_time: content.bmcTime?.getTime() ?? null,
    gap_start: null,
    gap_end: null,
    truncated: Number(content.truncated),
    reference: content.reference === null ? null : storableText(content.reference),
    digest,
    raw,
    bytes: ROW_BYTES + bytesOf(messageId) + bytesOf(message) + bytesOf(messageArgs ?? '') + bytesOf(origin),
    raw_bytes: bytesOf(raw),
  };
}

function bytesOf(text: string): number {
  return Buffer.byteLength(text);
}

const EMPTY = {
  severity: 0,
  registry_key: '',
  message_key: '',
  message_id: '',
  message_args: null,
  origin: '',
  event_type: '',
  bmc_event_id: '',
  bmc_time: null,
  truncated: 0,
  reference: null,
  raw: null,
  raw_bytes: 0,
};

/**
 * Returns the event in `row`.
 * @param log the id of the log of events, which makes the event's own unique
 */
export function toEvent(row: EventRow, log: string): StoredEvent {
  return eventOf(row, toContent(row), log);
}

/** As `toEvent`, for a row made from `content`, of which nothing need be read again. */
export function toNewEvent(row: EventsTable, content: EventRecord | EventGap, log: string): StoredEvent {
  return eventOf(row, content.kind === 'gap' ? toContent(row) : storedRecord(row, content), log);
}

function eventOf(row: EventRow, content: EventRecord | EventGap, log: string): StoredEvent {
  return {
    id: `${log}-${row.position}`,
    position: row.position,
    bytes: row.bytes + row.raw_bytes,
    nodeUuid: row.node_uuid,
    nodeName: row.node_name,
    receiveTime: new Date(row.time),
    content,
  };
}

/** Returns a record with its texts as they were stored. */
function storedRecord(row: EventsTable, given: EventRecord): EventRecord {
  return {
    kind: given.kind,
    bmcTime: given.bmcTime,
    messageId: row.message_id,
    registry: messageParts(row.message_id).registry,
    message: row.message,
    messageArgs: given.messageArgs,
    severity: given.severity,
    origin: row.origin,
    eventType: row.event_type,
    bmcEventId: row.bmc_event_id,
    raw: given.raw,
    truncated: given.truncated,
    reference: row.reference,
  };
}

function toContent(row: EventRow): EventRecord | EventGap {
  const { kind, message } = row;
  if (kind === 'gap') {
    return { kind, start: new Date(row.gap_start ?? 0), end: new Date(row.gap_end ?? 0), message };
  }
  return {
    kind,
    bmcTime: row.bmc_time === null ? null : new Date(row.bmc_time),
    messageId: row.message_id,
    registry: messageParts(row.message_id).registry,
    message,
    messageArgs: row.message_args === null ? [] : JSON.parse(row.message_args),
    severity: EVENT_SEVERITIES[row.severity - 1] ?? null,
    origin: row.origin,
    eventType: row.event_type,
    bmcEventId: row.bmc_event_id,
    raw: row.raw == null ? NO_RAW : JSON.parse(row.raw),
    truncated: row.truncated !== 0,
    reference: row.reference,
  };
}

/** Values as one parameter: on SQLite in JSON. */
export type ListParameter = string | readonly string[] | readonly number[];

/**
 * Whether a column has one of `values`. They are one parameter, so that the text of the statement is the same for each number
 * of them; PostgreSQL looks up each of an array, where it would read a whole index to join it with rows of a function.
 */
export function isOneOf(
  dialect: 'sqlite' | 'postgres',
  column: string,
  values: ListParameter,
  type: 'text' | 'bigint' = 'text',
): RawBuilder<boolean> {
  if (dialect === 'sqlite') return sql`${sql.ref(column)} in (select value from json_each(${values}))`;
  return sql`${sql.ref(column)} = any(cast(${values} as ${sql.raw(type)}[]))`;
}
