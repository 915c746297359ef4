import type { Json, JsonObject } from './json.ts';

/**
 * A name that no member of an argument can have: schemas drop it without a word, and a handler that copies such a member changes
 * the prototype of its copy.
 */
export const RESERVED_NAME = '__proto__';

/** Returns the path of the first member of that name in `value`, at any depth; null when there is none. */
export function findReservedName(value: Json): string[] | null {
  if (typeof value !== 'object' || value === null) return null;
  // Each call is looked at: this makes nothing where there is none.
  for (const key in value) {
    if (key === RESERVED_NAME) return [key];
    const path = findReservedName((value as JsonObject)[key]!);
    if (path !== null) return [key, ...path];
  }
  return null;
}
