import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';

/**
 * Returns the arguments of a method that a call must give, out of its JSON Schema: those of `required`, and those of the first
 * of its alternatives (`anyOf`), which is what a person is to be told.
 */
export function requiredArguments(schema: JsonObject): string[] {
  const alternatives = Array.isArray(schema.anyOf) ? schema.anyOf : [];
  return [...keysOf(schema), ...keysOf(alternatives[0] ?? null)];
}

/** Returns the required arguments that `given` lacks; none of an alternative if another one of them is given whole. */
export function missingArguments(schema: JsonObject, given: JsonObject): string[] {
  const isMissing = (key: string) => !Object.hasOwn(given, key);
  const alternatives = Array.isArray(schema.anyOf) ? schema.anyOf.map(keysOf) : [];
  const isMet = alternatives.some((keys) => !keys.some(isMissing));
  return [...keysOf(schema), ...(isMet ? [] : (alternatives[0] ?? []))].filter(isMissing);
}

/** Returns the arguments of a method with the schema of each, without those that are kept for old callers only. */
export function listedArguments({ properties }: JsonObject): [name: string, schema: Json][] {
  if (!isJsonObject(properties)) return [];
  return Object.entries(properties).filter(([, schema]) => !isJsonObject(schema) || schema.deprecated !== true);
}

function keysOf(schema: Json): string[] {
  const required = isJsonObject(schema) ? schema.required : null;
  return Array.isArray(required) ? required.filter((key) => typeof key === 'string') : [];
}
