import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What answers as an Ironic that has certain nodes. */
export interface StandInIronic {
  url: string;
  /** What it was asked, the oldest first. */
  asked: IncomingMessage[];
  close(): Promise<unknown>;
}

/**
 * Starts an Ironic that lists `nodes`, in pages, and does nothing else.
 * @param options `page`: the most nodes of a page, whatever it is asked for; `failsAt`: from which request on it answers 500
 */
export async function startIronic(
  nodes: readonly Record<string, unknown>[],
  { page: most = 5, failsAt = Number.POSITIVE_INFINITY }: { page?: number; failsAt?: number } = {},
): Promise<StandInIronic> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    const url = new URL(request.url!, 'http://ironic');
    response.setHeader('content-type', 'application/json');
    if (asked.length >= failsAt) {
      response.statusCode = 500;
      return response.end(
        JSON.stringify({ error_message: JSON.stringify({ faultcode: 'Server', faultstring: 'out of connections' }) }),
      );
    }
    if (url.pathname !== '/v1/nodes/detail') {
      response.statusCode = 404;
      return response.end('{}');
    }
    const from = nodes.findIndex(({ uuid }) => uuid === url.searchParams.get('marker')) + 1;
    const page = nodes.slice(from, from + Math.min(most, Number(url.searchParams.get('limit'))));
    const next = from + page.length < nodes.length ? { next: 'http://elsewhere.example/v1/nodes/detail?marker=x' } : {};
    return response.end(JSON.stringify({ nodes: page, ...next }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
