// What a BMC says when it refuses or fails, in any form that BMCs send.
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { mapTexts, maskSecrets } from '../../core/secrets.ts';
import type { RedfishError } from '../errors.ts';
import { cleanText, jsonOf, visibleText } from './body.ts';

const EXTENDED_INFO = '@Message.ExtendedInfo';
/** The maximum number of messages read from one response, the length of a text in one, and how deep it may be. */
const MAX_MESSAGES = 32;
const MAX_TEXT = 1000;
const MAX_DEPTH = 6;
/** Above any message; of a longer one only the principal members are kept. */
const MAX_ENTRY = 8000;

/** Members that hold the text of an error in documents that are not Redfish (RFC 9457, AMI, proxies and front ends). */
const TEXT_MEMBERS = [
  'title',
  'detail',
  'message',
  'Message',
  'messages',
  'Messages',
  'errors',
  'Errors',
  'description',
  'Description',
  'reason',
  'Reason',
  'text',
  'Text',
];

/** A text that is shorter says little, so that the remedy is told as well. */
const SHORT_TEXT = 16;
/** How deep the errors within an error are read (OData, `innererror`). */
const MAX_INNER_ERRORS = 4;

/**
 * Returns all messages of an error document (DSP0266, "Error responses"), cleaned and bounded. BMCs put them in a list, in a
 * single object or text, directly under the root, or under the root as `Property@Message.ExtendedInfo` (OpenBMC). When none
 * of them has a text, what else the document says is added: `error.code` and `error.message`, the errors within it, a text
 * under `error`, or the members that others use. Empty when it says nothing.
 */
export function readExtendedInfo(document: unknown): JsonObject[] {
  const entries = isJsonObject(document) ? annotations(document) : [];
  const all = entries.some(({ Message }) => asText(Message) !== '')
    ? entries
    : [...entries, ...otherMessages(document)];
  return all.slice(0, MAX_MESSAGES).map(bounded);
}

function annotations(document: JsonObject): JsonObject[] {
  const error = isJsonObject(document.error) ? document.error : {};
  return [error, document].flatMap((place) =>
    Object.keys(place)
      .filter((key) => key.endsWith(EXTENDED_INFO))
      .flatMap((key) => messagesIn(place[key]).map((entry) => ofProperty(key.slice(0, -EXTENDED_INFO.length), entry)))
      .map((entry) => ({ ...entry, ...textMember(entry) })),
  );
}

/** Returns the message of a property's annotation with the property that it concerns, which only the annotation's name tells. */
function ofProperty(name: string, entry: JsonObject): JsonObject {
  return name === '' || entry.RelatedProperties !== undefined ? entry : { ...entry, RelatedProperties: [`#/${name}`] };
}

/** Returns a list, an object or a text as messages. */
function messagesIn(value: Json | undefined): JsonObject[] {
  if (Array.isArray(value))
    return value.slice(0, MAX_MESSAGES).flatMap((item) => (Array.isArray(item) ? [] : messagesIn(item)));
  if (isJsonObject(value)) return [value];
  return typeof value === 'string' && value.trim() !== '' ? [{ Message: value }] : [];
}

function otherMessages(document: unknown): JsonObject[] {
  if (typeof document === 'string' || Array.isArray(document)) return messagesIn(document).map(withMessage);
  if (!isJsonObject(document)) return [];
  const { error } = document;
  if (isJsonObject(error)) {
    const said = saidByError(error, annotations(document).length > 0);
    if (said.length > 0) return said;
  } else {
    const said = messagesIn(error).map(withMessage);
    if (said.length > 0) return said;
  }
  const said = TEXT_MEMBERS.flatMap((member) => messagesIn(document[member])).map(withMessage);
  return said.filter(({ Message, MessageId }) => Message !== undefined || MessageId !== undefined);
}

/**
 * Returns what OData's error says: its own words, its details, and the errors within it.
 * @param annotated whether there are messages, without a text, that have the id already
 */
function saidByError(error: JsonObject, annotated: boolean): JsonObject[] {
  const own: JsonObject = textMember(error);
  if (typeof error.code === 'string' && error.code !== '') own.MessageId = error.code;
  const more = [...messagesIn(error.details).map(withMessage), ...innerErrors(error)];
  if (own.Message === undefined && more.length === 0 && !annotated) Object.assign(own, otherMembers(error));
  return own.Message !== undefined || (own.MessageId !== undefined && !annotated) ? [own, ...more] : more;
}

/** Returns the text of each error within an error, without a stack trace. */
function innerErrors(error: JsonObject): JsonObject[] {
  const found: JsonObject[] = [];
  let inner = error.innererror ?? error.innerError;
  for (let depth = 0; depth < MAX_INNER_ERRORS && isJsonObject(inner); depth++) {
    const said = textMember(inner);
    if (said.Message !== undefined) found.push(said);
    inner = inner.innererror ?? inner.innerError ?? inner.internalexception;
  }
  return typeof inner === 'string' ? [...found, ...messagesIn(inner)] : found;
}

/** Returns the members of an error, besides its code, that have no known name; empty when there are none. */
function otherMembers({ code: _, ...others }: JsonObject): JsonObject {
  const said = Object.entries(others).filter(([, value]) => !['', '{}', '[]'].includes(asText(value)));
  return said.length === 0 ? {} : { Message: JSON.stringify(maskSecrets(Object.fromEntries(said))) };
}

/** Returns `entry` with its text as `Message`, which others spell differently. */
function withMessage(entry: JsonObject): JsonObject {
  const said = { ...entry, ...textMember(entry) };
  return said.Message !== undefined || said.MessageId !== undefined
    ? said
    : { Message: JSON.stringify(maskSecrets(entry)) };
}

/** Returns the text of an object as `Message`, in whichever member it is; empty when there is none. */
function textMember(entry: JsonObject): JsonObject {
  if (asText(entry.Message) !== '') return { Message: entry.Message! };
  const text = TEXT_MEMBERS.map((member) => asText(entry[member])).find((found) => found !== '');
  return text === undefined ? {} : { Message: text };
}

function bounded(entry: JsonObject): JsonObject {
  const clean = mapTexts(entry, { text: (text) => cut(cleanText(text)) }, MAX_DEPTH) as JsonObject;
  if (JSON.stringify(clean).length <= MAX_ENTRY) return clean;
  const { MessageId = null, Message = null, Severity = null } = clean;
  return { MessageId, Message: cut(asText(Message)), Severity };
}

/** Returns at most 1,000 characters of `text`, without the word that is cut: the half of a secret would not be recognised. */
export function cut(text: string): string {
  if (text.length <= MAX_TEXT) return text;
  return `${text
    .slice(0, MAX_TEXT - 1)
    .replace(/\S{1,256}$/, '')
    .toWellFormed()}…`;
}

/** Joins what the entries of `extendedInfo` say. Empty when there are none. */
export function extendedInfoText(extendedInfo: JsonObject[]): string {
  const texts = extendedInfo.map(textOfEntry);
  return [...new Set(texts.filter((text) => text !== ''))].join(' ');
}

/**
 * Returns the words of a message: its text with the arguments in their places; without a text, its id and the arguments,
 * which are the BMC's own words (iLO sends no text); and the remedy where that says little.
 */
function textOfEntry({ Message, MessageId, MessageArgs, Resolution }: JsonObject): string {
  const args = Array.isArray(MessageArgs) ? MessageArgs.map(asText) : [];
  const text = asText(Message).replace(/%(\d{1,2})(?![\da-f])/gi, (place, number) => args[Number(number) - 1] ?? place);
  if (text.length >= SHORT_TEXT) return text;
  const list = args.filter((arg) => arg !== '').join(', ');
  const said =
    text !== '' ? text : [asText(MessageId), list === '' ? '' : `(${list})`].filter((part) => part !== '').join(' ');
  const remedy = asText(Resolution);
  return remedy === '' || /^none\b/i.test(remedy) ? said : `${said} ${remedy}`.trim();
}

/** Returns a string as it is, the value of OData's `{lang, value}`, and other values as JSON. */
function asText(value: Json | undefined): string {
  if (typeof value === 'string') return value.trim();
  if (value === undefined || value === null) return '';
  if (isJsonObject(value) && 'lang' in value && typeof value.value === 'string') return value.value;
  return JSON.stringify(value);
}

/**
 * Whether an entry's MessageId is one of `names`, in any registry, version and case:
 * `Base.1.8.ResourceAlreadyExists`, `iLO.2.14.ResourceAlreadyExists`, `IDRAC.2.8.SYS518`.
 */
export function hasMessage(extendedInfo: JsonObject[], ...names: string[]): boolean {
  return extendedInfo.some((entry) => {
    const key = messageKey(entry);
    return names.some((name) => name.toLowerCase() === key);
  });
}

/** Returns the MessageId without registry and version, in lower case; empty when there is none. */
export function messageKey({ MessageId: id }: JsonObject): string {
  return typeof id === 'string' ? id.slice(id.lastIndexOf('.') + 1).toLowerCase() : '';
}

/** What a response says. */
export interface Words {
  extendedInfo: JsonObject[];
  /** The keys of its messages; see `messageKey`. */
  keys: string[];
  /** Its text in any form, cleaned, of any length. */
  text: string;
}

/** Returns what the response of an error said. */
export function wordsOfError({ message, extendedInfo }: RedfishError): Words {
  const keys = extendedInfo.map(messageKey).filter((key) => key !== '');
  return { extendedInfo, keys, text: extendedInfoText(extendedInfo) || message };
}

/** Returns what an error response says, in any form: a Redfish error, other JSON, HTML, plain text, nothing. */
export function wordsOf(raw: { body: Buffer; json?: unknown }): Words {
  const json = jsonOf(raw);
  const extendedInfo = readExtendedInfo(json);
  const keys = extendedInfo.map(messageKey).filter((key) => key !== '');
  const text = json === null ? visibleText(raw.body) : extendedInfoText(extendedInfo);
  return { extendedInfo, keys, text };
}
