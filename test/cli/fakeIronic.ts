import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A fake Ironic with given nodes. */
export interface FakeIronic {
  url: string;
  /** The received requests, oldest first. */
  requests: IncomingMessage[];
  close(): Promise<unknown>;
}

/**
 * Starts a fake Ironic that only lists `nodes`, in pages.
 * @param options `page`: the maximum number of nodes on a page; `failsAt`: the number of the first request that gets 500
 */
export async function startIronic(
  nodes: readonly Record<string, unknown>[],
  { page: maxPage = 5, failsAt = Number.POSITIVE_INFINITY }: { page?: number; failsAt?: number } = {},
): Promise<FakeIronic> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    const url = new URL(request.url!, 'http://ironic');
    response.setHeader('content-type', 'application/json');
    if (requests.length >= failsAt) {
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
    const page = nodes.slice(from, from + Math.min(maxPage, Number(url.searchParams.get('limit'))));
    const next = from + page.length < nodes.length ? { next: 'http://elsewhere.example/v1/nodes/detail?marker=x' } : {};
    return response.end(JSON.stringify({ nodes: page, ...next }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
