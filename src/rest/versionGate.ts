import { invalidArgument, PassthruError } from '../core/errors.ts';
import { isUuid } from '../core/node.ts';
import type { Parameter } from './apiTable.ts';
import type { Exchange } from './context.ts';
import { badParameter, type Query, readQuery } from './query.ts';

type Parameters = Readonly<Record<string, Parameter>>;

const listNames = new WeakMap<Parameters, readonly string[]>();

/**
 * Parses the query of a route whose parameters are those of `table`. Throws `invalid_argument` for an unknown parameter or a
 * value of another kind, `version_not_acceptable` for a parameter that the request's version lacks.
 */
export function readParameters({ rawQuery, minor }: Exchange, table: Parameters): Query {
  if (rawQuery === '') return readQuery('');
  let lists = listNames.get(table);
  if (lists === undefined) {
    lists = Object.keys(table).filter((name) => table[name]?.kind === 'list');
    listNames.set(table, lists);
  }
  const query = readQuery(rawQuery, Object.keys(table), lists);
  for (const [name, value] of query) {
    const parameter = table[name];
    if (parameter !== undefined) checkParameter(minor, name, value, parameter);
  }
  return query;
}

function checkParameter(
  minor: number,
  name: string,
  value: string,
  { from, kind, values, invalid, early }: Parameter,
): void {
  if (minor < from) {
    if (early !== 400) throw notYet(name, from, `the parameter '${name}'`);
    throw badParameter(name, `exists since version 1.${from}`, `Invalid query parameter ?${name}=${value} received.`);
  }
  if (kind === 'uuid' && !isUuid(value)) {
    throw badParameter(name, 'must be a UUID', `Expected UUID for ${name}: ${value}`);
  }
  if (kind === 'enum' && !values?.includes(value)) {
    throw badParameter(name, `must be one of ${values?.join(', ')}`, invalid?.(value));
  }
}

/** Throws `version_not_acceptable` if the request's version does not have the field `name` yet. */
export function checkVersion({ minor }: Pick<Exchange, 'minor'>, name: string, from: number): void {
  if (minor < from) throw notYet(name, from, `the field '${name}'`);
}

/** Returns a `version_not_acceptable` for `what`, which exists from a later version on. */
export function notYet(name: string, from: number, what: string): PassthruError {
  // Begins as Ironic words it, which does not say what is too new.
  const message = `Request not acceptable. The minimal required API version should be 1.${from} for ${what}`;
  return new PassthruError('version_not_acceptable', message, {
    violations: [{ field: name, description: `exists since version 1.${from}` }],
  });
}

/** Returns an `invalid_argument` for a sort key, worded as recorded ("list bad sort key"). */
export function badSortKey(key: string, allowed: Iterable<string>): PassthruError {
  const message = `The sort_key value "${key}" is an invalid field for sorting`;
  return invalidArgument('sort_key', `must be one of ${[...allowed].join(', ')}`, message);
}

/** Returns the direction of a list's order. Throws `invalid_argument` in Ironic's words. */
export function sortDirection(query: Query): 'asc' | 'desc' {
  const direction = query.get('sort_dir') ?? 'asc';
  if (direction === 'asc' || direction === 'desc') return direction;
  const message = `Invalid sort direction: ${direction}. Acceptable values are 'asc' or 'desc'`;
  throw badParameter('sort_dir', "must be 'asc' or 'desc'", message);
}
