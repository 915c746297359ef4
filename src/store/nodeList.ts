import type { Kysely } from 'kysely';
import type { NodeQuery, NodeSortKey, StoredNode } from '../core/store.ts';
import { selectNodes } from './nodes.ts';
import { attributeDigest, type NodeRow, toBit, toNode } from './rows.ts';
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

/** Those that can be null; databases differ in where nulls come by themselves. */
const NULLABLE: readonly NodeSortKey[] = ['name', 'updateTime'];

/** As `Store.listNodes`. An attribute that is asked to be null matches where it is absent too. */
export async function listNodes(
  db: Kysely<Tables>,
  query: NodeQuery,
  cipher: SecretsCipher,
): Promise<StoredNode[] | null> {
  let page = filter(selectNodes(db), query);
  if (query.marker !== null) {
    const marker = await db.selectFrom('nodes').selectAll().where('uuid', '=', query.marker).executeTakeFirst();
    if (marker === undefined) return null;
    page = after(page, query, marker.id, marker[SORT_COLUMNS[query.sortKey]]);
  }
  const rows = await sort(page, query).limit(query.limit).execute();
  return rows.map((row) => toNode(row, cipher));
}

function filter(nodes: NodesQuery, query: NodeQuery): NodesQuery {
  let filtered = nodes;
  if (query.driver !== undefined) filtered = filtered.where('nodes.driver', '=', query.driver);
  if (query.maintenance !== undefined) filtered = filtered.where('nodes.maintenance', '=', toBit(query.maintenance));
  if (query.vendorInterface !== undefined) {
    filtered = filtered.where('nodes.vendor_interface', '=', query.vendorInterface);
  }
  if (query.reserved !== undefined) {
    filtered = filtered.where('reservations.kind', query.reserved ? 'is not' : 'is', null);
  }
  for (const [name, value] of Object.entries(query.attributes ?? {})) {
    filtered = filtered.where((where) => {
      const named = where.selectFrom('node_attributes').select('node_uuid').where('node_attributes.name', '=', name);
      return value === null
        ? where('nodes.uuid', 'not in', named)
        : where('nodes.uuid', 'in', named.where('node_attributes.digest', '=', attributeDigest(value)));
    });
  }
  return filtered;
}

/** Only the nodes that come after the marker, which has this `id` and this `value` in the column sorted by. */
function after(nodes: NodesQuery, query: NodeQuery, id: number, value: string | number | null): NodesQuery {
  const column = `nodes.${SORT_COLUMNS[query.sortKey]}` as const;
  const ascending = query.sortDirection === 'asc';
  const beyond = ascending ? '>' : '<';
  if (query.sortKey === 'id') return nodes.where('nodes.id', beyond, id);
  // PostgreSQL reads the two tables side by side then, and would read all reservations before this one too.
  const joined =
    query.sortKey === 'uuid' ? nodes.where('reservations.node_uuid', ascending ? '>=' : '<=', value as string) : nodes;
  return joined.where((where) => {
    const laterId = where('nodes.id', beyond, id);
    if (value === null) {
      const equal = where.and([where(column, 'is', null), laterId]);
      return ascending ? where.or([equal, where(column, 'is not', null)]) : equal;
    }
    const later = where.or([where(column, beyond, value), where.and([where(column, '=', value), laterId])]);
    // Follows from `later`, and is what lets the page begin in the middle of an index.
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
          // PostgreSQL takes an index only where it is told to keep nulls as the order does, even if there are none.
          if (!NULLABLE.includes(query.sortKey)) return ordered;
          return ascending ? ordered.nullsFirst() : ordered.nullsLast();
        });
  return sorted.orderBy('nodes.id', query.sortDirection);
}
