/** A JSON value. */
export type Json = null | boolean | number | string | Json[] | JsonObject;

/** A JSON object. */
export type JsonObject = { [key: string]: Json };

/**
 * The maximum depth of nested arrays and objects in arguments and results. Protobuf allows 100 nested messages, and each
 * level of a Struct takes two or three.
 */
export const MAX_DEPTH = 30;

/** Whether `value` is a JSON object: not null, not an array. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether `value` nests deeper than `limit` arrays and objects. Does not look deeper than that. */
export function nestsDeeperThan(value: unknown, limit: number = MAX_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (limit === 0) return true;
  for (const child of Array.isArray(value) ? value : Object.values(value)) {
    if (nestsDeeperThan(child, limit - 1)) return true;
  }
  return false;
}

/** Whether `value` is JSON: without BigInt, NaN, Date, Map, function or undefined, at any depth. */
function isJson(value: unknown): value is Json {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean';
  if (value === null) return true;
  // Spread, since `every` skips holes.
  if (Array.isArray(value)) return [...value].every(isJson);
  const prototype = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(isJson);
}

/**
 * Returns `value` as its JSON text reads: a Date as text, NaN as null, without undefined members.
 * Throws a TypeError when it has no JSON text, such as a BigInt, a function or a circular structure.
 */
export function asJson(value: unknown): Json {
  if (isJson(value)) return value;
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON representation`);
  return JSON.parse(text);
}

/** Returns `value` as JSON text with sorted keys, so that equal values give equal texts. */
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

/** Returns `text` as well-formed Unicode without NUL, which PostgreSQL's text cannot hold. */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed();
}
