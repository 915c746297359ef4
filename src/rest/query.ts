import { PassthruError } from '../core/errors.ts';
import { booleanWord } from './booleanWord.ts';

/** The parameters of a query, in the order they came, percent-decoded. */
export type Query = ReadonlyMap<string, string>;

const EMPTY: Query = new Map();

/**
 * Reads a query (`a=1&b=2`, without `?`; `+` is a blank). Throws `invalid_argument` for what is not percent-encoded
 * UTF-8, and for a parameter that is given twice: which of them is meant nobody can tell.
 */
export function parseQuery(raw: string): Query {
  if (raw === '') return EMPTY;
  const query = new Map<string, string>();
  for (const pair of raw.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    if (query.has(name)) throw badParameter(name, 'is given more than once');
    query.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)));
  }
  return query;
}

/** As `parseQuery`, for a route that takes the parameters `known` and no others; the refusal is worded as recorded. */
export function readQuery(raw: string, known: readonly string[] = []): Query {
  const query = parseQuery(raw);
  if (query.size > 0) refuseOthers([...query.keys()].filter((name) => !known.includes(name)));
  return query;
}

/** Throws `invalid_argument` naming the parameters, when there are any. Worded as recorded ("unknown query argument"). */
export function refuseOthers(names: readonly string[]): void {
  if (names.length === 0) return;
  const message = `Unexpected arguments: ${names.join(', ')}`;
  throw new PassthruError('invalid_argument', message, {
    violations: names.map((field) => ({ field, description: 'is not a parameter of this request' })),
  });
}

/** A boolean parameter, as Ironic reads one; null when absent. Throws `invalid_argument`. */
export function booleanParameter(query: Query, name: string): boolean | null {
  const text = query.get(name);
  if (text === undefined) return null;
  const value = booleanWord(text);
  if (value !== undefined) return value;
  throw badParameter(name, 'must be a boolean: true or false');
}

/**
 * The `limit` parameter: how many entries a page has, at most `max`, and `fallback` when absent.
 * Throws `invalid_argument`, worded as Ironic does.
 */
export function limitParameter(query: Query, max: number, fallback = max): number {
  const text = query.get('limit');
  if (text === undefined) return fallback;
  if (!/^-?\d{1,15}$/.test(text)) throw badParameter('limit', 'must be an integer', 'Expected an integer for limit');
  if (Number(text) <= 0) throw badParameter('limit', 'must be positive', 'Limit must be positive');
  return Math.min(Number(text), max);
}

/** A list of names, separated by commas; null when absent. */
export function listParameter(query: Query, name: string): string[] | null {
  const text = query.get(name);
  return text === undefined ? null : text.split(',').filter((item) => item !== '');
}

/** An `invalid_argument` about the parameter `name`. */
export function badParameter(name: string, description: string, message?: string): PassthruError {
  return new PassthruError('invalid_argument', message ?? `Parameter '${name}' ${description}`, {
    violations: [{ field: name, description }],
  });
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new PassthruError('invalid_argument', 'The query is not percent-encoded UTF-8');
  }
}
