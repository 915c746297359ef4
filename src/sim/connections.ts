import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** How a BMC's web server treats its connections. */
export interface ConnectionHabits {
  /** Milliseconds after which an unused connection is closed, whatever its `Keep-Alive` header promises; null: Node's way. */
  idleMs: number | null;
  /** Requests that a connection serves; the next gets no answer. Null: all. */
  stallsAfter: number | null;
  /** Requests served at once. Null: all. */
  maxRequests: number | null;
  /** What a request over `maxRequests` gets. */
  overload: '503' | 'reset';
}

const ORDINARY: ConnectionHabits = { idleMs: null, stallsAfter: null, maxRequests: null, overload: '503' };

/** What becomes of a request before the BMC looks at it. */
export type Admission = 'serve' | 'stall' | ConnectionHabits['overload'];

interface Connection {
  number: number;
  requests: number;
  idle: NodeJS.Timeout | null;
}

/** The connections to one BMC: their numbers, and the habits that strike them. */
export class Connections {
  readonly #habits: ConnectionHabits;
  readonly #bySocket = new WeakMap<Socket, Connection>();
  #busy = 0;
  /** How many connections have been made. */
  total = 0;

  constructor(habits: readonly (Partial<ConnectionHabits> | undefined)[]) {
    this.#habits = Object.assign({}, ORDINARY, ...habits);
  }

  /** Notes a new connection. */
  open(socket: Socket): void {
    this.total++;
    this.#bySocket.set(socket, { number: this.total, requests: 0, idle: null });
  }

  /** The number of a connection, from 1; 0 when it was not noted. */
  numberOf(socket: Socket): number {
    return this.#bySocket.get(socket)?.number ?? 0;
  }

  /** Counts a request until its answer is out or its client gone, and says what becomes of it. */
  admit(request: IncomingMessage, response: ServerResponse): Admission {
    const { idleMs, stallsAfter, maxRequests, overload } = this.#habits;
    const connection = this.#bySocket.get(request.socket);
    if (connection) {
      connection.requests++;
      if (connection.idle) clearTimeout(connection.idle);
      connection.idle = null;
    }
    this.#busy++;
    response.once('close', () => {
      this.#busy--;
      if (connection && idleMs !== null) {
        connection.idle = setTimeout(() => request.socket.destroy(), idleMs).unref();
      }
    });
    if (maxRequests !== null && this.#busy > maxRequests) return overload;
    return stallsAfter !== null && connection && connection.requests > stallsAfter ? 'stall' : 'serve';
  }
}
