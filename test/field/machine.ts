import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';

export type Json = Record<string, unknown>;

/** How a request was authorized: `ended` by a token that the machine does not know, `wrong` by other Basic credentials. */
type Auth = 'none' | 'session' | 'ended' | 'basic' | 'wrong';

/** A request as the machine received it. */
export interface Received {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  text: string;
  /** The body as JSON; undefined when it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: requests of every shape
  json: any;
  auth: Auth;
  token: string | undefined;
  /** When it was received, by the monotonic clock, in ms. */
  at: number;
  /** The number of the connection, from 1. */
  connection: number;
  /** The number of this request among those with its verb and path, from 1. */
  nth: number;
  /** The status that it got; 0 for none. */
  status: number;
}

/** A response of the machine. */
export interface Answer {
  /** Default 200; 204 without a body. */
  status?: number;
  headers?: Record<string, string | string[]>;
  /** A string is sent as it is, anything else as JSON. */
  body?: unknown;
  /** Bytes to send after the response, outside of its length. */
  more?: string;
  /** Sent in place of a response, then the connection is closed. */
  raw?: string;
  /** How the connection ends after `raw`; `reset` sends RST. Default `close`. */
  end?: 'close' | 'reset';
  /** Closes the connection, without telling so, when it was idle for this long after the response, in ms. */
  closeAfter?: number;
}

/** What is different at this machine; undefined leaves a request to the usual behaviour. */
export type Behaviour = (request: Received, machine: Machine) => Answer | undefined | Promise<Answer | undefined>;

export interface MachineOptions {
  behave?: Behaviour;
  /** Changes the documents by path before the machine starts. */
  edit?: (documents: Map<string, Json>) => void;
  /** Where the virtual media are. Default `Managers/1`. */
  media?: 'Managers/1' | 'Systems/1';
  tls?: TlsOptions;
  /** The address to listen on. Default 127.0.0.1. */
  host?: string;
}

export const ROOT = '/redfish/v1/';
export const SESSIONS = '/redfish/v1/SessionService/Sessions';
export const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';
export const FIRST = `${SUBSCRIPTIONS}/first`;
export const SYSTEM = '/redfish/v1/Systems/1';
export const MANAGER = '/redfish/v1/Managers/1';
export const MEDIA = '/redfish/v1/Managers/1/VirtualMedia';
export const CD = '/redfish/v1/Managers/1/VirtualMedia/CD1';
export const EJECT = `${CD}/Actions/VirtualMedia.EjectMedia`;
export const IMAGE = 'http://images.example/boot.iso';

export const link = (path: string) => ({ '@odata.id': path });
export const members = (...paths: string[]) => ({ Members: paths.map(link), 'Members@odata.count': paths.length });

/** A Redfish error with one message. */
export function fault(
  status: number,
  messageId: string,
  more: Json = {},
  headers: Record<string, string> = {},
): Answer {
  const entry = { MessageId: messageId, Message: `The machine says ${messageId}.`, ...more };
  return { status, headers, body: { error: { code: messageId, '@Message.ExtendedInfo': [entry] } } };
}

/** A scripted BMC with one system, one manager, one virtual CD with an image, and one subscription. Account u/p. */
export class Machine {
  /** The documents by path; subscriptions and sessions are apart. */
  readonly documents: Map<string, Json>;
  readonly subscriptions = new Map<string, Json>([
    ['first', { Id: 'first', Destination: 'https://192.0.2.1/first', Context: 'kept', Protocol: 'Redfish' }],
  ]);
  /** The path of each open session by its token. */
  readonly sessions = new Map<string, string>();
  readonly log: Received[] = [];
  connections = 0;
  /** Where the sessions are. */
  sessionsPath = SESSIONS;
  url = '';
  readonly #behave: Behaviour;
  #made = 0;

  constructor({ behave = () => undefined, edit, media = 'Managers/1' }: MachineOptions) {
    this.#behave = behave;
    this.documents = usualDocuments(media);
    edit?.(this.documents);
  }

  /** The document of the virtual CD. */
  get cd(): Json {
    return [...this.documents].find(([path]) => path.endsWith('/VirtualMedia/CD1'))![1];
  }

  /** The requests with this verb and, when given, this path (a pattern or the whole path). */
  sent(method: string, path?: string | RegExp): Received[] {
    const matches = (at: string) => path === undefined || (typeof path === 'string' ? at === path : path.test(at));
    return this.log.filter((request) => request.method === method && matches(request.path));
  }

  /** The log-ins by session. */
  get logins(): Received[] {
    return this.sent('POST', this.sessionsPath);
  }

  /** The requests that may change something, log-ins apart: `METHOD path`. */
  get changes(): string[] {
    return this.log
      .filter(({ method, path }) => method !== 'GET' && path !== this.sessionsPath && !this.#isSession(path))
      .map(({ method, path }) => `${method} ${path}`);
  }

  #isSession(path: string): boolean {
    return path.startsWith(`${this.sessionsPath}/`);
  }

  /** Ends all sessions, as a restart does. */
  endSessions(): void {
    this.sessions.clear();
  }

  async answer(request: Received): Promise<Answer> {
    return (await this.#behave(request, this)) ?? this.usual(request);
  }

  /** What a machine without peculiarities does. */
  usual(request: Received): Answer {
    const { method, path, auth } = request;
    const isOpen = path === ROOT || path === '/redfish/v1' || path === '/redfish';
    if (method === 'POST' && path === this.sessionsPath) return this.openSession(request);
    if (!isOpen && auth !== 'session' && auth !== 'basic') return unauthorized();
    return this.serve(request);
  }

  openSession({ json }: Received): Answer {
    if (json?.UserName !== 'u' || json?.Password !== 'p') return fault(401, 'Base.1.8.InsufficientPrivilege');
    const id = `s${++this.#made}`;
    const token = `token-${id}-${Math.random().toString(36).slice(2)}`;
    const path = `${this.sessionsPath}/${id}`;
    this.sessions.set(token, path);
    const body = { '@odata.id': path, Id: id, UserName: 'u' };
    return { status: 201, headers: { 'X-Auth-Token': token, Location: path }, body };
  }

  /** Serves a request whose sender may do everything. */
  serve({ method, path, json }: Received): Answer {
    if (path === this.sessionsPath && method === 'GET') return { body: members(...this.sessions.values()) };
    if (this.#isSession(path)) {
      const held = [...this.sessions].find(([, at]) => at === path);
      if (held === undefined) return missing();
      if (method === 'DELETE') this.sessions.delete(held[0]);
      return method === 'DELETE' ? { status: 204 } : { body: { '@odata.id': path, UserName: 'u' } };
    }
    if (path === SUBSCRIPTIONS) return method === 'POST' ? this.subscribe(json) : { body: this.collection() };
    if (path.startsWith(`${SUBSCRIPTIONS}/`)) {
      const id = decodeURIComponent(path.slice(SUBSCRIPTIONS.length + 1));
      const document = this.subscriptions.get(id);
      if (document === undefined) return missing();
      if (method === 'DELETE') this.subscriptions.delete(id);
      return method === 'DELETE' ? { status: 204 } : { body: { '@odata.id': path, ...document } };
    }
    if (method === 'POST' && path.endsWith('/Actions/VirtualMedia.EjectMedia')) {
      return this.eject(this.documents.get(path.split('/Actions/')[0]!));
    }
    const document = this.documents.get(path) ?? this.documents.get(path === '/redfish/v1' ? ROOT : path);
    if (document === undefined) return missing();
    if (method === 'GET') return { body: document };
    if (method === 'PATCH' && path.endsWith('/VirtualMedia/CD1')) return this.eject();
    return fault(405, 'Base.1.8.OperationNotAllowed');
  }

  collection(): Json {
    const paths = [...this.subscriptions.keys()].map((id) => `${SUBSCRIPTIONS}/${encodeURIComponent(id)}`);
    return { '@odata.id': SUBSCRIPTIONS, Name: 'Subscriptions', ...members(...paths) };
  }

  /** Makes a subscription of what was sent; `shown` is what the machine makes of it. */
  subscribe(sent: Json, shown: Json = {}): Answer {
    const id = `made-${++this.#made}`;
    const path = `${SUBSCRIPTIONS}/${id}`;
    const document = { Id: id, ...sent, ...shown };
    this.subscriptions.set(id, document);
    return { status: 201, headers: { Location: path }, body: { '@odata.id': path, ...document } };
  }

  /** @param device its document; the virtual CD when not given */
  eject(device = this.cd): Answer {
    Object.assign(device, { Image: null, Inserted: false, ConnectedVia: 'NotConnected' });
    return { status: 204 };
  }

  authOf(headers: IncomingMessage['headers']): Auth {
    const token = headers['x-auth-token'];
    if (token !== undefined) return this.sessions.has(String(token)) ? 'session' : 'ended';
    if (headers.authorization === undefined) return 'none';
    return headers.authorization === `Basic ${btoa('u:p')}` ? 'basic' : 'wrong';
  }
}

export const unauthorized = (): Answer => fault(401, 'Base.1.8.NoValidSession');
export const missing = (): Answer => fault(404, 'Base.1.8.ResourceMissingAtURI');

function usualDocuments(media: string): Map<string, Json> {
  const place = `/redfish/v1/${media}/VirtualMedia`;
  const cd = `${place}/CD1`;
  const linked = (owner: string) => (owner === media ? { VirtualMedia: link(place) } : {});
  return new Map<string, Json>(
    Object.entries({
      '/redfish': { v1: ROOT },
      [ROOT]: {
        '@odata.id': ROOT,
        Id: 'RootService',
        RedfishVersion: '1.8.0',
        UUID: '5c0f0000-0000-4000-8000-000000000001',
        Vendor: 'Contoso',
        Systems: link('/redfish/v1/Systems'),
        Managers: link('/redfish/v1/Managers'),
        EventService: link('/redfish/v1/EventService'),
        SessionService: link('/redfish/v1/SessionService'),
        Links: { Sessions: link(SESSIONS) },
      },
      '/redfish/v1/Systems': members(SYSTEM),
      [SYSTEM]: {
        '@odata.id': SYSTEM,
        Id: '1',
        Manufacturer: 'Contoso',
        Model: 'M1',
        SerialNumber: 'SN1',
        Links: { ManagedBy: [link(MANAGER)] },
        ...linked('Systems/1'),
      },
      '/redfish/v1/Managers': members(MANAGER),
      [MANAGER]: {
        '@odata.id': MANAGER,
        Id: '1',
        FirmwareVersion: '7.1',
        Links: { ManagerForServers: [link(SYSTEM)] },
        ...linked('Managers/1'),
      },
      [place]: members(cd),
      [cd]: {
        '@odata.id': cd,
        Id: 'CD1',
        MediaTypes: ['CD', 'DVD'],
        Image: IMAGE,
        Inserted: true,
        ConnectedVia: 'URI',
        Actions: { '#VirtualMedia.EjectMedia': { target: `${cd}/Actions/VirtualMedia.EjectMedia` } },
      },
      '/redfish/v1/SessionService': { Id: 'SessionService', ServiceEnabled: true, Sessions: link(SESSIONS) },
      '/redfish/v1/EventService': { Id: 'EventService', ServiceEnabled: true, Subscriptions: link(SUBSCRIPTIONS) },
    }),
  );
}

/** Starts a machine on a free port. Returns it with a function that stops it. */
export async function startMachine(options: MachineOptions): Promise<{ machine: Machine; stop(): Promise<void> }> {
  const machine = new Machine(options);
  const numbers = new WeakMap<Socket, number>();
  const closing = new WeakMap<Socket, NodeJS.Timeout>();
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const { socket, headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (!numbers.has(socket)) numbers.set(socket, ++machine.connections);
    clearTimeout(closing.get(socket));
    const text = Buffer.concat(chunks).toString();
    const [method, path] = [request.method ?? '', request.url ?? ''];
    const received: Received = {
      method,
      path,
      headers,
      text,
      json: parse(text),
      auth: machine.authOf(headers),
      token: headers['x-auth-token'] as string | undefined,
      at: performance.now(),
      connection: numbers.get(socket)!,
      nth: machine.sent(method, path).length + 1,
      status: 0,
    };
    machine.log.push(received);
    const answer = await machine.answer(received);
    received.status =
      answer.raw === undefined ? (answer.status ?? 200) : Number(/^HTTP\S+ (\d+)/.exec(answer.raw)?.[1] ?? 0);
    const { closeAfter } = answer;
    const close = () => socket.destroy();
    send(socket, response, answer, () => {
      if (closeAfter !== undefined) closing.set(socket, setTimeout(close, closeAfter));
    });
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse) =>
    void serve(request, response).catch((error) => {
      // A mistake of the test, which must not look like a machine that hangs.
      response.destroy(error);
    });
  const server: Server = options.tls ? createTlsServer(options.tls, onRequest) : createServer(onRequest);
  // Node would close an idle connection after 5 s.
  server.keepAliveTimeout = 60_000;
  const { host = '127.0.0.1' } = options;
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  machine.url = `${options.tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    machine,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function send(socket: Socket, response: ServerResponse, answer: Answer, sent: () => void): void {
  const { status = 200, headers = {}, body, more, raw, end = 'close' } = answer;
  if (socket.destroyed) return;
  if (raw !== undefined) {
    const finish = () => (end === 'reset' ? socket.resetAndDestroy() : socket.destroy());
    // Time for what was written to arrive, which a reset discards otherwise.
    socket.write(raw, () => setTimeout(finish, end === 'reset' && raw !== '' ? 20 : 0));
    return;
  }
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  response.writeHead(status, {
    ...(text === '' ? {} : { 'content-type': 'application/json' }),
    ...(status === 204 ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
    ...Object.fromEntries(lower),
  });
  response.end(text, () => {
    if (more !== undefined) socket.write(more);
    sent();
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
