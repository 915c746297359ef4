// Reads what BMCs send, in whatever form, into records.
import { cutDocument, cutText, isLongerThan, MESSAGE_BYTES } from '../../bounds.ts';
import { invalidArgument } from '../../errors.ts';
import { isJsonObject, type Json, type JsonObject, nestsDeeperThan, storableText } from '../../json.ts';
import { maskSecrets } from '../../secrets.ts';
import type { EventRecord } from '../event.ts';
import { messageParts } from '../messageId.ts';
import { readBmcTime } from './bmcTime.ts';
import { readSeverity } from './severityWord.ts';

/** How deep a body may nest, and how deep what is kept of a record may: a `google.protobuf.Struct` takes no more. */
const BODY_DEPTH = 64;
const RAW_DEPTH = 28;

/** The maximum size of what is kept of a record, in bytes; a metric report is its values. */
const RAW_BYTES = 32 * 1024;
const REPORT_BYTES = 256 * 1024;

/** How many bytes of what is kept a character of a body can become: in UTF-8, as a number written out, or masked. */
const LARGEST_GROWTH = 8;

/** The maximum lengths of a record's texts, in bytes. */
const ID_BYTES = 256;
const URI_BYTES = 1024;
const ARGUMENT_BYTES = 1024;
const MAX_ARGUMENTS = 32;

/** What only records have; one of them makes an object a record. */
const RECORD_FIELDS = [
  ...['messageid', 'message', 'eventtype', 'eventid', 'eventtimestamp', 'originofcondition'],
  ...['severity', 'messageseverity', 'messageargs', 'entrycode', 'entrytype'],
];

/**
 * Reads the text of a post, or the data of a Server-Sent Event.
 * @throws kind `invalid_argument` when it holds no events
 */
export function parseEventBody(text: string): EventRecord[] {
  // Some firmware begins its text with a byte order mark, and ends it as C does.
  const document = parse(text) ?? parse(text.replace(/^\ufeff/, '').replace(/[\0\s]+$/, ''));
  if (document === undefined) throw unreadable('must be JSON');
  if (nestsDeeperThan(document, RAW_DEPTH)) {
    if (nestsDeeperThan(document, BODY_DEPTH)) throw unreadable(`must nest at most ${BODY_DEPTH} arrays and objects`);
    return readEventRecords(document);
  }
  return readEventRecords(document, text.length * LARGEST_GROWTH > RAW_BYTES);
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Returns the records of a document: of an envelope (`Events`, or `Alerts` of older firmware), a single record or log entry, a
 * metric report, a link to a record, or a list of these. An envelope may be empty.
 * @param mayExceed whether a record in it may be larger or deeper than what is kept
 * @throws kind `invalid_argument` when it is none of these
 */
export function readEventRecords(document: Json, mayExceed = true): EventRecord[] {
  if (Array.isArray(document)) return document.flatMap((item) => readOne(item, mayExceed));
  return readOne(document, mayExceed);
}

function readOne(document: Json, mayExceed: boolean): EventRecord[] {
  if (!isJsonObject(document)) throw unreadable('must be an object, or a list of objects');
  const fields = fold(document);
  const list = fields.get('events') ?? fields.get('alerts');
  if (Array.isArray(list)) return list.map((item) => readRecord(item, mayExceed));
  if (isJsonObject(list)) return [readRecord(list, mayExceed)];
  if (isReport(fields)) return [readReport(document)];
  if (isLink(fields) || isRecord(fields)) return [readRecord(document, mayExceed)];
  throw unreadable('must have Events or Alerts, or be a record, a log entry, a metric report or a link to one');
}

/** Returns the record in an item of an envelope. */
function readRecord(item: Json, mayExceed: boolean): EventRecord {
  if (!isJsonObject(item) && typeof item !== 'string') throw unreadable('must have an object for each event');
  // Where a record should be, some put its text.
  const { raw, cut } = toRaw(isJsonObject(item) ? item : { Message: item }, RAW_BYTES, mayExceed);
  const fields = fold(raw);
  const isWhole = { value: !cut };
  const text = (bytes: number, ...names: string[]) => bounded(textOf(fields, ...names), bytes, isWhole);
  const messageId = text(ID_BYTES, 'messageid').trim();
  const record: EventRecord = {
    kind: 'record',
    bmcTime: readBmcTime(fields.get('eventtimestamp')) ?? readBmcTime(fields.get('created') ?? fields.get('timestamp')),
    messageId,
    registry: messageParts(messageId).registry,
    message: text(MESSAGE_BYTES, 'message'),
    messageArgs: readArguments(fields.get('messageargs'), isWhole),
    severity: readSeverity(fields.get('messageseverity')) ?? readSeverity(fields.get('severity')),
    origin: bounded(readOrigin(fields), URI_BYTES, isWhole),
    eventType: text(ID_BYTES, 'eventtype'),
    bmcEventId: text(ID_BYTES, 'eventid', 'id'),
    raw,
    truncated: false,
    reference: isLink(fields) ? bounded(textOf(fields, '@odata.id'), URI_BYTES, isWhole) : null,
  };
  record.truncated = !isWhole.value;
  return record;
}

/** Returns the record of a metric report, whose values are in `raw`. */
function readReport(document: JsonObject): EventRecord {
  const { raw, cut } = toRaw(document, REPORT_BYTES, true);
  const fields = fold(raw);
  const isWhole = { value: !cut };
  const id = textOf(fields, 'id');
  const sequence = textOf(fields, 'reportsequence');
  const record: EventRecord = {
    kind: 'metric_report',
    bmcTime: readBmcTime(fields.get('timestamp')),
    messageId: '',
    registry: '',
    message: bounded(textOf(fields, 'name'), MESSAGE_BYTES, isWhole),
    messageArgs: [],
    severity: null,
    origin: bounded(textOf(fields, '@odata.id'), URI_BYTES, isWhole),
    eventType: 'MetricReport',
    bmcEventId: bounded(sequence === '' ? id : `${id}/${sequence}`, ID_BYTES, isWhole),
    raw,
    truncated: false,
    reference: null,
  };
  return { ...record, truncated: !isWhole.value };
}

function isReport(fields: Fields): boolean {
  return Array.isArray(fields.get('metricvalues')) || /#MetricReport\./i.test(textOf(fields, '@odata.type'));
}

function isRecord(fields: Fields): boolean {
  return RECORD_FIELDS.some((name) => fields.has(name));
}

/** Whether an object has a link, and nothing of the record that it links to: the `Context` of the subscription may be there. */
function isLink(fields: Fields): boolean {
  return typeof fields.get('@odata.id') === 'string' && !isRecord(fields);
}

/** Returns what is kept of a record: without secrets, and of bounded size and depth. */
function toRaw(record: JsonObject, bytes: number, mayExceed: boolean): { raw: JsonObject; cut: boolean } {
  const masked = maskSecrets(record);
  const exceeds = mayExceed && (nestsDeeperThan(masked, RAW_DEPTH) || isLongerThan(masked, bytes));
  if (!exceeds) return { raw: masked, cut: false };
  return { raw: cutDocument(masked, bytes, RAW_DEPTH), cut: true };
}

/** `OriginOfCondition` is a link, or its URI, or a list of one; in a log entry it is among the links. */
function readOrigin(fields: Fields): string {
  const links = fields.get('links');
  const origin = fields.get('originofcondition') ?? (isJsonObject(links) ? links.OriginOfCondition : undefined);
  const first = Array.isArray(origin) ? origin[0] : origin;
  const uri = isJsonObject(first) ? first['@odata.id'] : first;
  return typeof uri === 'string' ? uri.trim() : '';
}

function readArguments(given: Json | undefined, isWhole: { value: boolean }): string[] {
  if (given === undefined || given === null || given === '') return [];
  const list = Array.isArray(given) ? given : [given];
  if (list.length > MAX_ARGUMENTS) isWhole.value = false;
  return list.slice(0, MAX_ARGUMENTS).map((argument) => {
    const text = typeof argument === 'string' ? argument : JSON.stringify(argument);
    return bounded(text, ARGUMENT_BYTES, isWhole);
  });
}

/** The members of an object by their names in lower case: `EventID` and `EventId` are the same. */
type Fields = ReadonlyMap<string, Json>;

function fold(object: JsonObject): Fields {
  const fields = new Map<string, Json>();
  for (const [name, value] of Object.entries(object)) {
    const folded = name.toLowerCase();
    if (!fields.has(folded)) fields.set(folded, value);
  }
  return fields;
}

/** Returns the first of these members that is a text or a number, as text; '' for none. */
function textOf(fields: Fields, ...names: string[]): string {
  for (const name of names) {
    const value = fields.get(name);
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
  }
  return '';
}

function bounded(text: string, bytes: number, isWhole: { value: boolean }): string {
  const short = storableText(cutText(text, bytes));
  if (short.length < text.length) isWhole.value = false;
  return short;
}

function unreadable(description: string) {
  return invalidArgument('body', description, `The body of an event ${description}`);
}
