import { type ExpressionBuilder, type Kysely, type RawBuilder, sql } from 'kysely';
import { isStoreUnavailable, PassthruError } from '../core/errors.ts';
import type { NodeQuery, NodeSortKey, StoredNode } from '../core/store.ts';
import type { Database } from './database.ts';
import { attributeValue, fillValues } from './nodeAttributes.ts';
import { ShapedQuery } from './preparedQuery.ts';
import { attributeDigest, fits, type NodeRow, octets, selectNodes, toBit, toNode } from './rows.ts';
import type { Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

type NodesQuery = ReturnType<typeof selectNodes>;

const SORT_COLUMNS = {
  id: 'nodes.id',
  uuid: 'nodes.uuid',
  name: 'nodes.name',
  driver: 'nodes.driver',
  createTime: 'nodes.create_time',
  updateTime: 'nodes.update_time',
  maintenance: 'nodes.maintenance',
  maintenanceReason: 'nodes.maintenance_reason',
  description: 'nodes.description',
  lastError: 'nodes.last_error',
  holder: 'reservations.holder',
  vendorInterface: 'nodes.vendor_interface',
} as const;

/** What a list is sorted by. Every reference to it is to a column of the tables, or to a value of one in an attribute. */
function sortValue(key: NodeSortKey): RawBuilder<string | number | null> {
  const attribute = attributeName(key);
  if (attribute !== null) return attributeValue(attribute);
  return sql.ref(SORT_COLUMNS[key as keyof typeof SORT_COLUMNS]);
}

function attributeName(key: NodeSortKey): string | null {
  return key.startsWith(ATTRIBUTE_PREFIX) ? key.slice(ATTRIBUTE_PREFIX.length) : null;
}

const ATTRIBUTE_PREFIX = 'attributes.';

/** The columns whose texts may be long. */
export const LONG_COLUMNS = [
  ...['driver_info', 'extra', 'properties', 'attributes', 'description', 'maintenance_reason', 'last_error'],
].map((column) => `nodes.${column}`);

/** Sort keys that cannot be null. Databases differ in where nulls sort by default. */
const NEVER_NULL: readonly NodeSortKey[] = ['id', 'uuid', 'driver', 'createTime', 'maintenance', 'vendorInterface'];

/** The node that a page follows. */
interface Marker {
  id: number;
  /** In the sort column. */
  value: string | number | null;
}

/** The values that a list differs in without having another shape. */
type Values = Pick<NodeQuery, 'driver' | 'vendorInterface' | 'limit'> & {
  maintenance: number | undefined;
  within: number;
  measured: number;
  id: number | undefined;
  value: string | number | null | undefined;
};

/** The queries of lists that were compiled. */
export class CompiledLists {
  readonly parts = new ShapedQuery<Values, NodeRow>(['limit', 'measured', 'within']);
  readonly markers = new ShapedQuery<{ uuid: string }, Marker>();
}

/** Implements `Store.listNodes` in at most three queries. */
export async function listNodes(
  database: Database,
  query: NodeQuery,
  cipher: SecretsCipher,
  compiled: CompiledLists,
  onUnreadable: (error: PassthruError) => void,
): Promise<StoredNode[] | null> {
  const marker = await findMarker(database, query, cipher, compiled);
  if (marker === 'absent') return null;
  const rows =
    query.within === undefined
      ? await readParts(database, partsOf(selectNodes(database.kysely), database, query, marker), query.limit)
      : await readWithin(database, { ...query, within: query.within }, marker, compiled);
  return rows.map((row) => toListedNode(row, cipher, onUnreadable));
}

/** Reads the page if it takes at most `within` bytes; otherwise nothing. */
async function readWithin(
  database: Database,
  query: NodeQuery & { within: number },
  marker: Marker | null,
  compiled: CompiledLists,
): Promise<NodeRow[]> {
  const { driver, vendorInterface, limit, within } = query;
  const filters = { driver, vendorInterface, maintenance: toBit(query.maintenance) };
  const shape = shapeOf(query, marker);
  const db = database.kysely;
  const rows: NodeRow[] = [];
  const parts = marker === null ? 1 : countParts(query, marker);
  for (let part = 0; part < parts && rows.length < limit; part++) {
    const values = {
      ...filters,
      limit: limit - rows.length,
      measured: limit,
      within,
      id: marker?.id,
      value: marker?.value,
    };
    const build = (given: Values) => {
      const one = { ...query, driver: given.driver, vendorInterface: given.vendorInterface };
      const at = marker && ({ id: given.id, value: given.value } as Marker);
      const of = (nodes: NodesQuery) => partsOf(nodes, database, one, at, given.maintenance);
      const sizes = of(selectSizes(db, query)).slice(0, part + 1);
      const measured = sizes.map((each) => each.limit(given.measured));
      return of(selectNodes(db))[part]!.limit(given.limit).where(fits(measured, given.within));
    };
    const statement =
      shape === null
        ? build(values).compile()
        : compiled.parts.compile(`${part} ${shape}`, values, build, !isFiltered(query));
    const found = await database.run(statement);
    // None are left, or they were too long.
    if (found.length === 0) return [];
    rows.push(...found);
  }
  return rows;
}

/** Returns what decides the shape of the query beside its values; null when it has filters that are not compiled once. */
function shapeOf(query: NodeQuery, marker: Marker | null): string | null {
  const { descriptionContains, anyAttribute, attributes = {}, hasAttribute, sortKey, sortDirection } = query;
  const searched = Object.values(attributes).some((attribute) => attribute !== null);
  if (descriptionContains !== undefined || anyAttribute !== undefined || searched) return null;
  const { driver, vendorInterface, maintenance } = query;
  const given = [driver, vendorInterface, maintenance, marker?.id, marker?.value].map((value) => value != null);
  return JSON.stringify([sortKey, sortDirection, given, Object.keys(attributes), hasAttribute]);
}

/** Whether the best plan depends on how many nodes have what is searched for. */
function isFiltered({ driver, vendorInterface, maintenance, hasAttribute = {} }: NodeQuery): boolean {
  const equal = [driver, vendorInterface, maintenance].some((filter) => filter !== undefined);
  return equal || Object.keys(hasAttribute).length > 0;
}

/** Returns the node in `row`. One that cannot be decrypted is shown without secrets, so that the others are shown at all. */
function toListedNode(row: NodeRow, cipher: SecretsCipher, onUnreadable: (error: PassthruError) => void): StoredNode {
  try {
    return toNode(row, cipher);
  } catch (error) {
    if (!(error instanceof PassthruError)) throw error;
    if (isStoreUnavailable(error)) onUnreadable(error);
    return toNode({ ...row, driver_info: '{}', attributes: '{}', last_error: error.message }, cipher);
  }
}

/** Implements `Store.sizeNodes`. */
export async function sizeNodes(
  database: Database,
  query: NodeQuery,
  cipher: SecretsCipher,
  compiled: CompiledLists,
): Promise<number[] | null> {
  const marker = await findMarker(database, query, cipher, compiled);
  if (marker === 'absent') return null;
  const parts = partsOf(selectSizes(database.kysely, query), database, query, marker);
  const rows = (await readParts(database, parts, query.limit)) as unknown as { size: number }[];
  return rows.map(({ size }) => Number(size));
}

/** Selects the sizes of all nodes. Joins the reservations only to sort by them. */
function selectSizes(db: Kysely<Tables>, { sortKey }: NodeQuery): NodesQuery {
  const size = octets(LONG_COLUMNS).as('size');
  const joined = sortKey === 'uuid' || sortKey === 'holder';
  return joined
    ? (selectNodes(db).clearSelect().select(size) as unknown as NodesQuery)
    : (db.selectFrom('nodes').select(size) as unknown as NodesQuery);
}

/** Finds the query's marker; null when it has none. */
async function findMarker(
  database: Database,
  { sortKey, marker: uuid }: NodeQuery,
  cipher: SecretsCipher,
  { markers }: CompiledLists,
): Promise<Marker | null | 'absent'> {
  if (attributeName(sortKey) !== null) await fillValues(database, cipher);
  if (uuid === null) return null;
  const build = (blank: { uuid: string }) =>
    database.kysely
      .selectFrom('nodes')
      .innerJoin('reservations', 'reservations.node_uuid', 'nodes.uuid')
      .select(['nodes.id', sortValue(sortKey).as('value')])
      .where('nodes.uuid', '=', blank.uuid);
  const marker = markers.compile(sortKey, { uuid }, build, true);
  return (await database.run(marker))[0] ?? 'absent';
}

/** Turns a query for all nodes into the sorted queries for those of the page, in order. */
function partsOf(
  nodes: NodesQuery,
  database: Database,
  query: NodeQuery,
  marker: Marker | null,
  maintenance: number | undefined = toBit(query.maintenance),
): NodesQuery[] {
  const filtered = filter(nodes, query, database, maintenance);
  const parts = marker === null ? [filtered] : after(filtered, query, marker.id, marker.value);
  return parts.map((part) => sort(part, query));
}

/** Reads the rows of the parts, in order, until there are `limit`. */
async function readParts(database: Database, parts: readonly NodesQuery[], limit: number): Promise<NodeRow[]> {
  const rows: NodeRow[] = [];
  for (const part of parts) {
    if (rows.length < limit) rows.push(...(await database.run(part.limit(limit - rows.length).compile())));
  }
  return rows;
}

function filter(nodes: NodesQuery, query: NodeQuery, database: Database, maintenance: number | undefined): NodesQuery {
  const { driver, vendorInterface } = query;
  // The undefined ones are left out.
  const equal = { driver, vendor_interface: vendorInterface, maintenance };
  let filtered = nodes.where(({ and }) => and(equal));
  const { descriptionContains, anyAttribute } = query;
  if (descriptionContains !== undefined) {
    filtered = filtered.where(({ ref }) => database.contains(ref('nodes.description'), descriptionContains));
  }
  for (const [name, value] of Object.entries(query.attributes ?? {})) {
    filtered = filtered.where((where) =>
      value === null ? lacksAttribute(where, name) : where('nodes.uuid', 'in', nodesWith(where, [name], value)),
    );
  }
  for (const [name, present] of Object.entries(query.hasAttribute ?? {})) {
    filtered = filtered.where((where) => (present ? hasAttribute(where, name) : where.not(hasAttribute(where, name))));
  }
  if (anyAttribute !== undefined) {
    filtered = filtered.where((where) =>
      where('nodes.uuid', 'in', nodesWith(where, anyAttribute.names, anyAttribute.value)),
    );
  }
  return filtered;
}

function nodesWith(
  where: ExpressionBuilder<Tables, 'nodes'>,
  names: readonly string[],
  value: string | number | boolean | readonly string[],
) {
  const digests = (typeof value === 'object' ? value : [value]).map(attributeDigest);
  // No digest is empty; a list without values matches nothing.
  if (digests.length === 0) digests.push('');
  return where
    .selectFrom('node_attributes')
    .select('node_uuid')
    .where('node_attributes.name', 'in', names)
    .where('node_attributes.digest', 'in', digests);
}

/** Tests node by node, so that a page that fills early reads no further. */
function hasAttribute(where: ExpressionBuilder<Tables, 'nodes'>, name: string) {
  return where.exists(
    where
      .selectFrom('node_attributes')
      .select('node_attributes.name')
      .whereRef('node_attributes.node_uuid', '=', 'nodes.uuid')
      .where('node_attributes.name', '=', name),
  );
}

/** Lists look for nodes without a parent, and often no node has one: then none is tested, as is found out once. */
function lacksAttribute(where: ExpressionBuilder<Tables, 'nodes'>, name: string) {
  const anywhere = where
    .selectFrom('node_attributes')
    .select('node_attributes.name')
    .where('node_attributes.name', '=', name);
  return where.or([where.not(where.exists(anywhere)), where.not(hasAttribute(where, name))]);
}

/**
 * Returns, in order, the queries for the nodes after the marker, which has this `id` and this `value` in the sort column.
 * Nodes with and without a value are separate: one condition for both makes PostgreSQL read all that precedes the marker.
 */
function after(nodes: NodesQuery, query: NodeQuery, id: number, value: string | number | null): NodesQuery[] {
  const column = sortValue(query.sortKey);
  const ascending = query.sortDirection === 'asc';
  const beyond = ascending ? '>' : '<';
  if (query.sortKey === 'id') return [nodes.where('nodes.id', beyond, id)];
  if (value === null) {
    const nulls = nodes.where(column, 'is', null).where('nodes.id', beyond, id);
    return ascending ? [nulls, nodes.where(column, 'is not', null)] : [nulls];
  }
  // Implied by the next; lets the scan start in the middle of an index.
  let later = nodes.where(column, ascending ? '>=' : '<=', value);
  // PostgreSQL merge-joins the two tables here, and would read all earlier reservations too.
  if (query.sortKey === 'uuid') later = later.where('reservations.node_uuid', ascending ? '>=' : '<=', value as string);
  later = later.where((where) =>
    where.or([where(column, beyond, value), where.and([where(column, '=', value), where('nodes.id', beyond, id)])]),
  );
  return !ascending && !NEVER_NULL.includes(query.sortKey) ? [later, nodes.where(column, 'is', null)] : [later];
}

/** Returns the number of queries that `after` returns. */
function countParts({ sortKey, sortDirection }: NodeQuery, { value }: Marker): number {
  if (sortKey === 'id') return 1;
  const ascending = sortDirection === 'asc';
  return (value === null ? ascending : !ascending && !NEVER_NULL.includes(sortKey)) ? 2 : 1;
}

function sort(nodes: NodesQuery, query: NodeQuery): NodesQuery {
  const ascending = query.sortDirection === 'asc';
  const sorted =
    query.sortKey === 'id'
      ? nodes
      : nodes.orderBy(sortValue(query.sortKey), (order) => {
          const ordered = ascending ? order.asc() : order.desc();
          // PostgreSQL uses an index only if the query states the index's order of nulls, even where there are none.
          if (NEVER_NULL.includes(query.sortKey)) return ordered;
          return ascending ? ordered.nullsFirst() : ordered.nullsLast();
        });
  return sorted.orderBy('nodes.id', query.sortDirection);
}
