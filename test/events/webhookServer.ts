import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';

/** A request that a receiver of webhooks got. */
export interface Received {
  id: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  /** The event; the first one of a batch. */
  event: Record<string, unknown>;
  /** All events. */
  events: Record<string, unknown>[];
}

/** A receiver of webhooks that a test controls. */
export interface WebhookServer extends AsyncDisposable {
  url: string;
  /** All requests, whatever their response. */
  received: Received[];
  /** Responds to a request; 204 by default. */
  respond: (request: Received, response: ServerResponse) => void;
}

/** @param port default: a free one */
export async function startWebhookServer(port = 0): Promise<WebhookServer> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const { headers, url: path = '' } = request;
    const json: unknown = JSON.parse(body);
    const events = (Array.isArray(json) ? json : [json]) as Record<string, unknown>[];
    const each = { id: String(headers['webhook-id']), path, headers, body, event: events[0]!, events };
    received.push(each);
    receiver.respond(each, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const receiver: WebhookServer = {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/events?key=secret-of-the-url`,
    received,
    respond: (_, response) => void response.writeHead(204).end(),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
  return receiver;
}
