// Defaults: properties of a request that the caller did not give, which a BMC may refuse under any of its words.
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { RedfishError } from '../errors.ts';
import { hasMessage } from '../wire/response.ts';

/** Statuses that say something else than that a property is refused. */
const OTHER_STATUSES = [401, 403, 404, 410, 412, 428, 429];

/** Messages that name a property without refusing it: one that is missing, and a duplicate. */
const NO_REFUSAL = /Missing|Required|AlreadyExist|Duplicate/i;
const SAYS_MISSING =
  /missing|required|mandatory|must be (?:specified|provided|present|included|supplied|given)|needs? to be/i;

/** Messages that name two properties of which one must go. */
const CONFLICTS = ['PropertyValueConflict', 'ActionParameterValueConflict', 'PropertyValueIncorrect'];

/** What else a request with defaults depends on. */
interface DefaultsOptions {
  /** Whether a refusal has another cause, which then counts. */
  isOther?: (error: RedfishError) => boolean;
  /** Properties that are sent only to a BMC that asks for them: one that it names although it was not sent. */
  onDemand?: JsonObject;
  /** Properties that are sent only to a BMC that says that they are missing. */
  ifMissing?: JsonObject;
}

/**
 * Sends `given` with `defaults`. A default that the BMC refuses is left out, one that it demands is added, and the request sent
 * once more: a refused request did nothing. What the caller gave is never left out. At least one property is sent.
 * @throws the last refusal; whatever else `send` throws
 */
export async function sendWithDefaults<T>(
  given: JsonObject,
  defaults: JsonObject,
  send: (body: JsonObject) => Promise<T>,
  { isOther = () => false, onDemand = {}, ifMissing = {} }: DefaultsOptions = {},
): Promise<T> {
  const without = (properties: JsonObject, others: JsonObject) =>
    Object.fromEntries(Object.entries(properties).filter(([key]) => !(key in others)));
  let own = without(defaults, given);
  let unsent = without({ ...onDemand, ...ifMissing }, { ...own, ...given });
  // Each turn leaves out or adds at least one, and none twice, so that this ends.
  for (;;) {
    try {
      return await send({ ...own, ...given });
    } catch (error) {
      if (!(error instanceof RedfishError) || !mayName(error) || isOther(error)) throw error;
      const demanded = demandedBy(error, unsent, ifMissing);
      const refused = refusedDefaults(error, own, given);
      const left = without(own, refused);
      const isEmpty = Object.keys({ ...left, ...demanded, ...given }).length === 0;
      if (isEmpty || Object.keys({ ...refused, ...demanded }).length === 0) throw error;
      own = { ...left, ...demanded };
      unsent = without(unsent, demanded);
    }
  }
}

/** Whether an error may refuse a property: a 4xx, or a task that failed. */
function mayName({ kind, status }: RedfishError): boolean {
  if (kind === 'failed') return status === 200;
  return kind === 'refused' && !OTHER_STATUSES.includes(status);
}

/** Returns those of `unsent` that a refusal names; those of `ifMissing` only where it says that they are missing. */
function demandedBy(error: RedfishError, unsent: JsonObject, ifMissing: JsonObject): JsonObject {
  const names = entriesOf(error).flatMap((entry) => {
    const args = argumentsOf(entry);
    const text = textIn(entry.Message);
    const isNamed = (name: string) => args.some((arg) => propertyOf(arg) === name) || isIn(text, name);
    return Object.keys(unsent).filter((name) => isNamed(name) && (!(name in ifMissing) || saysNoRefusal(entry)));
  });
  return Object.fromEntries(names.map((name) => [name, unsent[name]!]));
}

/** Returns the properties of `own` that the BMC refuses; none when it refuses one of `given`, which no retry can mend. */
function refusedDefaults(error: RedfishError, own: JsonObject, given: JsonObject): JsonObject {
  const refused: JsonObject = {};
  for (const entry of entriesOf(error)) {
    if (saysNoRefusal(entry)) continue;
    const names = namesIn(entry, own, given);
    const conflict = hasMessage([entry], ...CONFLICTS);
    if (!conflict && names.some((name) => name in given)) return {};
    for (const name of names) if (name in own) refused[name] = own[name]!;
  }
  return refused;
}

function entriesOf(error: RedfishError): JsonObject[] {
  return error.extendedInfo.length > 0 ? error.extendedInfo : [{ Message: wordsOf(error) }];
}

function saysNoRefusal(entry: JsonObject): boolean {
  const id = typeof entry.MessageId === 'string' ? entry.MessageId : '';
  return NO_REFUSAL.test(id.slice(id.lastIndexOf('.') + 1)) || SAYS_MISSING.test(textIn(entry.Message));
}

/** Returns the properties that an entry names: by RelatedProperties or MessageArgs, by a value, or in its text. */
function namesIn(entry: JsonObject, own: JsonObject, given: JsonObject): string[] {
  const properties = [...Object.keys(own), ...Object.keys(given)];
  const args = argumentsOf(entry);
  const named = properties.filter((name) => args.some((text) => propertyOf(text) === name));
  if (named.length > 0) return named;
  const valued = properties.filter((name) => args.some((text) => hasValue(own[name] ?? given[name] ?? null, text)));
  if (valued.length > 0) return valued;
  const text = textIn(entry.Message);
  const inText = properties.filter((name) => isIn(text, name));
  // A text may list what is allowed beside what is not; a default is left out before the caller is told.
  const ours = inText.filter((name) => name in own);
  return ours.length > 0 ? ours : inText;
}

function argumentsOf({ RelatedProperties, MessageArgs }: JsonObject): string[] {
  const texts = [RelatedProperties, MessageArgs].flatMap((list) => (Array.isArray(list) ? list : [list ?? null]));
  return texts.filter((text) => typeof text === 'string');
}

/** Whether a text names a property, as a word of its own. */
function isIn(text: string, name: string): boolean {
  return new RegExp(`(?<![\\w.])${name}(?![\\w])`).test(text);
}

/** Returns the property that a JSON pointer or a path names: `#/EventTypes/0`, `/Context`, `EventTypes[0]`, `Protocol`. */
function propertyOf(text: string): string {
  return /^[#/\s'"]*([^/[\]\s'"@]+)/.exec(text)?.[1] ?? '';
}

/** Whether a value is `text`, or a list that has it. */
function hasValue(value: Json, text: string): boolean {
  if (text === '') return false;
  return Array.isArray(value) ? value.includes(text) || JSON.stringify(value) === text : value === text;
}

/** Returns the BMC's words in the message of an error without entries, without the URL, which may contain any word. */
function wordsOf({ message, url }: RedfishError): string {
  return url === undefined ? message : message.replaceAll(url, '');
}

/** Returns a text, or OData's `{ lang, value }` of one. */
function textIn(message: Json | undefined): string {
  if (typeof message === 'string') return message;
  if (isJsonObject(message) && typeof message.value === 'string') return message.value;
  return message === undefined || message === null ? '' : JSON.stringify(message);
}
