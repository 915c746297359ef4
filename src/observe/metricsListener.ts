import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Refusal } from '../auth/access.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { openScope, requestScope } from '../edge/requestScope.ts';
import { isLocalAuthority, isLoopback } from '../net/listenAddress.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsListener {
  /** For example `http://127.0.0.1:9385/metrics`. */
  url: string;
  /** Resolves once every connection is closed. */
  close(): Promise<void>;
}

/** Scrapers are few, and this listener has none of the limits of the service's own. */
const MAX_CONNECTIONS = 50;

/** Milliseconds for a request to arrive. */
const REQUEST_TIMEOUT = 10_000;

const FOREIGN_HOST = new PassthruError(
  'permission_denied',
  'At a loopback address, metrics are served only under the Host names localhost, 127.0.0.1 and [::1]',
);

/**
 * Serves `GET /metrics`, and nothing else, at an address of its own and without credentials. At a loopback address only
 * local programs are meant to read it, so a Host name that was made to point there (DNS rebinding) is refused; see
 * `isLocalAuthority`.
 * @param host an IPv6 address without brackets
 * @param refused called for each refused request
 * @throws kind `failed_precondition` when the address cannot be bound
 */
export async function startMetricsListener(
  { host, port }: { host: string; port: number },
  metrics: Pick<Metrics, 'mediaType' | 'render'>,
  refused: (refusal: Refusal) => void,
  log: Logger,
): Promise<MetricsListener> {
  const timeouts = { headersTimeout: REQUEST_TIMEOUT, requestTimeout: REQUEST_TIMEOUT };
  const isForeign = ({ headers }: IncomingMessage) => isLoopback(host) && !isLocalAuthority(headers.host);
  const server = createServer(timeouts, async (request, response) => {
    if (isForeign(request)) {
      const refusal: Refusal = { action: 'read the metrics', caller: null, subject: null, error: FOREIGN_HOST };
      requestScope.run(openScope(request, 'rest'), refused, refusal);
      response.writeHead(403, { 'Content-Type': 'text/plain' }).end(`${FOREIGN_HOST.message}\n`);
    } else if (request.url?.split('?', 1)[0] !== '/metrics') response.writeHead(404).end();
    else if (request.method !== 'GET') response.writeHead(405, { Allow: 'GET' }).end();
    else {
      try {
        const text = await metrics.render();
        response.writeHead(200, { 'Content-Type': metrics.mediaType }).end(text);
      } catch (error) {
        log.error({ err: error }, 'reading the metrics failed');
        response.writeHead(500).end();
      }
    }
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new PassthruError('failed_precondition', `metrics.listen: cannot listen on ${host}, port ${port}: ${code}`, {
      cause: error,
    });
  }
  const address = host.includes(':') ? `[${host}]` : host;
  return {
    url: `http://${address}:${(server.address() as AddressInfo).port}/metrics`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
