import { z } from 'zod';

/**
 * Returns what is wrong with a method's definition, which may be JavaScript; null when nothing is. What types would show is
 * shown when the driver is loaded, rather than to the callers of the method.
 */
export function methodFault(definition: object): string | null {
  const given = definition as Record<string, unknown>;
  if (typeof given.handler !== 'function') return 'handler must be a function';
  if (typeof given.description !== 'string') return 'description must be a string';
  for (const flag of ['async', 'attach', 'requireExclusiveLock']) {
    if (given[flag] !== undefined && typeof given[flag] !== 'boolean') return `${flag} must be true or false`;
  }
  const { listedFrom = null } = given;
  if (listedFrom !== null && !(Number.isInteger(listedFrom) && Number(listedFrom) > 0)) {
    return 'listedFrom must be a minor version, or null';
  }
  if (!isZodType(given.arguments) || typeof (given.arguments as z.ZodObject).strict !== 'function') {
    return 'arguments must be a zod object, z.object({ … })';
  }
  if (given.result !== undefined && !isZodType(given.result))
    return 'result must be a zod type; z.null() for no result';
  try {
    // This schema is not used again, so zod need not compile it.
    (given.arguments as z.ZodObject).safeParse({}, { jitless: true });
  } catch (error) {
    if (error instanceof z.core.$ZodAsyncError) return 'arguments must be checked synchronously; wait in the handler';
  }
  return null;
}

/** Whether it is of any copy of zod: a driver may bring its own. */
function isZodType(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '_zod' in value;
}
