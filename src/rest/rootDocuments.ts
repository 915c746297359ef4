import { MAX_VERSION, MIN_VERSION } from './apiVersion.ts';
import type { Exchange } from './context.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { readQuery } from './query.ts';
import { sendJson } from './response.ts';

/**
 * What Ironic's `/v1` names, in its order, and since which version. Not all of it is served; clients read this
 * document for what they use.
 */
const COLLECTIONS: readonly [name: string, minor: number][] = [
  ['portgroups', 23],
  ['volume', 32],
  ['lookup', 22],
  ['heartbeat', 22],
  ['conductors', 49],
  ['allocations', 52],
  ['events', 54],
  ['deploy_templates', 55],
];

/** GET / */
export function showRoot(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  const version = versionDocument(baseUrl(exchange));
  sendJson(exchange, 200, {
    name: 'OpenStack Ironic API',
    description: 'Vendor passthru for bare-metal nodes, as OpenStack Ironic serves it.',
    default_version: version,
    versions: [version],
  });
}

/** GET /v1 */
export function showV1(exchange: Exchange): void {
  readQuery(exchange.rawQuery);
  const base = baseUrl(exchange);
  const collection = (name: string) => [name, selfAndBookmark(base, `${name}/`)] as const;
  sendJson(exchange, 200, {
    id: 'v1',
    links: [
      { href: `${base}/v1/`, rel: 'self' },
      { href: 'https://docs.openstack.org/api-ref/baremetal/', rel: 'describedby', type: 'text/html' },
    ],
    media_types: { base: 'application/json', type: 'application/vnd.openstack.ironic.v1+json' },
    ...Object.fromEntries(['chassis', 'nodes', 'ports', 'drivers'].map(collection)),
    version: versionDocument(base),
    ...Object.fromEntries(COLLECTIONS.filter(([, minor]) => exchange.minor >= minor).map(([name]) => collection(name))),
  });
}

function versionDocument(base: string) {
  return {
    id: 'v1',
    links: [{ href: `${base}/v1/`, rel: 'self' }],
    status: 'CURRENT',
    min_version: MIN_VERSION,
    version: MAX_VERSION,
  };
}
