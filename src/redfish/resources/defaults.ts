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

/**
 * Sends `given` with `defaults`. A default that the BMC refuses is left out, and the request sent once more: a refused request
 * did nothing. What the caller gave is never left out. At least one property is sent.
 * @param isOther whether a refusal has another cause, which then counts
 * @throws the last refusal; whatever else `send` throws
 */
export async function sendWithDefaults<T>(
  given: JsonObject,
  defaults: JsonObject,
  send: (body: JsonObject) => Promise<T>,
  isOther: (error: RedfishError) => boolean = () => false,
): Promise<T> {
  let remaining = defaults;
  // Each turn leaves out at least one, so that this ends.
  for (;;) {
    const own = Object.fromEntries(Object.entries(remaining).filter(([key]) => !(key in given)));
    try {
      return await send({ ...own, ...given });
    } catch (error) {
      if (!(error instanceof RedfishError) || !mayName(error) || isOther(error)) throw error;
      const refused = refusedDefaults(error, own, given);
      const left = Object.entries(own).filter(([key]) => !refused.has(key));
      if (refused.size === 0 || left.length + Object.keys(given).length === 0) throw error;
      remaining = Object.fromEntries(left);
    }
  }
}

/** Whether an error may refuse a property: a 4xx, or a task that failed. */
function mayName({ kind, status }: RedfishError): boolean {
  if (kind === 'failed') return status === 200;
  return kind === 'refused' && !OTHER_STATUSES.includes(status);
}

/** Returns the properties of `own` that the BMC refuses; none when it refuses one of `given`, which no retry can mend. */
function refusedDefaults(error: RedfishError, own: JsonObject, given: JsonObject): Set<string> {
  const refused = new Set<string>();
  const entries: JsonObject[] = error.extendedInfo.length > 0 ? error.extendedInfo : [{ Message: wordsOf(error) }];
  for (const entry of entries) {
    if (saysNoRefusal(entry)) continue;
    const names = namesIn(entry, own, given);
    const conflict = hasMessage([entry], ...CONFLICTS);
    if (!conflict && names.some((name) => name in given)) return new Set();
    for (const name of names) if (name in own) refused.add(name);
  }
  return refused;
}

function saysNoRefusal(entry: JsonObject): boolean {
  const id = typeof entry.MessageId === 'string' ? entry.MessageId : '';
  return NO_REFUSAL.test(id.slice(id.lastIndexOf('.') + 1)) || SAYS_MISSING.test(textIn(entry.Message));
}

/** Returns the properties that an entry names: by RelatedProperties or MessageArgs, by a value, or in its text. */
function namesIn(
  { RelatedProperties, MessageArgs, Message }: JsonObject,
  own: JsonObject,
  given: JsonObject,
): string[] {
  const properties = [...Object.keys(own), ...Object.keys(given)];
  const texts = [RelatedProperties, MessageArgs].flatMap((list) => (Array.isArray(list) ? list : [list ?? null]));
  const args = texts.filter((text) => typeof text === 'string');
  const named = properties.filter((name) => args.some((text) => propertyOf(text) === name));
  if (named.length > 0) return named;
  const valued = properties.filter((name) => args.some((text) => hasValue(own[name] ?? given[name] ?? null, text)));
  if (valued.length > 0) return valued;
  const text = textIn(Message);
  const inText = properties.filter((name) => new RegExp(`(?<![\\w.])${name}(?![\\w])`).test(text));
  // A text may list what is allowed beside what is not; a default is left out before the caller is told.
  const ours = inText.filter((name) => name in own);
  return ours.length > 0 ? ours : inText;
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
