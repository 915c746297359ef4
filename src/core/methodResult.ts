import { z } from 'zod';
import { describeIssue } from './arguments.ts';
import { cutText, isLongerThan, MESSAGE_BYTES, RESULT_BYTES } from './bounds.ts';
import { PassthruError } from './errors.ts';
import { asJson, type Json, MAX_DEPTH, nestsDeeperThan } from './json.ts';

/**
 * What a handler returns for the result `R`: the schema's input; any JSON where the schema accepts anything. Nothing counts
 * as null.
 */
export type Returned<R extends z.ZodType> =
  unknown extends z.input<R> ? Json | undefined : null extends z.input<R> ? z.input<R> | Nothing : z.input<R>;

/** What a handler without a return statement returns. */
// biome-ignore lint/suspicious/noConfusingVoidType: only the type of a return value
type Nothing = undefined | void;

/** Returns the schema of a method's result. Without a result, callers get null, so that an optional one may be null. */
export function resultSchema(declared: z.ZodType | undefined): z.ZodType {
  if (declared === undefined) return z.unknown();
  return declared._zod.optout === 'optional' && !acceptsAnything(declared) ? z.nullable(declared) : declared;
}

/**
 * Returns the check of what the handler of `method` returns. It returns the result as JSON, as the schema's parse gives it, so
 * that a caller and the store get the same, and only what the schema describes.
 *
 * The check throws kind `internal` when the result does not match the schema, a defect of the driver, and `bmc_failed` when
 * it nests too deep or is too long.
 */
export function resultChecker(method: string, schema: z.ZodType): (returned: unknown) => Json {
  const toJson = (value: unknown) => {
    if (value === undefined) return null;
    checkBounds(method, value);
    const result = asJson(value);
    if (result !== value) checkBounds(method, result);
    return result;
  };
  if (acceptsAnything(schema)) return toJson;
  return (returned) => {
    // Before the parse, which would follow a circular structure without an end.
    checkBounds(method, returned);
    return toJson(parsed(method, schema, returned));
  };
}

function acceptsAnything(schema: z.ZodType): boolean {
  const { type } = schema._zod.def;
  return type === 'unknown' || type === 'any';
}

function parsed(method: string, schema: z.ZodType, returned: unknown): unknown {
  let outcome: z.ZodSafeParseResult<unknown>;
  try {
    outcome = z.safeParse(schema, returned, { error: describeResultIssue });
    // A handler without a return statement, for `z.null()`.
    if (!outcome.success && returned === undefined) outcome = z.safeParse(schema, null, { error: describeResultIssue });
  } catch (cause) {
    // A transform that throws, or a check that returns a promise.
    const why = cause instanceof Error ? cause.message : String(cause);
    throw resultDefect(method, `it could not be checked: ${why}`, cause);
  }
  if (outcome.success) return outcome.data;
  throw resultDefect(method, outcome.error.issues.map(({ path, message }) => placed(path, message)).join('; '));
}

/** Returns the error of a result that its driver should not have returned. */
export function resultDefect(method: string, fault: string, cause?: unknown): PassthruError {
  const message = `${method} was carried out, but its result is dropped, which is a defect of the driver: ${fault}`;
  return new PassthruError('internal', cutText(message, MESSAGE_BYTES), { cause });
}

/** Adds the place of an issue to its text: `result.leds.0 must be a boolean, not a string`. */
function placed(path: readonly PropertyKey[], message: string): string {
  const place = ['result', ...path.map(String)].join('.');
  return message.startsWith('must ') ? `${place} ${message}` : `${place}: ${message}`;
}

/** Describes an issue without the value, which may be a secret of the machine. */
function describeResultIssue(issue: z.core.$ZodRawIssue): string {
  if (issue.code === 'invalid_value') {
    return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
  }
  if (issue.code === 'unrecognized_keys') return `must not have the members ${issue.keys.join(', ')}`;
  return describeIssue(issue, []);
}

function checkBounds(method: string, result: unknown): void {
  if (nestsDeeperThan(result)) {
    throw new PassthruError('bmc_failed', `The result of ${method} nests deeper than ${MAX_DEPTH} levels`);
  }
  // Half of a document would be taken for the whole.
  if (!isLongerThan(result as Json, RESULT_BYTES)) return;
  throw new PassthruError(
    'bmc_failed',
    `${method} was carried out, but its result is dropped: it is longer than ${RESULT_BYTES / 1024 / 1024} MiB. A driver returns that much as an attachment.`,
  );
}
