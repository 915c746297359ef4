import { RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import { toPassthruError } from '../core/errors.ts';
import { COLLECTIONS } from './apiTable.ts';
import { MAX_VERSION, MIN_VERSION } from './apiVersion.ts';
import { type Exchange, enter } from './context.ts';
import { sendHttpError } from './fault.ts';
import { baseUrl, selfAndBookmark } from './links.ts';
import { readQuery } from './query.ts';
import { sendBody, sendJson } from './response.ts';

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
    ...Object.fromEntries(
      [...COLLECTIONS].filter(([, from]) => exchange.minor >= from).map(([name]) => collection(name)),
    ),
  });
}

/** GET /healthz: 200 while the service accepts calls, else 503 with the reason. */
export async function showHealth(exchange: Exchange): Promise<void> {
  try {
    await exchange.guardedCore.checkReady();
  } catch (thrown) {
    const { message } = toPassthruError(thrown);
    const retry = ['Retry-After', String(RETRY_AFTER_SECONDS)];
    sendJson(exchange, 503, { status: 'unavailable', reason: message }, retry);
    return;
  }
  sendJson(exchange, 200, { status: 'ok' });
}

/** GET /metrics: for Prometheus, unless the metrics have a listener of their own. */
export async function showMetrics(exchange: Exchange): Promise<void> {
  enter(exchange);
  readQuery(exchange.rawQuery);
  const { metrics } = exchange;
  if (metrics === null) sendHttpError(exchange, 404, 'Not Found', '');
  else sendBody(exchange, 200, metrics.mediaType, await metrics.render());
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
