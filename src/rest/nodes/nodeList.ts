import type { Nodes } from '../../core/core.ts';
import { isUuid, type Node } from '../../core/node.ts';
import type { NodeQuery, NodeSortKey } from '../../core/store.ts';
import { type Exchange, enter } from '../context.ts';
import { nextPage } from '../links.ts';
import { badParameter, booleanParameter, limitParameter, listParameter, type Query, readQuery } from '../query.ts';
import { sendJson } from '../response.ts';
import { checkNodeFields, nodeDocument, SUMMARY_FIELDS } from './nodeDocument.ts';
import { NODE_FIELDS } from './nodeFields.ts';
import { documentSite } from './nodes.ts';

/** The most nodes of a page, as in Ironic (`[api]max_limit`). */
const MAX_LIMIT = 1000;

/** What a list can be sorted by, and what the store calls it. */
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

/** Filters that compare an attribute, which the store does. */
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

/** Filters that the store has not; each looks at one node. */
const NODE_FILTERS: Readonly<Record<string, (query: Query, node: Node, host: string) => boolean>> = {
  associated: (query, { attributes }) =>
    (attributes.instance_uuid !== undefined) === booleanParameter(query, 'associated'),
  conductor: (query, _node, host) => query.get('conductor') === host,
  description_contains: (query, { description }) =>
    (description ?? '').toLowerCase().includes((query.get('description_contains') ?? '').toLowerCase()),
  // No node here has a fault, and none leaves the state that it was enrolled in.
  fault: () => false,
  project: (query, { attributes: { owner, lessee } }) => [owner, lessee].includes(query.get('project') as string),
  provision_state: (query) => query.get('provision_state') === 'enroll',
};

/** The parameters that choose among nodes. */
export const FILTERS = ['driver', 'maintenance', ...ATTRIBUTE_FILTERS, ...Object.keys(NODE_FILTERS)];
/** The parameters of pages. */
export const PAGING = ['limit', 'marker', 'sort_key', 'sort_dir'];

/** GET /v1/nodes */
export async function listNodes(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, ...FILTERS, ...PAGING, 'fields', 'detail');
  const fields = checkNodeFields(listParameter(query, 'fields'));
  const detail = booleanParameter(query, 'detail') ?? false;
  if (detail && fields !== null) {
    throw badParameter('detail', "excludes 'fields'", "Can't fetch a subset of fields with 'detail' set");
  }
  await answerList(exchange, query, '/v1/nodes', detail ? null : (fields ?? SUMMARY_FIELDS));
}

/** GET /v1/nodes/detail */
export async function listNodesInDetail(exchange: Exchange): Promise<void> {
  await answerList(exchange, readQuery(exchange.rawQuery, ...FILTERS, ...PAGING), '/v1/nodes/detail', null);
}

async function answerList(exchange: Exchange, query: Query, path: string, fields: readonly string[] | null) {
  const limit = limitParameter(query, MAX_LIMIT);
  // One more than is shown tells whether there is a next page.
  const wanted = { ...readNodeQuery(query), limit: limit + 1 };
  const accept = nodeFilter(query);
  const core = enter(exchange);
  const found = await collect(core.nodes, wanted, accept && ((node) => accept(node, core.host)));
  const shown = found.slice(0, limit);
  const site = documentSite(exchange, core);
  const document: { nodes: unknown[]; next?: string } = {
    nodes: shown.map((node) => nodeDocument(node, site, fields)),
  };
  const last = shown.at(-1);
  if (last !== undefined && found.length > limit) {
    const parameters = [...query].filter(([name]) => name !== 'limit' && name !== 'marker');
    document.next = nextPage(site.base, path, [...parameters, ['limit', String(limit)], ['marker', last.uuid]]);
  }
  sendJson(exchange, 200, document);
}

/** Reads page after page until there are enough nodes that `accept` lets through. */
async function collect(nodes: Nodes, query: NodeQuery, accept: ((node: Node) => boolean) | null): Promise<Node[]> {
  if (accept === null) return nodes.list(query);
  const found: Node[] = [];
  let { marker } = query;
  for (;;) {
    const page = await nodes.list({ ...query, marker });
    found.push(...page.filter(accept));
    if (page.length < query.limit || found.length >= query.limit) return found;
    marker = (page.at(-1) as Node).uuid;
  }
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
  const attributes: NonNullable<NodeQuery['attributes']> = {};
  for (const name of ATTRIBUTE_FILTERS) {
    if (!query.has(name)) continue;
    const value = NODE_FIELDS.get(name)?.kind === 'boolean' ? booleanParameter(query, name) : query.get(name);
    // What equals the default is not kept; the store takes null for absent.
    attributes[name] = value === NODE_FIELDS.get(name)?.default ? null : (value ?? null);
  }
  return {
    marker,
    sortKey,
    sortDirection,
    driver: query.get('driver'),
    maintenance: booleanParameter(query, 'maintenance') ?? undefined,
    attributes,
  };
}

/** Null when the query asks for none of NODE_FILTERS. */
function nodeFilter(query: Query): ((node: Node, host: string) => boolean) | null {
  const tests = Object.entries(NODE_FILTERS).filter(([name]) => query.has(name));
  booleanParameter(query, 'associated');
  return tests.length === 0 ? null : (node, host) => tests.every(([, test]) => test(query, node, host));
}
