// A form made from a JSON Schema (2020-12), as the methods of the contract have them.
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';

/**
 * How the value of a schema is entered. `json` is for what no other kind shows: any value, or a rule that needs words; `kept` is
 * for a text that is there and is not shown, which the form marks by a keyword of its own.
 */
export type Kind = 'kept' | 'choice' | 'boolean' | 'number' | 'text' | 'list' | 'object' | 'null' | 'json';

/** Deeper schemas, and those that refer to themselves, are entered as JSON. */
const MAX_DEPTH = 12;

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** Returns an own member: a schema may have properties by names that every object inherits. */
export function memberOf(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Returns `schema` without references and `allOf`, which are resolved within `root`; the schema of any value when it has none. */
export function resolve(schema: JsonValue | undefined, root: JsonObject, depth = 0): JsonObject {
  if (!isObject(schema) || depth > MAX_DEPTH) return {};
  const { $ref, allOf, ...own } = schema;
  let resolved: JsonObject = own;
  if (typeof $ref === 'string') resolved = { ...resolve(pointed($ref, root), root, depth + 1), ...own };
  for (const part of Array.isArray(allOf) ? allOf : []) resolved = merge(resolved, resolve(part, root, depth + 1));
  return resolved;
}

function pointed(reference: string, root: JsonObject): JsonValue | undefined {
  let found: JsonValue | undefined = root;
  for (const part of reference.replace(/^#\/?/, '').split('/')) {
    if (part === '') continue;
    if (!isObject(found)) return undefined;
    found = memberOf(found, decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'));
  }
  return found;
}

function merge(one: JsonObject, other: JsonObject): JsonObject {
  const merged = { ...other, ...one };
  if (isObject(one.properties) && isObject(other.properties))
    merged.properties = { ...other.properties, ...one.properties };
  if (Array.isArray(one.required) && Array.isArray(other.required))
    merged.required = [...one.required, ...other.required];
  return merged;
}

/** Returns the types that a schema names. */
export function typesOf({ type }: JsonObject): string[] {
  if (typeof type === 'string') return [type];
  return Array.isArray(type) ? type.filter((name) => typeof name === 'string') : [];
}

/**
 * Returns the schemas of which a value has to match one: the members of `anyOf` and `oneOf`, or one for each type; just
 * `schema` when there is no choice. Values that are listed one by one are one choice.
 */
export function alternativesOf(schema: JsonObject, root: JsonObject): readonly JsonObject[] {
  const { anyOf, oneOf, ...base } = schema;
  const given = Array.isArray(anyOf) ? anyOf : Array.isArray(oneOf) ? oneOf : [];
  const members = given.map((member) => resolve(member, root));
  if (members.length > 0 && members.every((member) => valuesOf(member) !== null))
    return [{ ...base, enum: members.flatMap((member) => valuesOf(member) ?? []) }];
  // A rule about members, such as "one of these two is required", leaves the kind of the value as it is.
  if (members.length > 0 && members.every((member) => kindOf(member) !== 'json'))
    return members.flatMap((member) => alternativesOf(merge(member, base), root));
  const types = typesOf(schema);
  if (types.length < 2 || valuesOf(schema) !== null) return [schema];
  return types.map((type) => ({ ...schema, type }));
}

/** Returns the values that a schema lists; null when it lists none. */
export function valuesOf(schema: JsonObject): readonly JsonValue[] | null {
  if (Array.isArray(schema.enum)) return schema.enum;
  return schema.const === undefined ? null : [schema.const];
}

/** Returns the kind of a schema that is no choice between several. */
export function kindOf(schema: JsonObject): Kind {
  if (schema.kept === true) return 'kept';
  if (valuesOf(schema) !== null) return 'choice';
  switch (typesOf(schema)[0]) {
    case 'boolean':
      return 'boolean';
    case 'number':
    case 'integer':
      return 'number';
    case 'string':
      return 'text';
    case 'array':
      return schema.prefixItems === undefined ? 'list' : 'json';
    case 'object':
      return 'object';
    case 'null':
      return 'null';
    default:
      return isObject(schema.properties) ? 'object' : 'json';
  }
}

/** Whether a value is of the kind, right or wrong: which alternative it was entered as. */
export function isOfKind(value: JsonValue, schema: JsonObject): boolean {
  switch (kindOf(schema)) {
    case 'kept':
      return typeof value === 'string' || value === null;
    case 'choice':
      return valuesOf(schema)?.some((allowed) => sameJson(allowed, value)) ?? false;
    case 'boolean':
      return typeof value === 'boolean';
    case 'number':
      return typeof value === 'number';
    case 'text':
      return typeof value === 'string';
    case 'list':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'null':
      return value === null;
    case 'json':
      return true;
  }
}

/** The properties that a form shows: those that are only kept for old callers when they are given. */
export function propertiesOf(schema: JsonObject, value: JsonObject, root: JsonObject): [string, JsonObject][] {
  if (!isObject(schema.properties)) return [];
  return Object.entries(schema.properties)
    .map(([name, property]): [string, JsonObject] => [name, resolve(property, root)])
    .filter(([name, property]) => property.deprecated !== true || memberOf(value, name) !== undefined);
}

export function requiredOf(schema: JsonObject): string[] {
  return Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === 'string') : [];
}

/** Returns the schema of members that have no property; null when there may be none. */
export function othersOf({ additionalProperties }: JsonObject, root: JsonObject): JsonObject | null {
  if (additionalProperties === false) return null;
  return resolve(additionalProperties, root);
}

/** Returns `object` with the member `key`, or without it when `value` is undefined. Any key becomes an own member. */
export function withMember(object: JsonObject, key: string, value: JsonValue | undefined): JsonObject {
  const entries = Object.entries(object);
  const at = entries.findIndex(([name]) => name === key);
  if (value === undefined) return Object.fromEntries(entries.filter((_, index) => index !== at));
  if (at === -1) entries.push([key, value]);
  else entries[at] = [key, value];
  return Object.fromEntries(entries);
}

export function sameJson(one: JsonValue | undefined, other: JsonValue | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
