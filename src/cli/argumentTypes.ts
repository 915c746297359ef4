import { isJsonObject, type Json } from '../core/json.ts';

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
