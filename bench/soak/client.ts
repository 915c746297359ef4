import type { DescService } from '@bufbuild/protobuf';
import { type Client, Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node';
import { Agent, fetch } from 'undici';
import { passwordOf } from '../../test/auth/users.ts';
import type { Random } from '../../test/chaos/random.ts';

/** The names of the nodes under load. */
export interface SoakNodes {
  /** Nodes of the fake driver. */
  fake: readonly string[];
  /** Nodes at simulated BMCs. */
  bmc: readonly string[];
}

/** An operation ended because its node was locked, as happens to callers. */
export class NodeLocked extends Error {}

const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.82', 'Content-Type': 'application/json' };

/** Returns the credentials of HTTP Basic. */
export function basic(user: string, password: string = passwordOf(user)): { Authorization: string } {
  return { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
}

/** Creates the ways in that typed clients use, with credentials or as a stranger. */
export function createTransports(baseUrl: string, user: string | null): Transport[] {
  const authorize = (next: (request: never) => Promise<never>) => (request: { header: Headers }) => {
    if (user !== null) request.header.set('Authorization', basic(user).Authorization);
    return next(request as never);
  };
  const options = { baseUrl, interceptors: [authorize] as never };
  return [
    createConnectTransport({ ...options, httpVersion: '1.1' }),
    createConnectTransport({ ...options, httpVersion: '2', useBinaryFormat: true }),
    createGrpcTransport(options),
    createGrpcWebTransport({ ...options, httpVersion: '1.1' }),
  ];
}

/** Closes idle connections long before the service does, at 65 s, so that no request meets a connection that is closing. */
const CONNECTIONS = new Agent({ keepAliveTimeout: 10_000, keepAliveMaxTimeout: 10_000 });

interface Sent {
  body?: unknown;
  headers?: Record<string, string>;
}

/** What all operations of a load share. */
export interface SoakTarget {
  url: string;
  nodes: SoakNodes;
  random: Random;
  transports: readonly Transport[];
}

/** Sends the requests of one operation, which end with its signal. */
export class SoakClient {
  static #sequence = 0;
  readonly url: string;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly #nodes: SoakNodes;
  readonly #transports: readonly Transport[];

  constructor({ url, nodes, random, transports }: SoakTarget, signal: AbortSignal) {
    this.url = url;
    this.#nodes = nodes;
    this.random = random;
    this.#transports = transports;
    this.signal = signal;
  }

  fakeNode(): string {
    return this.random.pick(this.#nodes.fake);
  }

  bmcNode(): string {
    return this.random.pick(this.#nodes.bmc);
  }

  /** Returns a name that nothing else has. */
  name(prefix: string): string {
    return `${prefix}-${++SoakClient.#sequence}`;
  }

  /**
   * Sends a request whose response has one of the statuses `expected`; reads its body.
   * @throws NodeLocked for another 409
   */
  async rest(method: string, path: string, expected: readonly number[], sent: Sent = {}) {
    const response = await this.fetch(method, path, sent);
    const text = await response.text();
    if (expected.includes(response.status)) return { status: response.status, headers: response.headers, text };
    if (response.status === 409) throw new NodeLocked();
    throw new Error(`${method} ${path.split('?')[0]}: ${response.status} ${text.slice(0, 150)}`);
  }

  /** Sends a request, and returns the response while its body arrives. */
  fetch(method: string, path: string, { body, headers = basic('admin') }: Sent, signal = this.signal) {
    return fetch(this.url + path, {
      method,
      headers: { ...VERSION, ...headers },
      signal,
      dispatcher: CONNECTIONS,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  /** Calls a method of a node over REST. */
  call(node: string, method: string, body: object, expected: readonly number[], headers: Record<string, string> = {}) {
    const path = `/v1/nodes/${node}/vendor_passthru/${method}`;
    return this.rest('POST', path, expected, { body, headers: { ...basic('admin'), ...headers } });
  }

  /** Returns a typed client that speaks one of the protocols. */
  rpc<S extends DescService>(service: S): Client<S> {
    const transport = this.random.pick(this.#transports);
    const both = (signal: AbortSignal | undefined) =>
      signal === undefined ? this.signal : AbortSignal.any([this.signal, signal]);
    return createClient(service, {
      unary: (method, signal, ...rest) => transport.unary(method, both(signal), ...rest),
      stream: (method, signal, ...rest) => transport.stream(method, both(signal), ...rest),
    });
  }
}

/** Waits for an error with one of the codes. Throws another error, and for a response. */
export async function fails(codes: readonly Code[], response: Promise<unknown>): Promise<void> {
  try {
    await response;
  } catch (error) {
    if (codes.includes(ConnectError.from(error).code)) return;
    throw error;
  }
  throw new Error(`succeeded, not ${codes.map((code) => Code[code]).join(' or ')}`);
}
