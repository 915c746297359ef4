import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PassthruError } from '../core/errors.ts';
import type { Answer, Blueprint, BmcState, RedfishRequest } from './bmc.ts';
import { Connections } from './connections.ts';
import { DocumentTree } from './documents.ts';
import { faultAnswer } from './faultAnswer.ts';
import type { RequestMatch } from './faults.ts';
import { FaultList, MAX_DELAY } from './faults.ts';
import { refuse } from './messages.ts';
import { documentPath } from './path.ts';
import type { RecordedRequest } from './requestLog.ts';
import { RequestLog, recordedBody } from './requestLog.ts';
import { answerRequest } from './resource.ts';
import type { RestartOptions } from './restart.ts';
import { forgetAtRestart, subscriptionPaths } from './restart.ts';
import type { Session } from './sessionTable.ts';
import { SessionTable } from './sessionTable.ts';

/** Bytes of a request's body; Redfish requests without files are far smaller. */
const MAX_BODY = 1024 * 1024;

export interface SimulatedBmcOptions {
  blueprint: Blueprint;
  /** Passwords by user name; null: no credentials are asked for. */
  accounts: ReadonlyMap<string, string> | null;
  maxSessions: number;
  /** Milliseconds. */
  sessionTimeout: number;
  /** Milliseconds that every answer takes at first. */
  latency: number;
  /** Milliseconds for which it refuses connections when it restarts. */
  bootTime: number;
  tls: { key: string | Buffer; cert: string | Buffer } | null;
  /** How many requests are kept to look at. */
  keepRequests: number;
  /** Called with each request whose headers have come; null for nobody. */
  onRequest: ((request: RecordedRequest, bmc: SimulatedBmc) => void) | null;
  /** Decides which requests faults with a probability strike. */
  seed: number;
}

/** One simulated BMC: a listener with its own state, sessions, faults and record of requests. */
export class SimulatedBmc {
  /** What goes wrong at this BMC. */
  readonly faults: FaultList;
  /** Its documents; a test may change them. */
  readonly documents: DocumentTree;
  readonly #options: SimulatedBmcOptions;
  readonly #server: Server;
  readonly #log: RequestLog;
  readonly #connections: Connections;
  #state: BmcState;
  /** Fires at close, for what is being waited for. */
  readonly #closing = new AbortController();
  #latency: number;
  #url = '';
  #host = '';
  #port = 0;
  /** While it boots: until it answers again. */
  #booting: Promise<void> | null = null;

  /** The BMC does not listen yet: see `listen`. */
  constructor(options: SimulatedBmcOptions) {
    const { blueprint, tls } = options;
    this.#options = options;
    this.#latency = options.latency;
    this.faults = new FaultList(options.seed);
    this.documents = new DocumentTree(blueprint.documents);
    this.#log = new RequestLog(options.keepRequests);
    this.#state = this.#freshState();
    this.#connections = new Connections(blueprint.quirks.map((quirk) => quirk.connections));
    const versions = blueprint.quirks.find((quirk) => quirk.tls)?.tls;
    this.#server = tls ? createTlsServer({ ...tls, ...versions }) : createServer();
    this.#server.on('request', (request, response) => void this.#serve(request, response));
    this.#server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => this.#connections.open(socket));
    this.#server.on('clientError', refuseUnreadable);
  }

  /** `http://HOST:PORT`, without a slash at the end; empty until it listens. */
  get url(): string {
    return this.#url;
  }

  /** The requests that came, oldest first; the newest `keepRequests` of them. */
  get requests(): readonly RecordedRequest[] {
    return this.#log.requests;
  }

  /** How many requests came, kept or not. */
  get requestCount(): number {
    return this.#log.total;
  }

  /** How many connections have been made (with TLS: whose handshake succeeded). */
  get connections(): number {
    return this.#connections.total;
  }

  /** The live sessions. */
  get sessions(): Session[] {
    return this.#state.sessions?.list() ?? [];
  }

  /** Milliseconds that every answer takes. */
  get latency(): number {
    return this.#latency;
  }

  /** From now on every answer takes `ms` milliseconds. Throws `invalid_argument` when that is no time. */
  setLatency(ms: number): void {
    if (!(ms >= 0 && ms <= MAX_DELAY)) {
      throw new PassthruError('invalid_argument', `A latency is from 0 to ${MAX_DELAY} milliseconds`);
    }
    this.#latency = ms;
  }

  /** Ends every session, as if unused for too long: the next use of a token gets 401. Returns how many there were. */
  expireSessions(): number {
    return this.#state.sessions?.endAll() ?? 0;
  }

  /** Resolves with the next request of the kind, as soon as its headers have come; with none ever, never. */
  nextRequest(match: RequestMatch = {}): Promise<RecordedRequest> {
    return this.#log.next(match);
  }

  /**
   * Restarts as after Manager.Reset: sessions end, quirks lose what they lose at a restart, and for the boot time
   * connections are refused. Resolves when it answers again. A restart while it boots is that restart.
   */
  restart(options: RestartOptions = {}): Promise<void> {
    this.#booting ??= this.#boot(options).finally(() => {
      this.#booting = null;
    });
    return this.#booting;
  }

  /**
   * Makes it as if the events of the subscription with this Id could not be delivered, of all without one; quirks say
   * what comes of it. Returns how many subscriptions that were.
   */
  failDeliveries(id?: string): number {
    const paths = subscriptionPaths(this.#state, id);
    for (const path of paths) {
      for (const quirk of this.#options.blueprint.quirks) quirk.deliveryFailed?.(path, this.#state);
    }
    return paths.length;
  }

  /** Back to how it started: documents, sessions, latency, faults and the record of requests. */
  reset(): void {
    this.expireSessions();
    this.documents.reset();
    this.#state = this.#freshState();
    this.faults.clear();
    this.#latency = this.#options.latency;
    this.#log.clear();
  }

  /** Begins to listen; port 0: any free one. Rejects when the port is taken or the host is not of this machine. */
  async listen(host: string, port: number): Promise<void> {
    await this.#bind(host, port);
    this.#port = (this.#server.address() as AddressInfo).port;
    this.#host = host;
    this.#url = `${this.#options.tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${this.#port}`;
    this.#state.url = this.#url;
  }

  /** Stops listening and cuts every connection, answered or not. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#booting;
    await this.#unbind();
  }

  #freshState(): BmcState {
    const { blueprint, accounts, maxSessions, sessionTimeout: timeout } = this.#options;
    const { documents } = this;
    const fewer = blueprint.quirks.map((quirk) => quirk.maxSessions ?? maxSessions);
    const most = Math.min(maxSessions, ...fewer);
    const collection = blueprint.sessions;
    return {
      blueprint,
      documents,
      sessions:
        collection === null
          ? null
          : new SessionTable({ documents, collection, maxSessions: most, timeout, now: Date.now }),
      accounts,
      lastSubscriptionId: 0,
      url: this.#url,
      restart: () => {
        // The answer that says so goes out first.
        if (this.#options.bootTime > 0) setImmediate(() => void this.restart());
        else forgetAtRestart(this.#state, {});
      },
    };
  }

  async #boot(options: RestartOptions): Promise<void> {
    const { bootTime = this.#options.bootTime } = options;
    forgetAtRestart(this.#state, options);
    if (bootTime <= 0 || this.#closing.signal.aborted) return;
    await this.#unbind();
    try {
      await sleep(bootTime, undefined, { signal: this.#closing.signal });
      await this.#bind(this.#host, this.#port);
    } catch (error) {
      if (!this.#closing.signal.aborted) throw error;
    }
  }

  async #bind(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  async #unbind(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET';
    const target = request.url ?? '/';
    const path = documentPath(target) ?? target;
    const connection = this.#connections.numberOf(request.socket);
    const record = this.#log.open(method, target, path, request.headers, connection);
    this.#options.onRequest?.(record, this);
    const admission = this.#connections.admit(request, response);
    if (admission === 'stall') return;
    if (admission === 'reset') return cut(request.socket);
    const { delay, instead } = this.faults.strike(method, path);

    const wait = this.#latency + delay;
    const carriedOut = !instead || ('afterRead' in instead && instead.afterRead === true);
    try {
      const body = carriedOut || instead.kind === 'status' || instead.kind === 'garbage' ? await readBody(request) : '';
      if (body !== null) record.body = recordedBody(body);
      if (wait > 0) await sleep(wait, undefined, { signal: this.#closing.signal });
      const busy = admission === '503' ? refuse('ServiceTemporarilyUnavailable', '1') : null;
      const answer = carriedOut ? (busy ?? this.#carryOut({ method, path, target }, request, body)) : null;
      if (instead?.kind === 'hang') return;
      if (instead?.kind === 'reset') return cut(request.socket);
      send(response, (instead && faultAnswer(instead, path)) ?? answer ?? refuse('InternalError'), method);
      record.status = response.statusCode;
    } catch {
      // The client has gone, or the BMC is being closed: there is nobody to answer.
      request.socket.destroy();
    }
  }

  #carryOut(
    line: Pick<RedfishRequest, 'method' | 'path' | 'target'>,
    { headers }: IncomingMessage,
    body: string | null,
  ): Answer {
    if (body === null) return refuse('PayloadTooLarge');
    try {
      return answerRequest({ ...line, headers, body }, this.#state);
    } catch (error) {
      // A defect of the simulator, which must not pass for something that the BMC did.
      console.error(`simulated BMC ${this.#url}: ${line.method} ${line.path}:`, error);
      return refuse('InternalError');
    }
  }
}

/** The body as text; null when it is larger than `MAX_BODY`, its rest then is thrown away. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY) chunks.push(chunk);
  }
  return size > MAX_BODY ? null : Buffer.concat(chunks).toString();
}

function send(response: ServerResponse, answer: Answer, method: string): void {
  response.writeHead(answer.status, {
    'OData-Version': '4.0',
    'Cache-Control': 'no-cache',
    ...answer.headers,
    ...(answer.body === null ? {} : { 'Content-Length': Buffer.byteLength(answer.body) }),
  });
  response.end(method === 'HEAD' ? undefined : (answer.body ?? undefined));
}

/** What Node's parser does not take: a method that is none gets 501 (DSP0266, "HTTP methods"), the rest 400. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const status = error.code === 'HPE_INVALID_METHOD' ? '501 Not Implemented' : '400 Bad Request';
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Ends a connection as a BMC does that restarts: by a reset where TCP can be reached. */
function cut(socket: Socket): void {
  if ('encrypted' in socket) socket.destroy();
  else socket.resetAndDestroy();
}
