import { booleanWord } from '../core/arguments.ts';
import { invalidArgument, PassthruError } from '../core/errors.ts';

/** The parameters of a query in their original order, percent-decoded. */
export type Query = ReadonlyMap<string, string>;

const EMPTY: Query = new Map();

const ENCODED = /[%+]/;

/**
 * Parses a query (`a=1&b=2`, without `?`; `+` is a space). Throws `invalid_argument` if it is not percent-encoded
 * UTF-8, and for a parameter that occurs twice, which would be ambiguous; one of `lists` is joined with commas instead.
 */
export function parseQuery(raw: string, lists: readonly string[] = []): Query {
  if (raw === '') return EMPTY;
  const query = new Map<string, string>();
  for (const pair of raw.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? '' : decode(pair.slice(equals + 1));
    const earlier = query.get(name);
    if (earlier !== undefined && !lists.includes(name)) throw badParameter(name, 'is given more than once');
    query.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return query;
}

/** Returns the values of a parameter that may be repeated, and the query without it. */
export function takeRepeated(raw: string, name: string): { values: string[]; rest: string } {
  const isTaken = (pair: string) => pair === name || pair.startsWith(`${name}=`);
  const pairs = raw.split('&');
  const values = pairs.filter(isTaken).map((pair) => decode(pair.slice(name.length + 1)));
  return { values, rest: pairs.filter((pair) => !isTaken(pair)).join('&') };
}

/** Parses the query of a route that takes the parameters `allowed` only. Throws as `parseQuery` and `refuseOthers`. */
export function readQuery(raw: string, allowed: readonly string[] = [], lists: readonly string[] = []): Query {
  const query = parseQuery(raw, lists);
  if (query.size > 0) refuseOthers([...query.keys()].filter((name) => !allowed.includes(name)));
  return query;
}

/** Throws `invalid_argument` for the parameters `names`, if any. Worded as recorded ("unknown query argument"). */
export function refuseOthers(names: readonly string[]): void {
  if (names.length === 0) return;
  const message = `Unexpected arguments: ${names.join(', ')}`;
  throw new PassthruError('invalid_argument', message, {
    violations: names.map((field) => ({ field, description: 'is not a parameter of this request' })),
  });
}

/** Returns a boolean parameter, in the words that Ironic accepts; null when absent. Throws `invalid_argument`. */
export function booleanParameter(query: Query, name: string): boolean | null {
  const text = query.get(name);
  if (text === undefined) return null;
  const value = booleanWord(text);
  if (value !== undefined) return value;
  throw badParameter(name, 'must be a boolean: true or false');
}

/**
 * Returns the `limit` parameter, the number of entries in a page: at most `max`, `fallback` when absent.
 * Throws `invalid_argument`, in Ironic's words.
 */
export function limitParameter(query: Query, max: number, fallback = max): number {
  const text = query.get('limit');
  if (text === undefined) return fallback;
  if (!/^-?\d{1,15}$/.test(text)) throw badParameter('limit', 'must be an integer', 'Expected an integer for limit');
  if (Number(text) <= 0) throw badParameter('limit', 'must be positive', 'Limit must be positive');
  return Math.min(Number(text), max);
}

/** Returns a comma-separated list; null when absent. As in Ironic, spaces around an item and empty items have no meaning. */
export function listParameter(query: Query, name: string): string[] | null {
  const items = query
    .get(name)
    ?.split(',')
    .map((item) => item.trim());
  return items?.filter((item) => item !== '') ?? null;
}

/** Returns the fields to select, which may be in any case, as in Ironic; null when absent. */
export function fieldsParameter(query: Query): string[] | null {
  return listParameter(query, 'fields')?.map((field) => field.toLowerCase()) ?? null;
}

/** Returns an `invalid_argument` for the parameter `name`. */
export function badParameter(name: string, description: string, message?: string): PassthruError {
  return invalidArgument(name, description, message ?? `Parameter '${name}' ${description}`);
}

function decode(text: string): string {
  if (!ENCODED.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new PassthruError('invalid_argument', 'The query is not percent-encoded UTF-8');
  }
}
