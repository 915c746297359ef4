import { isJsonObject, type Json } from './json.ts';

/** Returns the JSON Schema types that `schema` allows; empty when it does not say. */
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
  // An alternative that allows anything allows a string.
  return types.some((names) => names.length === 0) ? [] : types.flat();
}

/** Returns the JSON Schema type of `value`; `number` for integers too. */
export function typeOf(value: Json): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
