import { isUuid } from '../../core/node.ts';
import type { NodeQuery, NodeSortKey } from '../../core/store.ts';
import { type Exchange, enter } from '../context.ts';
import { nextLink } from '../links.ts';
import { badParameter, booleanParameter, limitParameter, listParameter, type Query, readQuery } from '../query.ts';
import { sendJson } from '../response.ts';
import { checkNodeFields, nodeRenderer, PROVISION_STATE, SUMMARY_FIELDS } from './nodeDocument.ts';
import { NODE_FIELDS } from './nodeFields.ts';

/** Maximum number of nodes in a page, as in Ironic (`[api]max_limit`). */
const MAX_LIMIT = 1000;

/** Sort keys by their name in REST, and the store's name of each. */
export const SORT_KEYS: Readonly<Record<string, NodeSortKey>> = {
  id: 'id',
  uuid: 'uuid',
  name: 'name',
  driver: 'driver',
  created_at: 'createTime',
  updated_at: 'updateTime',
  maintenance: 'maintenance',
  vendor_interface: 'vendorInterface',
};

/** Filters that compare one attribute. */
const ATTRIBUTE_FILTERS = [
  'chassis_uuid',
  'conductor_group',
  'instance_uuid',
  'lessee',
  'owner',
  'resource_class',
  'retired',
  'shard',
];

/** Query parameters that filter nodes. */
export const FILTERS = [
  'driver',
  'maintenance',
  ...ATTRIBUTE_FILTERS,
  'associated',
  'conductor',
  'description_contains',
  'fault',
  'project',
  'provision_state',
];
/** Query parameters of paging. */
export const PAGING = ['limit', 'marker', 'sort_key', 'sort_dir'];

const DETAIL_PARAMETERS = [...FILTERS, ...PAGING];
const LIST_PARAMETERS = [...DETAIL_PARAMETERS, 'fields', 'detail'];

/** GET /v1/nodes */
export async function listNodes(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, LIST_PARAMETERS);
  const fields = checkNodeFields(listParameter(query, 'fields'));
  const detail = booleanParameter(query, 'detail') ?? false;
  if (detail && fields !== null) {
    throw badParameter('detail', "excludes 'fields'", "Can't fetch a subset of fields with 'detail' set");
  }
  await sendList(exchange, query, '/v1/nodes', detail ? null : (fields ?? SUMMARY_FIELDS));
}

/** GET /v1/nodes/detail */
export async function listNodesInDetail(exchange: Exchange): Promise<void> {
  await sendList(exchange, readQuery(exchange.rawQuery, DETAIL_PARAMETERS), '/v1/nodes/detail', null);
}

async function sendList(exchange: Exchange, query: Query, path: string, fields: readonly string[] | null) {
  const limit = limitParameter(query, MAX_LIMIT);
  const nodeQuery = { ...readNodeQuery(query), limit };
  const core = enter(exchange);
  const page = matchesNone(query, core.host) ? { items: [], more: false } : await core.nodes.list(nodeQuery);
  const next = nextLink(exchange, path, query, limit, page, (node) => node.uuid);
  sendJson(exchange, 200, { nodes: page.items.map(nodeRenderer(exchange, core, fields)), next });
}

/** Whether a filter on a field with the same value for every node excludes all of them. */
function matchesNone(query: Query, host: string): boolean {
  const { conductor = host, provision_state = PROVISION_STATE } = Object.fromEntries(query);
  // No node here has a fault.
  return query.has('fault') || conductor !== host || provision_state !== PROVISION_STATE;
}

function readNodeQuery(query: Query): Omit<NodeQuery, 'limit'> {
  const marker = query.get('marker') ?? null;
  if (marker !== null && !isUuid(marker)) {
    throw badParameter('marker', 'must be the UUID of a node', `Expected UUID for marker: ${marker}`);
  }
  const key = query.get('sort_key') ?? 'id';
  const sortKey = Object.hasOwn(SORT_KEYS, key) ? SORT_KEYS[key] : undefined;
  if (sortKey === undefined) {
    // Worded as recorded ("list bad sort key").
    const message = `The sort_key value "${key}" is an invalid field for sorting`;
    throw badParameter('sort_key', `must be one of ${Object.keys(SORT_KEYS).join(', ')}`, message);
  }
  const sortDirection = query.get('sort_dir') ?? 'asc';
  if (sortDirection !== 'asc' && sortDirection !== 'desc') {
    const message = `Invalid sort direction: ${sortDirection}. Acceptable values are 'asc' or 'desc'`;
    throw badParameter('sort_dir', "must be 'asc' or 'desc'", message);
  }
  const associated = booleanParameter(query, 'associated');
  const project = query.get('project');
  return {
    marker,
    sortKey,
    sortDirection,
    driver: query.get('driver'),
    maintenance: booleanParameter(query, 'maintenance') ?? undefined,
    // Nodes without a description match the empty text too.
    descriptionContains: query.get('description_contains') || undefined,
    attributes: readAttributes(query),
    hasAttribute: associated === null ? undefined : { instance_uuid: associated },
    anyAttribute: project === undefined ? undefined : { names: ['owner', 'lessee'], value: project },
  };
}

function readAttributes(query: Query): NonNullable<NodeQuery['attributes']> {
  const attributes: NonNullable<NodeQuery['attributes']> = {};
  for (const name of ATTRIBUTE_FILTERS) {
    if (!query.has(name)) continue;
    const field = NODE_FIELDS.get(name);
    const value = field?.kind === 'boolean' ? booleanParameter(query, name) : query.get(name);
    // Defaults are not stored; null matches nodes without the attribute.
    attributes[name] = value === field?.default ? null : (value ?? null);
  }
  return attributes;
}
