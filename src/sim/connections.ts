import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** How a BMC's web server treats its connections. */
export interface ConnectionHabits {
  /** Milliseconds until an idle connection is closed, despite its `Keep-Alive` header; null: Node's default. */
  idleMs: number | null;
  /** The number of requests that a connection serves; the next gets no response. Null: unlimited. */
  stallsAfter: number | null;
  /** The number of requests served at once; null: unlimited. */
  maxRequests: number | null;
  /** The response to a request over `maxRequests`. */
  overload: '503' | 'reset';
}

const DEFAULTS: ConnectionHabits = { idleMs: null, stallsAfter: null, maxRequests: null, overload: '503' };

interface Connection {
  number: number;
  requests: number;
  idle: NodeJS.Timeout | null;
}

/** The connections to one BMC. */
export class Connections {
  readonly #habits: ConnectionHabits;
  readonly #bySocket = new WeakMap<Socket, Connection>();
  #activeRequests = 0;
  /** The number of connections made so far. */
  total = 0;

  constructor(habits: readonly (Partial<ConnectionHabits> | undefined)[]) {
    this.#habits = Object.assign({}, DEFAULTS, ...habits);
  }

  open(socket: Socket): void {
    this.total++;
    this.#bySocket.set(socket, { number: this.total, requests: 0, idle: null });
  }

  /** Returns the number of a connection, from 1; 0 for an unknown one. */
  numberOf(socket: Socket): number {
    return this.#bySocket.get(socket)?.number ?? 0;
  }

  /** Counts a request until its connection or response ends, and decides how it is treated. */
  admit(request: IncomingMessage, response: ServerResponse): 'serve' | 'stall' | ConnectionHabits['overload'] {
    const { idleMs, stallsAfter, maxRequests, overload } = this.#habits;
    const connection = this.#bySocket.get(request.socket);
    if (connection) {
      connection.requests++;
      if (connection.idle) clearTimeout(connection.idle);
      connection.idle = null;
    }
    this.#activeRequests++;
    response.once('close', () => {
      this.#activeRequests--;
      if (connection && idleMs !== null) {
        connection.idle = setTimeout(() => request.socket.destroy(), idleMs).unref();
      }
    });
    if (maxRequests !== null && this.#activeRequests > maxRequests) return overload;
    return stallsAfter !== null && connection && connection.requests > stallsAfter ? 'stall' : 'serve';
  }
}

/** Starts to listen; returns the port and the `HOST:PORT` of URLs. Port 0 is any free one. Rejects when it cannot. */
export async function listen(server: Server, host: string, port: number): Promise<{ port: number; authority: string }> {
  server.listen({ host, port });
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  return { port: bound, authority: `${host.includes(':') ? `[${host}]` : host}:${bound}` };
}

/** Stops a server that listens and cuts its connections. */
export async function stop(server: Server): Promise<void> {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
}
