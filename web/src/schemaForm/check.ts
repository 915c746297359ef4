import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { RESERVED_NAME } from '../../../src/core/reservedName.ts';
import { texts } from '../texts.ts';
import {
  alternativesOf,
  isObject,
  isOfKind,
  kindOf,
  memberOf,
  othersOf,
  requiredOf,
  resolve,
  sameJson,
  typesOf,
  valuesOf,
} from './schema.ts';

/** What is wrong with a part of a value. The path is empty for the value itself. */
export interface Fault {
  path: readonly string[];
  text: string;
}

const words = texts.form.faults;

/**
 * Returns what is wrong with `value` by its schema, so far as a form can tell; the service checks everything. A member that
 * is null counts as absent where the schema does not allow null, as with the service.
 */
export function faultsOf(value: JsonValue, schema: JsonObject, root: JsonObject = schema): Fault[] {
  return check(value, resolve(schema, root), root, []);
}

function check(value: JsonValue, schema: JsonObject, root: JsonObject, path: readonly string[]): Fault[] {
  const alternatives = alternativesOf(schema, root);
  const fitting = alternatives.find((one) => isOfKind(value, one));
  if (fitting === undefined) return [{ path, text: mismatch(value, schema, alternatives) }];
  const faults: Fault[] = [];
  const add = (text: string) => faults.push({ path, text });
  if (typeof value === 'string') checkText(value, fitting, add);
  if (typeof value === 'number') checkNumber(value, fitting, add);
  if (Array.isArray(value)) {
    checkLength(value.length, fitting.minItems, fitting.maxItems, 'items', add);
    if (fitting.uniqueItems === true && new Set(value.map((item) => JSON.stringify(item))).size < value.length)
      add(words.unique);
    const items = resolve(fitting.items, root);
    for (const [index, item] of value.entries()) faults.push(...check(item, items, root, [...path, String(index)]));
  }
  if (isObject(value)) faults.push(...checkObject(value, { ...schema, ...fitting }, root, path));
  return faults;
}

function mismatch(value: JsonValue, schema: JsonObject, alternatives: readonly JsonObject[]): string {
  const values = alternatives.flatMap((one) => valuesOf(one) ?? []);
  if (values.length > 0) return words.oneOf(values.map((one) => JSON.stringify(one)).join(', '));
  const types = typesOf(schema).length > 0 ? typesOf(schema) : alternatives.flatMap(typesOf);
  return words.type(types, value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);
}

function checkText(value: string, { minLength, maxLength, pattern, format }: JsonObject, add: (text: string) => void) {
  checkLength([...value].length, minLength, maxLength, 'characters', add);
  if (typeof pattern === 'string' && !matches(pattern, value)) add(words.pattern(pattern));
  if (format === 'uri' && !URL.canParse(value)) add(words.uri);
}

function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    // Of another kind of regular expressions: for the service to check.
    return true;
  }
}

function checkNumber(value: number, schema: JsonObject, add: (text: string) => void): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (typesOf(schema).includes('integer') && !Number.isInteger(value)) add(words.whole);
  if (typeof minimum === 'number' && value < minimum) add(words.atLeast(minimum));
  if (typeof maximum === 'number' && value > maximum) add(words.atMost(maximum));
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) add(words.above(exclusiveMinimum));
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum) add(words.below(exclusiveMaximum));
  if (typeof multipleOf === 'number' && Number.isInteger(multipleOf) && value % multipleOf !== 0)
    add(words.multiple(multipleOf));
}

function checkLength(
  length: number,
  least: JsonValue | undefined,
  most: JsonValue | undefined,
  unit: 'characters' | 'items',
  add: (text: string) => void,
): void {
  if (typeof least === 'number' && length < least) add(words.longer(least, unit));
  if (typeof most === 'number' && length > most) add(words.shorter(most, unit));
}

function checkObject(value: JsonObject, schema: JsonObject, root: JsonObject, path: readonly string[]): Fault[] {
  const faults: Fault[] = [];
  const properties = isObject(schema.properties) ? schema.properties : {};
  const isGiven = (name: string) => (memberOf(value, name) ?? null) !== null;
  for (const name of requiredOf(schema))
    if (!isGiven(name)) faults.push({ path: [...path, name], text: words.required });
  const groups = (Array.isArray(schema.anyOf) ? schema.anyOf : []).filter(isObject).map(requiredOf);
  if (groups.length > 0 && groups.every((names) => names.length > 0 && !names.every(isGiven)))
    faults.push({ path: [...path, groups[0]![0]!], text: words.oneRequired(groups.map((names) => names.join(' + '))) });
  const others = othersOf(schema, root);
  for (const [name, member] of Object.entries(value)) {
    const property = memberOf(properties, name) ?? others;
    const at = [...path, name];
    if (name === RESERVED_NAME) faults.push({ path: at, text: words.reserved });
    else if (property === null) faults.push({ path: at, text: words.unknown(Object.keys(properties)) });
    else {
      const resolved = resolve(property, root);
      const isAbsent = member === null && !alternativesOf(resolved, root).some((one) => kindOf(one) === 'null');
      if (!isAbsent) faults.push(...check(member, resolved, root, at));
    }
  }
  return faults;
}

/** Returns the first fault of the part at `path`. */
export function faultAt(faults: readonly Fault[], path: readonly string[]): string | null {
  return faults.find((fault) => sameJson([...fault.path], [...path]))?.text ?? null;
}
