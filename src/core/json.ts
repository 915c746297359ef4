/** A JSON value. Arguments and results of methods are JSON objects and values. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object. */
export type JsonObject = { [key: string]: Json };

/**
 * The deepest nesting that arguments and results may have, counted in arrays and objects.
 * Protobuf's own limit (100 nested messages, about two and a half per level of a Struct) is not far above.
 */
export const MAX_DEPTH = 30;

/** Whether `value` is a JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether `value` nests deeper than `limit` arrays and objects. Walks no further than `limit` levels. */
export function nestsDeeperThan(value: unknown, limit: number = MAX_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  for (const child of Array.isArray(value) ? value : Object.values(value)) {
    if (nestsDeeperThan(child, limit - 1)) return true;
  }
  return false;
}

/** Whether JSON says all that `value` is: no BigInt, NaN, Date, Map, function or undefined, at any depth. */
export function isJson(value: unknown): value is Json {
  switch (typeof value) {
    case 'boolean':
    case 'string':
      return true;
    case 'number':
      return Number.isFinite(value);
    case 'object': {
      if (value === null) return true;
      if (Array.isArray(value)) {
        // Not `every`, which passes over holes.
        for (const item of value) if (!isJson(item)) return false;
        return true;
      }
      const prototype = Object.getPrototypeOf(value);
      return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isJson);
    }
    default:
      return false;
  }
}

/**
 * `value` as a reader of its JSON text sees it: a Date as its text, NaN as null, an undefined member not at all.
 * Throws a TypeError when it has no JSON text, as a BigInt, a function or a circle.
 */
export function asJson(value: unknown): Json {
  if (isJson(value)) return value;
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`a ${typeof value} cannot be told as JSON`);
  return JSON.parse(text);
}

/** `value` as JSON text with the keys of every object in order, so that equal values give equal texts. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (value !== null && typeof value === 'object') {
    const members = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** `text` as every store can keep it: well-formed Unicode without NUL, which PostgreSQL's text cannot hold. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}
