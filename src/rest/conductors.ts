import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import type { HostTimes } from '../core/store.ts';
import { PARAMETERS } from './apiTable.ts';
import { type Exchange, enter } from './context.ts';
import { baseUrl, nextLink, selfAndBookmark } from './links.ts';
import { badParameter, booleanParameter, fieldsParameter, limitParameter } from './query.ts';
import { pythonTime, sendJson } from './response.ts';
import { badSortKey, readParameters, sortDirection } from './versionGate.ts';

/** Maximum number of conductors in a page, as in Ironic (`[api]max_limit`). */
const MAX_LIMIT = 1000;

type Member = (site: { base: string; core: Core }, times: HostTimes) => unknown;

/** The fields of a conductor, in the order of Ironic's documents. */
const MEMBERS: ReadonlyMap<string, Member> = new Map<string, Member>([
  ['created_at', (_site, { createTime }) => pythonTime(createTime)],
  ['updated_at', (_site, { updateTime }) => pythonTime(updateTime)],
  ['hostname', (_site, { host }) => host],
  ['conductor_group', () => ''],
  ['drivers', ({ core }) => core.drivers.list().map(({ name }) => name)],
  ['links', ({ base }, { host }) => selfAndBookmark(base, `conductors/${encodeURIComponent(host)}`)],
  ['alive', () => true],
]);

/** What a list shows by default. Links are added to any selection. */
const SUMMARY_FIELDS = ['hostname', 'conductor_group', 'alive'];

/** The sort keys, with the value that a list is sorted by. Conductors do not differ in the others. */
const SORT_KEYS: ReadonlyMap<string, (times: HostTimes) => string | number> = new Map<
  string,
  (times: HostTimes) => string | number
>([
  ['id', ({ host }) => host],
  ['hostname', ({ host }) => host],
  ['created_at', ({ createTime }) => createTime.getTime()],
  ['updated_at', ({ updateTime }) => updateTime.getTime()],
  ['conductor_group', () => ''],
  ['online', () => ''],
]);

/** GET /v1/conductors: the processes that share this store. */
export async function listConductors(exchange: Exchange): Promise<void> {
  const query = readParameters(exchange, PARAMETERS.conductors);
  const given = checkFields(fieldsParameter(query));
  const detail = booleanParameter(query, 'detail') ?? false;
  if (detail && given !== null) {
    const message = 'Can not specify ?detail=True and fields in the same request.';
    throw badParameter('detail', "excludes 'fields'", message);
  }
  const fields = detail ? [...MEMBERS.keys()] : (given ?? SUMMARY_FIELDS);
  const limit = limitParameter(query, MAX_LIMIT);
  const key = query.get('sort_key') || 'id';
  const sortedValue = SORT_KEYS.get(key);
  if (sortedValue === undefined) throw badSortKey(key, SORT_KEYS.keys());
  const sign = sortDirection(query) === 'asc' ? 1 : -1;
  const core = enter(exchange);
  const all = (await core.processes()).sort((a, b) => sign * compare(sortedValue(a), sortedValue(b)));
  const marker = query.get('marker');
  const before = marker === undefined ? -1 : all.findIndex(({ host }) => host === marker);
  if (marker !== undefined && before < 0) throw notFound(marker);
  const items = all.slice(before + 1, before + 1 + limit);
  const page = { items, more: before + 1 + limit < all.length };
  const next = nextLink(exchange, '/v1/conductors', query, limit, page, ({ host }) => host);
  sendJson(exchange, 200, { conductors: items.map((times) => conductorDocument(exchange, core, times, fields)), next });
}

/** GET /v1/conductors/HOST */
export async function showConductor(exchange: Exchange): Promise<void> {
  const fields = checkFields(fieldsParameter(readParameters(exchange, PARAMETERS.conductor)));
  const { host = '' } = exchange.params;
  const core = enter(exchange);
  const found = (await core.processes()).find((times) => times.host === host);
  if (found === undefined) throw notFound(host);
  sendJson(exchange, 200, conductorDocument(exchange, core, found, fields ?? [...MEMBERS.keys()]));
}

function conductorDocument(exchange: Exchange, core: Core, times: HostTimes, fields: readonly string[]) {
  const site = { base: baseUrl(exchange), core };
  const shown = [...MEMBERS].filter(([key]) => key === 'links' || fields.includes(key));
  return Object.fromEntries(shown.map(([key, member]) => [key, member(site, times)]));
}

/** Returns `fields`. Throws `invalid_argument`, in Ironic's words, for an unknown one. */
function checkFields(fields: readonly string[] | null): readonly string[] | null {
  const unknown = (fields ?? []).filter((key) => !MEMBERS.has(key));
  if (unknown.length === 0) return fields;
  throw badParameter('fields', `${unknown[0]} is not a field`, `Field(s) "${unknown.join(', ')}" are not valid`);
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function notFound(host: string): PassthruError {
  return new PassthruError('node_not_found', `Conductor ${host} could not be found.`);
}
