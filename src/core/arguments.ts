import { z } from 'zod';
import { type FieldViolation, PassthruError } from './errors.ts';
import type { Json, JsonObject } from './json.ts';
import { findReservedName, RESERVED_NAME } from './reservedName.ts';

const BOOLEAN_WORDS = new Map<string, boolean>([
  ...['1', 't', 'true', 'on', 'y', 'yes'].map((word) => [word, true] as const),
  ...['0', 'f', 'false', 'off', 'n', 'no'].map((word) => [word, false] as const),
]);

/** Returns the boolean that `text` stands for (oslo.utils `bool_from_string`, strict), undefined for any other text. */
export function booleanWord(text: string): boolean | undefined {
  return BOOLEAN_WORDS.get(text.toLowerCase());
}

/** Returns a schema of booleans as Ironic's callers send them: `true`, `"False"`, `"no"`, `1`; see `booleanWord`. */
export function looseBoolean() {
  return z.union([z.boolean(), z.string(), z.number()]).transform((value, context) => {
    const flag = booleanWord(String(value).trim());
    if (flag !== undefined) return flag;
    context.issues.push({ code: 'custom', message: 'must be a boolean: true or false', input: value });
    return z.NEVER;
  });
}

/**
 * Returns the parser of the arguments of `method` by its schema. An argument that is null counts as absent, as in Ironic.
 *
 * A message that begins with "must" is prefixed with the name of its argument; any other (zod's `error` in the schema) is
 * used verbatim, so that a method can word it as Ironic does. None quotes a value of the wrong type, which may be a secret.
 *
 * The parser throws kind `invalid_argument` with one violation for each invalid argument.
 */
export function argumentsParser<S extends z.ZodObject>(method: string, schema: S): (raw: JsonObject) => z.output<S> {
  const names = Object.keys(schema.shape);
  // An object has members by these names that nobody gave it.
  const inherits = names.some((name) => name in Object.prototype);
  const options = { error: (issue: z.core.$ZodRawIssue) => describeIssue(issue, names) };
  return (raw) => {
    const given = inherits || holdsNull(raw) ? withoutNulls(raw) : raw;
    const outcome = schema.safeParse(given, options);
    if (!outcome.success) throw invalidArguments(method, outcome.error);
    // Where any name is allowed, the schema has dropped it.
    const reserved = findReservedName(raw);
    if (reserved !== null) throw reservedName(method, shorten(reserved.join('.')));
    return outcome.data;
  };
}

function holdsNull(raw: JsonObject): boolean {
  for (const key in raw) if (raw[key] === null) return true;
  return false;
}

function withoutNulls(raw: JsonObject): JsonObject {
  const present: JsonObject = Object.create(null);
  for (const [key, value] of Object.entries(raw)) {
    if (value !== null) present[key] = value;
  }
  return present;
}

function reservedName(method: string, path: string): PassthruError {
  const description = `must have another name than ${RESERVED_NAME}`;
  return new PassthruError('invalid_argument', `Method ${method}: argument '${path}' ${description}`, {
    violations: [{ field: `arguments.${path}`, description }],
  });
}

function invalidArguments(method: string, error: z.ZodError): PassthruError {
  const violations: FieldViolation[] = [];
  const sentences: string[] = [];
  for (const issue of error.issues) {
    const path = issue.path.map(String).join('.');
    violations.push({ field: path === '' ? 'arguments' : `arguments.${path}`, description: issue.message });
    if (path === '') sentences.push(`Method ${method}: ${issue.message}`);
    else if (issue.message.startsWith('must ')) sentences.push(`Method ${method}: argument '${path}' ${issue.message}`);
    else sentences.push(issue.message);
  }
  return new PassthruError('invalid_argument', sentences.join('; '), { violations });
}

/** Describes an issue of arguments or a result in words that follow its name. `names` are the arguments of the method. */
export function describeIssue(issue: z.core.$ZodRawIssue, names: string[]): string {
  switch (issue.code) {
    case 'unrecognized_keys': {
      const allowed = names.length === 0 ? 'none are allowed' : `allowed: ${names.join(', ')}`;
      return `Unexpected arguments: ${issue.keys.map((key) => shorten(key)).join(', ')} (${allowed})`;
    }
    case 'invalid_type':
      return issue.input === undefined
        ? 'must be given'
        : `must be ${article(issue.expected)}, not ${article(typeOf(issue.input))}`;
    case 'invalid_value':
      return `must be one of ${issue.values.map((value) => JSON.stringify(value)).join(', ')}, not ${shorten(JSON.stringify(issue.input) ?? '')}`;
    case 'too_small':
      return `must be at least ${issue.minimum}${unit(issue.origin)}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${unit(issue.origin)}`;
    case 'invalid_format':
      return `must be a valid ${issue.format}`;
    default:
      return `must match the method's schema`;
  }
}

function article(expected: string): string {
  return /^[aeiou]/.test(expected) ? `an ${expected}` : `a ${expected}`;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' items long' : '';
}

function typeOf(input: unknown): string {
  if (input === null) return 'null';
  if (Number.isNaN(input)) return 'NaN';
  return Array.isArray(input) ? 'array' : typeof input;
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** Returns `value` as Python prints it, for Ironic's wordings: `None`, `['a']`; strings are quoted in lists and dicts only. */
export function pythonText(value: Json | undefined, nested = false): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') {
    if (!nested) return value;
    const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
  }
  if (Array.isArray(value)) return `[${value.map((item) => pythonText(item, true)).join(', ')}]`;
  const members = Object.entries(value).map(([key, item]) => `${pythonText(key, true)}: ${pythonText(item, true)}`);
  return `{${members.join(', ')}}`;
}
