import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PassthruError } from '../core/errors.ts';
import type { Blueprint, BmcState, Quirk, RedfishRequest, RedfishResponse } from './bmc.ts';
import { ROOT } from './bmc.ts';
import { Connections, listen, stop } from './connections.ts';
import { DocumentTree, documentPath, lastSegment } from './documents.ts';
import { BmcEvents } from './events/bmcEvents.ts';
import type { RequestMatch } from './faults.ts';
import { FaultList, faultResponse, MILLISECONDS, validated } from './faults.ts';
import { refuse } from './messages.ts';
import type { RecordedRequest } from './requestLog.ts';
import { RequestLog, recordedBody } from './requestLog.ts';
import { handleRequest } from './resource.ts';
import { withHeaders } from './response.ts';
import { cut, send } from './send.ts';
import type { Session } from './sessionTable.ts';
import { SessionTable } from './sessionTable.ts';
import { subscriptionPaths } from './subscriptions.ts';

/** The maximum size of a request's body in bytes. */
const MAX_BODY = 1024 * 1024;

/** The options of a BMC that a fleet passes on. */
export interface BmcOptions {
  /** Milliseconds after which an unused session ends; half an hour by default. */
  sessionTimeout?: number;
  /** The maximum number of sessions, after which a log-in gets 503; 16 by default. */
  maxSessions?: number;
  /** Milliseconds of a restart, during which connections are refused; 0, the default, restarts at once. */
  bootTime?: number;
  /** Milliseconds that every response takes; 0 by default. */
  latency?: number;
  /** Key and certificate (PEM) to serve HTTPS; HTTP by default. */
  tls?: { key: string | Buffer; cert: string | Buffer } | undefined;
  /** The maximum number of requests kept in `requests`; 1,000 by default. */
  keepRequests?: number;
  /** Called with each request, in order, as soon as its headers have arrived. */
  onRequest?: (request: RecordedRequest, bmc: SimulatedBmc) => void;
  /** Decides which requests a fault with a probability affects; 1 by default. */
  seed?: number;
  /** Milliseconds between two attempts to send an event; by default DeliveryRetryIntervalSeconds of the event service. */
  eventRetryInterval?: number;
  /** Milliseconds that a subscriber has to respond to an event; 30,000 by default. */
  eventTimeout?: number;
  /** Certificates (PEM) that the BMC trusts at the destinations of events, in place of the usual ones. */
  eventCa?: string | Buffer;
  /** The number of ids, the newest ones, that `events.acknowledged` keeps at least; 100,000 by default. */
  keepAcknowledged?: number;
}

/** How a BMC comes back from a restart. */
interface RestartOptions {
  /** Milliseconds for which it refuses connections; the BMC's own boot time by default. */
  bootTime?: number | undefined;
  /** The change in its service root: none, a property and so the ETag (new firmware), or the UUID. */
  serviceRoot?: 'same' | 'etag' | 'uuid' | undefined;
}

/** One simulated BMC: a listener with its own documents, sessions, faults and record of requests. */
export class SimulatedBmc {
  readonly faults: FaultList;
  /** Its documents, which a test may change. */
  readonly documents: DocumentTree;
  /** The events that it sends. */
  readonly events: BmcEvents;
  readonly #blueprint: Blueprint;
  readonly #accounts: BmcState['accounts'];
  readonly #options: BmcOptions & { sessionTimeout: number };
  readonly #server: Server;
  readonly #log: RequestLog;
  readonly #connections: Connections;
  /** The open sockets of a BMC with HTTPS, below TLS. */
  readonly #sockets = new Set<Socket>();
  readonly #tlsVersions: Quirk['tls'];
  #state: BmcState;
  /** Aborted by `close`, to end all waiting. */
  readonly #closing = new AbortController();
  #latency: number;
  #url = '';
  #host = '';
  #port = 0;
  /** Milliseconds by which its clock is ahead. */
  #clockOffset = 0;
  /** Resolves when the BMC listens again; null while it does. */
  #absent: Promise<void> | null = null;
  /** Whether it is absent because it boots. */
  #boots = false;

  /** Makes a BMC that does not listen yet. `accounts` are passwords by user name; null requires no credentials. */
  constructor(blueprint: Blueprint, accounts: BmcState['accounts'], options: BmcOptions & { sessionTimeout: number }) {
    const { tls, latency = 0, seed = 1, keepRequests = 1000 } = options;
    this.#blueprint = blueprint;
    this.#accounts = accounts;
    this.#options = options;
    this.#latency = latency;
    this.faults = new FaultList(seed);
    this.documents = new DocumentTree(blueprint.documents);
    this.#log = new RequestLog(keepRequests);
    this.events = this.#makeEvents();
    this.#state = this.#initialState();
    this.#connections = new Connections(blueprint.quirks.map((quirk) => quirk.connections));
    this.#tlsVersions = blueprint.quirks.find((quirk) => quirk.tls)?.tls;
    this.#server = tls ? createTlsServer({ ...tls, ...this.#tlsVersions }) : createServer();
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => this.#connections.open(socket));
    this.#server.on('clientError', refuseUnreadable);
    if (tls) this.#server.on('connection', (socket: Socket) => this.#keep(socket));
  }

  /** `http://HOST:PORT`, without a trailing slash; empty until it listens. */
  get url(): string {
    return this.#url;
  }

  /** The newest requests, oldest first; at most `keepRequests`. */
  get requests(): readonly RecordedRequest[] {
    return this.#log.requests;
  }

  /** The number of requests, including those no longer kept. */
  get requestCount(): number {
    return this.#log.total;
  }

  /** The number of connections made so far, with TLS of successful handshakes. */
  get connections(): number {
    return this.#connections.total;
  }

  /** The live sessions. */
  get sessions(): Session[] {
    return this.#state.sessions?.list() ?? [];
  }

  /** Milliseconds that every response takes. */
  get latency(): number {
    return this.#latency;
  }

  /** Sets the latency in milliseconds. Throws `invalid_argument` when it is out of range. */
  setLatency(ms: number): void {
    this.#latency = validated(MILLISECONDS, ms);
  }

  /** Ends every session, as a timeout does. Returns their number. */
  expireSessions(): number {
    return this.#state.sessions?.endAll() ?? 0;
  }

  /** Resolves with the next matching request, as soon as its headers have arrived. */
  nextRequest(match: RequestMatch = {}): Promise<RecordedRequest> {
    return this.#log.next(match);
  }

  /**
   * Restarts the BMC as Manager.Reset does: ends sessions, and refuses connections for the boot time. Resolves when it
   * listens again. While it boots, returns the promise of the restart that is under way.
   */
  restart(options: RestartOptions = {}): Promise<void> {
    this.#absent ??= this.#boot(options).finally(() => {
      this.#absent = null;
      this.#boots = false;
    });
    return this.#absent;
  }

  /**
   * Takes the BMC off the network for a time in milliseconds: it refuses connections and loses nothing; its events wait.
   * Resolves when it listens again. While it boots or is away, returns the promise of that.
   */
  leave(ms: number): Promise<void> {
    this.#absent ??= this.#disappear(validated(MILLISECONDS, ms)).finally(() => {
      this.#absent = null;
    });
    return this.#absent;
  }

  /** Restarts the BMC without the changes that clients made: subscriptions, sessions, documents. Resolves as `restart`. */
  factoryReset(options: RestartOptions = {}): Promise<void> {
    this.expireSessions();
    this.events.drop();
    this.documents.reset();
    return this.restart(options);
  }

  /** Milliseconds by which its clock is ahead; negative: behind. */
  get clockOffset(): number {
    return this.#clockOffset;
  }

  /** Sets its clock, which is in its events and in the Date of its responses. */
  setClockOffset(ms: number): void {
    this.#clockOffset = ms;
  }

  /** Replaces the certificate of a BMC with HTTPS, and cuts its connections. Throws `invalid_argument` for any other. */
  setCertificate(certificate: { key: string | Buffer; cert: string | Buffer }): void {
    if (!(this.#server instanceof TlsServer)) throw new PassthruError('invalid_argument', `${this.#url} has no HTTPS`);
    try {
      this.#server.setSecureContext({ ...certificate, ...this.#tlsVersions });
    } catch (cause) {
      throw new PassthruError('invalid_argument', `key and cert: ${(cause as Error).message}`, { cause });
    }
    // Also those whose handshake is under way, with the one before.
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Makes event delivery fail, for the subscription with this Id or for all; quirks react. Returns their number. */
  failDeliveries(id?: string): number {
    const paths = subscriptionPaths(this.#state).filter((path) => id === undefined || lastSegment(path) === id);
    for (const path of paths) {
      for (const quirk of this.#blueprint.quirks) quirk.deliveryFailed?.(path, this.#state);
    }
    return paths.length;
  }

  /** Restores the initial state: documents, sessions, latency, faults and the record of requests. */
  reset(): void {
    this.expireSessions();
    this.events.reset();
    this.documents.reset();
    this.#state = this.#initialState();
    this.faults.clear();
    this.#latency = this.#options.latency ?? 0;
    this.#clockOffset = 0;
    this.#log.clear();
  }

  /** Starts to listen; port 0 is any free one. Rejects when it cannot. */
  async listen(host: string, port: number): Promise<void> {
    const { port: bound, authority } = await listen(this.#server, host, port);
    this.#port = bound;
    this.#host = host;
    this.#url = `${this.#options.tls ? 'https' : 'http'}://${authority}`;
    this.#state.url = this.#url;
  }

  /** Stops listening and cuts every connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.events.close();
    await this.#absent;
    if (this.#server.listening) await stop(this.#server);
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #makeEvents(): BmcEvents {
    const { eventRetryInterval = null, eventTimeout = 30_000, eventCa, keepAcknowledged = 100_000 } = this.#options;
    const { quirks } = this.#blueprint;
    return new BmcEvents([this.#blueprint.profile.events, ...quirks.map((quirk) => quirk.events)], {
      state: () => this.#state,
      now: () => Date.now() + this.#clockOffset,
      isBooting: () => this.#boots,
      present: () => this.#absent,
      deliveryFailed: (path) => {
        const reactions = quirks.filter((quirk) => quirk.deliveryFailed);
        for (const quirk of reactions) quirk.deliveryFailed?.(path, this.#state);
        return reactions.length > 0;
      },
      retryInterval: eventRetryInterval,
      timeout: eventTimeout,
      trusted: eventCa,
      keepAcknowledged,
    });
  }

  #initialState(): BmcState {
    const { maxSessions = 16, sessionTimeout: timeout, bootTime = 0 } = this.#options;
    const { quirks, sessions: collection } = this.#blueprint;
    const { documents } = this;
    const limit = Math.min(maxSessions, ...quirks.map((quirk) => quirk.maxSessions ?? maxSessions));
    const table = { documents, maxSessions: limit, timeout, now: Date.now };
    return {
      blueprint: this.#blueprint,
      documents,
      sessions: collection === null ? null : new SessionTable({ ...table, collection }),
      accounts: this.#accounts,
      lastSubscriptionId: 0,
      url: this.#url,
      events: this.events,
      restart: () => {
        // Later, so that the response is sent first.
        if (bootTime > 0) setImmediate(() => void this.restart());
        else this.#loseState({});
      },
    };
  }

  async #boot(options: RestartOptions): Promise<void> {
    const { bootTime = this.#options.bootTime ?? 0 } = options;
    this.#loseState(options);
    if (bootTime <= 0 || this.#closing.signal.aborted) return;
    this.#boots = true;
    await this.#disappear(bootTime);
  }

  async #disappear(ms: number): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await stop(this.#server);
    try {
      await sleep(ms, undefined, { signal: this.#closing.signal });
      await listen(this.#server, this.#host, this.#port);
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    }
  }

  /** Makes the changes of a restart to sessions, documents and service root. */
  #loseState({ serviceRoot = 'same' }: RestartOptions): void {
    this.expireSessions();
    for (const quirk of this.#blueprint.quirks) quirk.restarted?.(this.#state);
    this.events.restarted();
    const root = this.documents.get(ROOT);
    if (!root || serviceRoot === 'same') return;
    if (serviceRoot === 'uuid') this.documents.set(ROOT, { ...root, UUID: randomUUID() });
    else this.documents.set(ROOT, { ...root, Product: `${root.Product ?? root.Name}, updated` });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: target = '/', headers } = request;
    const path = documentPath(target) ?? target;
    const record = this.#log.open(method, target, path, headers, this.#connections.numberOf(request.socket));
    this.#options.onRequest?.(record, this);
    const admission = this.#connections.admit(request, response);
    if (admission === 'stall') return;
    if (admission === 'reset') return cut(request.socket);
    const { delay, instead } = this.faults.apply(method, path);

    const wait = this.#latency + delay;
    const performs = !instead || ('afterRead' in instead && instead.afterRead === true);
    try {
      const reads = performs || instead.kind === 'status' || instead.kind === 'garbage';
      const body = reads ? await readBody(request) : '';
      if (body !== null) record.body = recordedBody(body);
      if (wait > 0) await sleep(wait, undefined, { signal: this.#closing.signal });
      let result = instead && faultResponse(instead, path);
      if (performs) {
        if (admission === '503') result = refuse('ServiceTemporarilyUnavailable', '1');
        else if (body === null) result = refuse('PayloadTooLarge');
        else result = this.#perform({ method, path, target, headers, body });
      }
      if (instead?.kind === 'hang') return;
      if (instead?.kind === 'reset' || !result) return cut(request.socket);
      send(response, this.#clockOffset === 0 ? result : this.#dated(result), request);
      record.status = response.statusCode;
    } catch {
      // The client has gone, or the BMC is being closed.
      request.socket.destroy();
    }
  }

  #dated(response: RedfishResponse): RedfishResponse {
    return withHeaders(response, { Date: new Date(Date.now() + this.#clockOffset).toUTCString() });
  }

  #perform(request: RedfishRequest): RedfishResponse {
    try {
      return handleRequest(request, this.#state);
    } catch (error) {
      // A bug of the simulator, not to be taken for the BMC's behaviour.
      console.error(`simulated BMC ${this.#url}: ${request.method} ${request.path}:`, error);
      return refuse('InternalError');
    }
  }
}

/** Returns the body as text; null when it is larger than `MAX_BODY`. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY) chunks.push(chunk);
  }
  return size > MAX_BODY ? null : Buffer.concat(chunks).toString();
}

/** Responds to what Node cannot parse: 501 to an unknown method (DSP0266, "HTTP methods"), otherwise 400. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const status = error.code === 'HPE_INVALID_METHOD' ? '501 Not Implemented' : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
