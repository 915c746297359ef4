import { create, type JsonObject as ProtoJsonObject } from '@bufbuild/protobuf';
import { ListValueSchema, NullValue, StructSchema, type Value, ValueSchema } from '@bufbuild/protobuf/wkt';
import { isJsonObject, type Json, type JsonObject, MAX_DEPTH } from '../core/json.ts';

/**
 * Converts `json` to a google.protobuf.Value. NaN and infinities become null, as in JSON.stringify; so does what is
 * nested in more than 30 arrays and objects, which clients could not decode. Never throws.
 */
export function jsonToValue(json: Json, depth = MAX_DEPTH): Value {
  return create(ValueSchema, { kind: jsonToKind(json, depth) });
}

/**
 * Converts `json` to the value of a google.protobuf.Struct field, a plain object in protobuf-es. What a Struct cannot
 * hold becomes null, see `jsonToValue`.
 */
export function jsonToStruct(json: JsonObject): ProtoJsonObject {
  return storable(json, MAX_DEPTH) as ProtoJsonObject;
}

/** Whether JSON keeps all numbers in `json`; a binary Struct may hold NaN, infinities and -0. */
export function hasExactNumbers(json: Json): boolean {
  if (typeof json === 'number') return Number.isFinite(json) && !Object.is(json, -0);
  if (Array.isArray(json)) return json.every(hasExactNumbers);
  return !isJsonObject(json) || Object.values(json).every(hasExactNumbers);
}

function jsonToKind(json: Json, depth: number): Value['kind'] {
  switch (typeof json) {
    case 'boolean':
      return { case: 'boolValue', value: json };
    case 'string':
      return { case: 'stringValue', value: json };
    case 'number':
      if (Number.isFinite(json)) return { case: 'numberValue', value: json };
      break;
    case 'object':
      if (json === null || depth === 0) break;
      if (Array.isArray(json)) {
        const values = json.map((item) => jsonToValue(item, depth - 1));
        return { case: 'listValue', value: create(ListValueSchema, { values }) };
      }
      return { case: 'structValue', value: create(StructSchema, { fields: fieldsOf(json, depth - 1) }) };
  }
  return { case: 'nullValue', value: NullValue.NULL_VALUE };
}

function fieldsOf(json: JsonObject, depth: number): Record<string, Value> {
  const fields: Record<string, Value> = {};
  for (const [key, member] of Object.entries(json)) define(fields, key, jsonToValue(member, depth));
  return fields;
}

function storable(json: Json, depth: number): Json {
  switch (typeof json) {
    case 'boolean':
    case 'string':
      return json;
    case 'number':
      return Number.isFinite(json) ? json : null;
    case 'object': {
      if (json === null || depth === 0) return null;
      if (Array.isArray(json)) return json.map((item) => storable(item, depth - 1));
      const copy: JsonObject = {};
      for (const [key, member] of Object.entries(json)) define(copy, key, storable(member, depth - 1));
      return copy;
    }
    default:
      return null;
  }
}

/** Sets an own member. An assignment to `__proto__` would be lost. */
function define<T>(target: Record<string, T>, key: string, value: T): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[key] = value;
  }
}
