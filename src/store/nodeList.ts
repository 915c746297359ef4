import type { ExpressionBuilder } from 'kysely';
import type { NodeQuery, NodeSortKey, StoredNode } from '../core/store.ts';
import type { Database } from './database.ts';
import { attributeDigest, type NodeRow, selectNodes, toBit, toNode } from './rows.ts';
import type { Tables } from './schema.ts';
import type { SecretsCipher } from './secretsCipher.ts';

type NodesQuery = ReturnType<typeof selectNodes>;

const SORT_COLUMNS = {
  id: 'id',
  uuid: 'uuid',
  name: 'name',
  driver: 'driver',
  createTime: 'create_time',
  updateTime: 'update_time',
  maintenance: 'maintenance',
  vendorInterface: 'vendor_interface',
} as const satisfies Record<NodeSortKey, keyof NodeRow>;

/** Sort keys that can be null. Databases differ in where nulls sort by default. */
const NULLABLE: readonly NodeSortKey[] = ['name', 'updateTime'];

/** Implements `Store.listNodes` in at most two queries. A filter for the attribute value null also matches where it is absent. */
export async function listNodes(
  database: Database,
  query: NodeQuery,
  cipher: SecretsCipher,
): Promise<StoredNode[] | null> {
  const db = database.kysely;
  let page = filter(selectNodes(db), query, database);
  if (query.marker !== null) {
    const column = SORT_COLUMNS[query.sortKey];
    const marker = await db
      .selectFrom('nodes')
      .select(['id', `${column} as value`])
      .where('uuid', '=', query.marker)
      .executeTakeFirst();
    if (marker === undefined) return null;
    page = after(page, query, marker.id, marker.value);
  }
  const rows = await sort(page, query).limit(query.limit).execute();
  return rows.map((row) => toNode(row, cipher));
}

function filter(nodes: NodesQuery, query: NodeQuery, database: Database): NodesQuery {
  let filtered = nodes;
  if (query.driver !== undefined) filtered = filtered.where('nodes.driver', '=', query.driver);
  if (query.maintenance !== undefined) filtered = filtered.where('nodes.maintenance', '=', toBit(query.maintenance));
  if (query.vendorInterface !== undefined) {
    filtered = filtered.where('nodes.vendor_interface', '=', query.vendorInterface);
  }
  const { descriptionContains, anyAttribute } = query;
  if (descriptionContains !== undefined) {
    filtered = filtered.where(({ ref }) => database.contains(ref('nodes.description'), descriptionContains));
  }
  for (const [name, value] of Object.entries(query.attributes ?? {})) {
    filtered = filtered.where((where) =>
      value === null
        ? where.not(hasAttribute(where, name))
        : where('nodes.uuid', 'in', nodesWith(where, [name], value)),
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
  value: string | number | boolean,
) {
  return where
    .selectFrom('node_attributes')
    .select('node_uuid')
    .where('node_attributes.name', 'in', names)
    .where('node_attributes.digest', '=', attributeDigest(value));
}

/** Tests node by node, so that a page that is filled early reads no further. */
function hasAttribute(where: ExpressionBuilder<Tables, 'nodes'>, name: string) {
  return where.exists(
    where
      .selectFrom('node_attributes')
      .select('node_attributes.name')
      .whereRef('node_attributes.node_uuid', '=', 'nodes.uuid')
      .where('node_attributes.name', '=', name),
  );
}

/** Restricts to the nodes after the marker, which has this `id` and this `value` in the sort column. */
function after(nodes: NodesQuery, query: NodeQuery, id: number, value: string | number | null): NodesQuery {
  const column = `nodes.${SORT_COLUMNS[query.sortKey]}` as const;
  const ascending = query.sortDirection === 'asc';
  const beyond = ascending ? '>' : '<';
  if (query.sortKey === 'id') return nodes.where('nodes.id', beyond, id);
  // PostgreSQL merge-joins the two tables here, and would read all earlier reservations too.
  const joined =
    query.sortKey === 'uuid' ? nodes.where('reservations.node_uuid', ascending ? '>=' : '<=', value as string) : nodes;
  return joined.where((where) => {
    const laterId = where('nodes.id', beyond, id);
    if (value === null) {
      const equal = where.and([where(column, 'is', null), laterId]);
      return ascending ? where.or([equal, where(column, 'is not', null)]) : equal;
    }
    const later = where.or([where(column, beyond, value), where.and([where(column, '=', value), laterId])]);
    // Implied by `later`; lets the scan start in the middle of an index.
    const bounded = where.and([where(column, ascending ? '>=' : '<=', value), later]);
    return ascending ? bounded : where.or([bounded, where(column, 'is', null)]);
  });
}

function sort(nodes: NodesQuery, query: NodeQuery): NodesQuery {
  const ascending = query.sortDirection === 'asc';
  const sorted =
    query.sortKey === 'id'
      ? nodes
      : nodes.orderBy(`nodes.${SORT_COLUMNS[query.sortKey]}`, (order) => {
          const ordered = ascending ? order.asc() : order.desc();
          // PostgreSQL uses an index only if the query states the index's order of nulls, even where there are none.
          if (!NULLABLE.includes(query.sortKey)) return ordered;
          return ascending ? ordered.nullsFirst() : ordered.nullsLast();
        });
  return sorted.orderBy('nodes.id', query.sortDirection);
}
