import type { Core } from '../../core/core.ts';
import type { NodeQuery, NodeSortKey } from '../../core/store.ts';
import { NODE_FIELDS, PARAMETERS } from '../apiTable.ts';
import { type Exchange, enter } from '../context.ts';
import { nextLink } from '../links.ts';
import {
  badParameter,
  booleanParameter,
  fieldsParameter,
  limitParameter,
  listParameter,
  type Query,
} from '../query.ts';
import { sendJson } from '../response.ts';
import { badSortKey, checkVersion, readParameters, sortDirection } from '../versionGate.ts';
import { checkNodeFields, nodeRenderer, SUMMARY_FIELDS } from './nodeDocument.ts';
import { WRITABLE } from './nodeFields.ts';
import { provisionStateFilter } from './nodeRules.ts';

/** Maximum number of nodes in a page, as in Ironic (`[api]max_limit`). */
const MAX_LIMIT = 1000;

/** Sort keys by their name in REST, and the store's name of each. */
export const SORT_KEYS: ReadonlyMap<string, NodeSortKey> = new Map([
  ['id', 'id'],
  ...[...NODE_FIELDS].flatMap(([key, { sort }]): [string, NodeSortKey][] => (sort === undefined ? [] : [[key, sort]])),
]);

/** Filters that compare one attribute. */
const ATTRIBUTE_FILTERS = [
  'chassis_uuid',
  'conductor_group',
  'instance_name',
  'instance_uuid',
  'lessee',
  'owner',
  'resource_class',
  'retired',
];

/** GET /v1/nodes */
export async function listNodes(exchange: Exchange): Promise<void> {
  const query = readParameters(exchange, PARAMETERS.nodes);
  const fields = checkNodeFields(exchange, fieldsParameter(query));
  const detail = booleanParameter(query, 'detail') ?? false;
  if (detail && fields !== null) {
    throw badParameter('detail', "excludes 'fields'", "Can't fetch a subset of fields with 'detail' set");
  }
  await sendList(exchange, query, '/v1/nodes', detail ? null : (fields ?? SUMMARY_FIELDS));
}

/** GET /v1/nodes/detail */
export async function listNodesInDetail(exchange: Exchange): Promise<void> {
  await sendList(exchange, readParameters(exchange, PARAMETERS.nodesInDetail), '/v1/nodes/detail', null);
}

async function sendList(exchange: Exchange, query: Query, path: string, fields: readonly string[] | null) {
  const limit = limitParameter(query, MAX_LIMIT);
  const nodeQuery = readNodeQuery(exchange, query);
  const core = enter(exchange);
  const parent = await parentFilter(core, query);
  // Every node has the same conductor. As in Ironic, an empty one is no filter.
  const isElsewhere = (query.get('conductor') || core.host) !== core.host;
  const page =
    nodeQuery === null || isElsewhere
      ? { items: [], more: false }
      : await core.nodes.list({ ...nodeQuery, attributes: { ...nodeQuery.attributes, ...parent }, limit });
  const next = nextLink(exchange, path, query, limit, page, (node) => node.uuid);
  sendJson(exchange, 200, { nodes: page.items.map(nodeRenderer(exchange, core, fields)), next });
}

/** Returns the filter by the parent; as in Ironic, nodes with one are hidden unless the request wants them. */
async function parentFilter(core: Core, query: Query): Promise<NonNullable<NodeQuery['attributes']>> {
  if (booleanParameter(query, 'include_children')) return {};
  const parent = query.get('parent_node');
  if (parent === undefined) return { parent_node: null };
  // The name of a node finds its children too; Ironic takes only the UUID.
  const found = await core.nodes.get(parent).catch(() => null);
  return { parent_node: found?.uuid ?? parent };
}

/** Returns the selection of nodes; null if a filter on a field that is the same in every node excludes all of them. */
function readNodeQuery(exchange: Exchange, query: Query): Omit<NodeQuery, 'limit'> | null {
  const key = query.get('sort_key') || 'id';
  const sortKey = SORT_KEYS.get(key);
  checkVersion(exchange, key, NODE_FIELDS.get(key)?.from ?? 1);
  if (sortKey === undefined) throw badSortKey(key, SORT_KEYS.keys());
  const direction = sortDirection(query);
  const associated = booleanParameter(query, 'associated');
  const sharded = booleanParameter(query, 'sharded');
  const project = query.get('project');
  const state = query.get('provision_state');
  const ofState = state === undefined ? {} : provisionStateFilter(state);
  const maintenance = booleanParameter(query, 'maintenance') ?? undefined;
  const attributes = readAttributes(query);
  // No node here has a fault.
  if (query.has('fault') || ofState === null) return null;
  return {
    marker: query.get('marker') ?? null,
    sortKey,
    sortDirection: direction,
    driver: query.get('driver'),
    maintenance,
    // Nodes without a description match the empty text too.
    descriptionContains: query.get('description_contains') || undefined,
    attributes: { ...attributes, ...ofState },
    hasAttribute: {
      ...(associated === null ? {} : { instance_uuid: associated }),
      ...(sharded === null ? {} : { shard: sharded }),
    },
    anyAttribute: project === undefined ? undefined : { names: ['owner', 'lessee'], value: project },
  };
}

function readAttributes(query: Query): NonNullable<NodeQuery['attributes']> {
  const attributes: NonNullable<NodeQuery['attributes']> = {};
  for (const name of ATTRIBUTE_FILTERS) {
    if (!query.has(name)) continue;
    const field = WRITABLE.get(name);
    const value = field?.kind === 'boolean' ? booleanParameter(query, name) : query.get(name);
    // Defaults are not stored; null matches nodes without the attribute.
    attributes[name] = value === field?.default ? null : (value ?? null);
  }
  const group = attributes.conductor_group;
  if (typeof group === 'string') attributes.conductor_group = group.toLowerCase();
  const shards = listParameter(query, 'shard');
  if (shards !== null) attributes.shard = shards;
  return attributes;
}
