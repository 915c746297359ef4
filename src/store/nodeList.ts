import { type ExpressionBuilder, type RawBuilder, sql } from 'kysely';
import { isStoreUnavailable, PassthruError } from '../core/errors.ts';
import type { NodeQuery, NodeSortKey, StoredNode } from '../core/store.ts';
import type { Database } from './database.ts';
import { attributeValue, fillValues } from './nodeAttributes.ts';
import { attributeDigest, type NodeRow, octets, selectNodes, toBit, toNode } from './rows.ts';
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

/** Implements `Store.listNodes` in at most three queries. */
export async function listNodes(
  database: Database,
  query: NodeQuery,
  cipher: SecretsCipher,
  onUnreadable: (error: PassthruError) => void,
): Promise<StoredNode[] | null> {
  const rows = await readParts(database, query, cipher, (part) => part.execute());
  return rows?.map((row) => toListedNode(row, cipher, onUnreadable)) ?? null;
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
export async function sizeNodes(database: Database, query: NodeQuery, cipher: SecretsCipher): Promise<number[] | null> {
  const size = octets(LONG_COLUMNS).as('size');
  const rows = await readParts(database, query, cipher, (part) => part.clearSelect().select(size).execute());
  return rows?.map((row) => Number(row.size)) ?? null;
}

/** Reads the rows of the query's parts, in order, until its limit is reached. Returns null when the marker does not exist. */
async function readParts<R>(
  database: Database,
  query: NodeQuery,
  cipher: SecretsCipher,
  read: (part: NodesQuery) => Promise<R[]>,
): Promise<R[] | null> {
  const db = database.kysely;
  if (attributeName(query.sortKey) !== null) await fillValues(database, cipher);
  const nodes = filter(selectNodes(db), query, database);
  let parts = [nodes];
  if (query.marker !== null) {
    const marker = await db
      .selectFrom('nodes')
      .innerJoin('reservations', 'reservations.node_uuid', 'nodes.uuid')
      .select(['nodes.id', sortValue(query.sortKey).as('value')])
      .where('nodes.uuid', '=', query.marker)
      .executeTakeFirst();
    if (marker === undefined) return null;
    parts = after(nodes, query, marker.id, marker.value);
  }
  const rows: R[] = [];
  for (const part of parts) {
    if (rows.length === query.limit) break;
    rows.push(...(await read(sort(part, query).limit(query.limit - rows.length))));
  }
  return rows;
}

function filter(nodes: NodesQuery, query: NodeQuery, database: Database): NodesQuery {
  const { driver, vendorInterface, maintenance } = query;
  // The undefined ones are left out.
  const equal = { driver, vendor_interface: vendorInterface, maintenance: toBit(maintenance) };
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
