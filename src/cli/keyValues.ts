import { readFileSync } from 'node:fs';
import { typeOf, typesOf } from '../core/argumentTypes.ts';
import { findInexactNumber } from '../core/exactNumbers.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { readFault } from '../core/readFault.ts';
import { isSecretName } from '../core/secretNames.ts';
import { usageError } from './exitStatus.ts';

/**
 * Parses `--arg K=V` into arguments by the types of the method's `schema`. Where it allows a string or says nothing, the
 * value is a string; numbers, booleans, lists and objects are parsed as JSON. `@FILE` stands for the file's content
 * without the final line break; write @@ for a leading @.
 * @throws CommandFailure for an invalid value, with the key, the value unless it is a secret, and the allowed types
 */
export function readArguments(pairs: readonly string[], schema: JsonObject | undefined): JsonObject {
  const properties = isJsonObject(schema?.properties) ? schema.properties : {};
  return readPairs('--arg', pairs, (key, text, given) => {
    const property = Object.hasOwn(properties, key) ? properties[key] : undefined;
    return ofType(key, text, new Set(typesOf(property)), given);
  });
}

/**
 * Parses `K=V` as Ironic's client does: as JSON if valid, else as a string. Secrets are always strings, so a password of
 * digits stays one. `@FILE` and `@@` work as in `readArguments`.
 */
export function readAttributes(option: string, pairs: readonly string[]): JsonObject {
  return readPairs(option, pairs, (key, text) => {
    if (isSecretName(key)) return text;
    let value: Json;
    try {
      value = JSON.parse(text) as Json;
    } catch {
      return text;
    }
    checkNumbers(`${option} ${key}`, text);
    return value;
  });
}

/** Describes a word without a `=`. It is repeated only if it looks like a key: it may be a secret whose key was forgotten. */
function withoutValue(word: string): string {
  if (/^[a-z]+(_[a-z]+)+$/i.test(word)) return `"${word}" has no "=" and no value`;
  return `a word of ${[...word].length} characters, which may be a secret and is not shown, has no "="`;
}

/** @param read parses the value of a key; `given` is the text on the command line */
function readPairs(
  option: string,
  pairs: readonly string[],
  read: (key: string, text: string, given: string) => Json,
): JsonObject {
  const entries = new Map<string, Json>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1)
      throw usageError(
        `${option}: ${at === 0 ? 'the key before "=" is empty' : withoutValue(pair)}; must be KEY=VALUE`,
      );
    const key = pair.slice(0, at);
    if (entries.has(key)) throw usageError(`${option}: ${key} is given twice`);
    const given = pair.slice(at + 1);
    entries.set(key, read(key, readText(option, given), given));
  }
  return Object.fromEntries(entries);
}

/**
 * Resolves `@FILE` to the file's content without the final line break, and `@@…` to the text from the second @ on.
 * @throws CommandFailure naming `option` when the file cannot be read
 */
export function readText(option: string, text: string): string {
  if (text.startsWith('@@')) return text.slice(1);
  if (!text.startsWith('@')) return text;
  return readSecretFile(option, text.slice(1));
}

/** Reads a file without its final line break, like the shell's $(cat FILE): one usually follows a password. */
export function readSecretFile(option: string, path: string): string {
  return readFile(option, path).replace(/\r?\n$/, '');
}

/** @throws CommandFailure naming `option` when the file cannot be read */
export function readFile(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw usageError(`${option}: ${path} cannot be read: ${readFault(error)}`);
  }
}

function ofType(key: string, text: string, types: ReadonlySet<string>, given: string): Json {
  if (types.size === 0 || types.has('string')) return text;
  if (types.has('boolean') && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  let value: Json | undefined;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    // Refused below.
  }
  const allowed = [...types].map((type) => IN_WORDS[type] ?? type).join(' or ');
  const refused = isSecretName(key) ? 'the value' : visibleValue(given);
  if (value !== undefined && (types.has(typeOf(value)) || (types.has('integer') && Number.isInteger(value)))) {
    if (typeof value === 'number' && !isExact(value, text)) {
      throw usageError(`--arg ${key}: ${refused} is out of range: integers must be within 2^53`);
    }
    checkNumbers(`--arg ${key}`, text);
    return value;
  }
  throw usageError(`--arg ${key}: ${refused} is not ${allowed}`);
}

/** Refuses JSON with a number that would be sent as another one. */
function checkNumbers(what: string, text: string): void {
  const path = findInexactNumber(text);
  if (path === null) return;
  const where = path.length === 0 ? '' : ` at ${path.join('.')}`;
  throw usageError(`${what}: the number${where} does not fit into 64 bits of floating point; give it as a string`);
}

/** Whether `value` is the number that `text` says: 2^53 + 1 would be rounded, and 1e999 is infinite. */
function isExact(value: number, text: string): boolean {
  return Number.isFinite(value) && (Number.isSafeInteger(value) || !/^-?\d+$/.test(text));
}

/** The JSON Schema types in words. */
const IN_WORDS: Readonly<Record<string, string>> = {
  number: 'a number, such as 1.5',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list in JSON, such as ["a", "b"]',
  object: 'an object in JSON, such as {"a": 1}',
};

/** Returns the given text for a message, in quotes and shortened; `@FILE` is not resolved, since the file may hold a secret. */
export function visibleValue(given: string): string {
  return given.length > 60 ? `${JSON.stringify(given.slice(0, 60))}…` : JSON.stringify(given);
}
