import { readFileSync } from 'node:fs';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { isSecretName } from '../core/secrets.ts';
import { usageError } from './exitStatus.ts';

/**
 * The arguments of a call from `--arg K=V`. A value is what the method's `schema` says of its key: text stays text
 * where the schema takes text, or says nothing; a number, a boolean, a list or an object is read as JSON. `@FILE` is
 * the content of a file without its last line break; a text that begins with @ is written @@.
 * @throws CommandFailure when a value is not of its type, with the key, the value, unless it is a secret, and what it can be
 */
export function readArguments(pairs: readonly string[], schema: JsonObject | undefined): JsonObject {
  const properties = isJsonObject(schema?.properties) ? schema.properties : {};
  return readPairs('--arg', pairs, (key, text, given) => {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    return ofType(key, text, new Set(typesOf(property)), given);
  });
}

/**
 * Keys and values as Ironic's client reads them: JSON where the value is JSON, else text. A secret is always text, so
 * that a password of digits stays one. `@FILE` and `@@` as in `readArguments`.
 */
export function readAttributes(option: string, pairs: readonly string[]): JsonObject {
  return readPairs(option, pairs, (key, text) => {
    if (isSecretName(key)) return text;
    try {
      return JSON.parse(text) as Json;
    } catch {
      return text;
    }
  });
}

/** @param read makes the value of a key from its text; `given` is what the command line has for it */
function readPairs(
  option: string,
  pairs: readonly string[],
  read: (key: string, text: string, given: string) => Json,
): JsonObject {
  const entries = new Map<string, Json>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    // It may be a secret whose key was forgotten: it is not repeated.
    if (at < 1) throw usageError(`${option}: it is KEY=VALUE`);
    const key = pair.slice(0, at);
    if (entries.has(key)) throw usageError(`${option}: ${key} is given twice`);
    const given = pair.slice(at + 1);
    entries.set(key, read(key, readText(option, given), given));
  }
  return Object.fromEntries(entries);
}

/**
 * What `text` stands for: with `@FILE` the content of the file without its last line break, with `@@…` itself from the
 * second @ on.
 * @throws CommandFailure that names `option` when the file cannot be read
 */
export function readText(option: string, text: string): string {
  if (text.startsWith('@@')) return text.slice(1);
  if (!text.startsWith('@')) return text;
  const path = text.slice(1);
  try {
    // As the shell's $(cat FILE): a password in a file is followed by a line break.
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw usageError(`${option}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}

function ofType(key: string, text: string, types: ReadonlySet<string>, given: string): Json {
  if (types.size === 0 || types.has('string')) return text;
  if (types.has('boolean') && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  let value: Json | undefined;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // Told below.
  }
  const wanted = [...types].map((type) => IN_WORDS[type] ?? type).join(' or ');
  const refused = isSecretName(key) ? 'the value' : visibleValue(given);
  if (value !== undefined && (types.has(typeOf(value)) || (types.has('integer') && Number.isInteger(value)))) {
    if (typeof value !== 'number' || isExact(value, text)) return value;
    throw usageError(
      `--arg ${key}: ${refused} is larger than a number can be here (2^53, where it is written in digits alone)`,
    );
  }
  throw usageError(`--arg ${key}: ${refused} is not ${wanted}`);
}

/** 2^53 + 1 would become another number, and 1e999 none. */
function isExact(value: number, text: string): boolean {
  return Number.isFinite(value) && (Number.isSafeInteger(value) || !/^-?\d+$/.test(text));
}

/** JSON Schema's types, as a person is told of them. */
const IN_WORDS: Readonly<Record<string, string>> = {
  number: 'a number, such as 1.5',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list in JSON, such as ["a", "b"]',
  object: 'an object in JSON, such as {"a": 1}',
};

/** What was given in place of a value, as far as it fits in a line; `@FILE` as it is, for the file may hold a secret. */
function visibleValue(given: string): string {
  return given.length > 60 ? `${JSON.stringify(given.slice(0, 60))}…` : JSON.stringify(given);
}

/** The JSON Schema types that `schema` takes, as far as it says so. */
export function typesOf(schema: Json | undefined): string[] {
  if (!isJsonObject(schema)) return [];
  const { type } = schema;
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.filter((name) => typeof name === 'string');
  if (Array.isArray(schema.enum)) return schema.enum.map(typeOf);
  if (schema.const !== undefined) return [typeOf(schema.const)];
  const choices = schema.anyOf ?? schema.oneOf;
  if (!Array.isArray(choices)) return [];
  const types = choices.map(typesOf);
  // One choice that takes anything takes a text.
  return types.some((names) => names.length === 0) ? [] : types.flat();
}

/** The JSON Schema type of `value`; `number` for every number. */
export function typeOf(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
