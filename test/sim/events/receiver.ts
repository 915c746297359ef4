import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A post that a receiver got. */
export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
  json: any;
  /** The number of its connection, from 1. */
  connection: number;
}

/** A web server that takes events. */
export interface Receiver extends AsyncDisposable {
  url: string;
  posts: Received[];
  /** Returns the EventIds of all posts. */
  ids(): string[];
  /** Resolves when there are that many posts. */
  until(count: number): Promise<Received[]>;
  /** The status of the responses; 'reset' ends the connection without one. */
  respond: number | 'reset' | ((post: Received, response: ServerResponse) => void);
}

/** Starts a receiver on a free port; with `tls` it speaks HTTPS. */
export async function startReceiver(tls?: { key: string; cert: string }): Promise<Receiver> {
  let waiting: (() => void)[] = [];
  const numbers = new WeakMap<object, number>();
  let connections = 0;
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request);
    const post = {
      path: request.url ?? '',
      headers: request.headers,
      json: JSON.parse(body),
      connection: numbers.get(request.socket) ?? 0,
    };
    receiver.posts.push(post);
    const { respond } = receiver;
    if (respond === 'reset') request.socket.destroy();
    else if (typeof respond === 'number') response.writeHead(respond).end();
    else respond(post, response);
    for (const resolve of waiting.splice(0)) resolve();
  };
  const handler = (request: IncomingMessage, response: ServerResponse) => void serve(request, response);
  const server = tls ? createTlsServer(tls, handler) : createServer(handler);
  server.on(tls ? 'secureConnection' : 'connection', (socket) => {
    connections++;
    numbers.set(socket, connections);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const receiver: Receiver = {
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts: [],
    respond: 200,
    ids: () => receiver.posts.flatMap(({ json }) => json.Events.map((event: { EventId: string }) => event.EventId)),
    until: async (count) => {
      while (receiver.posts.length < count) {
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
        });
      }
      return receiver.posts;
    },
    [Symbol.asyncDispose]: async () => {
      waiting = [];
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return receiver;
}
