import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { compressionGzip } from '@connectrpc/connect-node';
import type { Access } from '../auth/access.ts';
import { RETRY_AFTER_SECONDS } from '../contract/errorMapping.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { requestScope } from '../core/requestScope.ts';
import { CallsInFlight } from '../edge/callsInFlight.ts';
import { openScope, REQUEST_ID_HEADER, rpcWay } from '../edge/requestScope.ts';
import { createRpcCors } from '../edge/rpcCors.ts';
import { isLocalAuthority } from '../net/hostGate.ts';
import { createOriginGate } from '../net/origins.ts';
import { rpcAction } from '../rpc/actions.ts';
import { createRpcAdapter } from '../rpc/adapter.ts';
import { isRequestStream, type RpcServices, rpcRoutes, SERVICES } from '../rpc/routes.ts';
import { Connections } from './connections.ts';
import { guardSession } from './http2Session.ts';
import { DEFAULT_LIMITS, type ListenerLimits } from './limits.ts';
import { SessionStarts } from './sessionPacing.ts';
import { sniffHttpVersion } from './sniffProtocol.ts';
import { endStalledAnswer } from './stallTimeout.ts';
import type { ListenerTls } from './tls.ts';

type HttpRequest = IncomingMessage | Http2ServerRequest;
type HttpResponse = ServerResponse | Http2ServerResponse;
type HttpHandler = (request: HttpRequest, response: HttpResponse) => void;

export interface ListenerOptions {
  /** An address or name to listen at; an IPv6 address without brackets. */
  host: string;
  /** 0 for any free port. */
  port: number;
  core: Core;
  /** Who may call over RPC; over REST `rest` asks by itself. */
  access: Access;
  log: Logger;
  /** What is served over RPC. Default: what the service serves; the conformance suite has services of its own. */
  services?: RpcServices;
  /** Answers every request that is no RPC, CORS included. */
  rest: HttpHandler;
  /** The origins whose pages may call over Connect and gRPC-Web; `*` allows all. */
  corsOrigins: readonly string[];
  /** With it the port speaks TLS alone, with HTTP/2 and HTTP/1.1 by ALPN. Default: it speaks none. */
  tls?: ListenerTls | null;
  /** Whether requests are refused that call the service by another name than one of this machine; see `isLocalAuthority`. */
  localNamesOnly?: boolean;
  /** Counts the calls of each caller; over REST `rest` does so by itself. Default: those over RPC alone. */
  calls?: CallsInFlight;
  /** What differs from `DEFAULT_LIMITS`. */
  limits?: Partial<ListenerLimits>;
}

export interface Listener {
  /** For example `http://127.0.0.1:6385`. */
  url: string;
  /**
   * Ends all RPC streams and tells HTTP/2 peers to go away; each HTTP/1.1 connection ends with its next answer. New
   * connections are still taken, so that whoever comes is told that the service stops.
   */
  drain(): void;
  /**
   * As `drain`, and takes no new connections; waits up to `graceMs` milliseconds for calls, aborts the rest with `shutting_down`, and destroys what is left. Resolves when no socket is
   * open.
   */
  close(graceMs: number): Promise<void>;
}

/** Handlers may need this long to answer what was aborted, in milliseconds. */
const ABORT_GRACE = 250;

/** Answers shorter than this many bytes are not worth compressing. */
const COMPRESS_MIN_BYTES = 16 * 1024;

/** What a request is told that is not even asked who makes it: as Connect words an error, and as Ironic does. */
interface Refused {
  error: PassthruError;
  body: string;
}

const FOREIGN_PAGE = refused(
  'Pages of this origin may not call the service; its configuration lists the ones that may (cors_origins)',
);
const FOREIGN_NAME = refused(
  'While the service believes everybody (auth.type: none) it is to be called localhost, 127.0.0.1 or [::1]',
);

/** What a client for whom there is no room is told. */
const NO_ROOM = `HTTP/1.1 503 Service Unavailable\r\nRetry-After: ${RETRY_AFTER_SECONDS}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;

/** How often TCP asks after a silent peer, in milliseconds: HTTP/1.1 has no ping of its own. */
const TCP_KEEP_ALIVE = 30_000;

/**
 * Listens for gRPC, gRPC-Web, Connect and REST on one port, over HTTP/1.1 and HTTP/2 with prior knowledge or, under TLS,
 * by ALPN.
 *
 * A quiet stream is kept alive by HTTP/2 pings. Over HTTP/1.1 (Connect and gRPC-Web) there is nothing that could be
 * sent between two messages: a proxy there must allow quiet connections.
 *
 * @throws kind `failed_precondition` when the address cannot be listened at, or TLS not spoken with those files
 */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { host, port, core, access, log, services = SERVICES, rest, tls = null } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const endStreams = new AbortController();
  const endCalls = new AbortController();
  const sockets = new Set<Socket>();
  const connections = new Connections(limits);
  const sessions = new Set<ServerHttp2Session>();

  const rpc = createRpcAdapter({
    routes: rpcRoutes({ services, core, access, log, endStreams: endStreams.signal }),
    access,
    calls: options.calls ?? new CallsInFlight(),
    log,
    readMaxBytes: limits.readMaxBytes,
    writeMaxBytes: limits.writeMaxBytes,
    maxTimeoutMs: limits.maxTimeout,
    shutdownSignal: endCalls.signal,
    // Not brotli: Node's default level takes a hundred times as long.
    acceptCompression: [compressionGzip],
    compressMinBytes: COMPRESS_MIN_BYTES,
    // A misspelt field is told instead of dropped, as REST does.
    jsonOptions: { ignoreUnknownFields: false, registry: services.registry },
  });
  const route = routeRequests(services.pathPrefixes, rpc, rest, options, log);
  const handle: HttpHandler = (request, response) => {
    // Its client has taken it back before it was even looked at.
    if ((request as Partial<Http2ServerRequest>).stream?.closed) return;
    endStalledAnswer(response, limits.stallTimeout);
    route(request, response);
  };

  const http1Options = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    connectionsCheckingInterval: Math.min(limits.headersTimeout, limits.requestTimeout, 10_000) / 2,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE,
    noDelay: true,
  };
  const handleHttp1 = (request: IncomingMessage, response: ServerResponse) => {
    // A kept connection would outlive the listener.
    if (endStreams.signal.aborted) response.setHeader('Connection', 'close');
    const connection = connections.of(request.socket);
    if (connection !== undefined) {
      if (connection.underWay >= limits.maxConcurrentStreams) {
        // One behind another (RFC 9112, 9.3.2), each would wait in memory for those before it.
        connection.destroy();
        return;
      }
      connection.begin();
      response.once('close', () => connection.end());
    }
    handle(request, response);
  };
  // Loaded when it is wanted, as most of what is configured is.
  const secure =
    tls === null
      ? null
      : (await import('./tls.ts')).createTlsServer(
          tls,
          { ...http1Options, handshakeTimeout: limits.firstBytesTimeout },
          log,
          handleHttp1,
        );
  const server = secure ?? createServer(http1Options, handleHttp1);
  const http2Server = createHttp2Server(
    {
      settings: { maxConcurrentStreams: limits.maxConcurrentStreams, maxHeaderListSize: limits.maxHeaderBytes },
      maxSessionMemory: limits.maxSessionMemory,
    },
    handle,
  );

  // The HTTP/1.1 server itself listens, because only a server that listens arms its timers. Its own handler of
  // connections stands behind the one that tells the versions apart.
  const starts = new SessionStarts();
  const beginSession = (socket: Socket) => {
    if (!server.listening) {
      // It has closed meanwhile, and nobody would tell the session to go.
      socket.destroy();
      return;
    }
    // Node's HTTP/1.1 server takes half-open connections. Over HTTP/2 a peer that closes its side has gone, and what waits
    // for its flow control would keep the connection until a ping fails.
    socket.allowHalfOpen = false;
    http2Server.once('session', (session) => {
      sessions.add(session);
      session.once('close', () => sessions.delete(session));
      guardSession(session, socket, connections.of(socket), limits, {
        awaitsEnd: (path) => !isRequestStream(path),
        abused: () => starts.abused(socket),
      });
    });
    http2Server.emit('connection', socket);
  };
  const ready = secure === null ? 'connection' : 'secureConnection';
  const serveHttp1 = server.listeners(ready) as ((socket: Socket) => void)[];
  server.removeAllListeners(ready);
  server.on('connection', (socket: Socket) => {
    if (!connections.admit(socket)) {
      turnAway(socket, secure === null);
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on(ready, (socket: Socket) => {
    if (socket.destroyed || socket.writableEnded) return;
    sniffHttpVersion(socket, limits.firstBytesTimeout, {
      http1: (socket) => {
        for (const serve of serveHttp1) serve.call(server, socket);
        if (secure !== null) socket.on('data', keepFromParser);
      },
      http2: (socket) => {
        // Node makes no session of what the handshake has not agreed on (RFC 9113, 3.2).
        if (secure !== null && (socket as TLSSocket).alpnProtocol !== 'h2') socket.destroy();
        else starts.begin(socket, () => beginSession(socket));
      },
    });
  });

  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new PassthruError(
      'failed_precondition',
      `Cannot listen on ${authority(host, port)}: ${listenProblem(error)}`,
      {
        cause: error,
      },
    );
  }
  server.on('error', (error) => log.error({ err: error }, 'the listener failed to take a connection'));
  const stopping = new PassthruError('shutting_down', 'The service is shutting down; try again shortly.');
  const drain = () => {
    endStreams.abort(stopping);
    for (const session of sessions) session.close();
  };

  return {
    drain,
    url: `${secure === null ? 'http' : 'https'}://${authority(host, (server.address() as AddressInfo).port)}`,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      drain();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      // A kept HTTP/1.1 connection becomes idle with its last answer.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      if (!(await endsWithin(closed, graceMs))) {
        endCalls.abort(stopping);
        if (!(await endsWithin(closed, ABORT_GRACE))) {
          for (const session of sessions) session.destroy();
          for (const socket of sockets) socket.destroy();
        }
      }
      clearInterval(sweep);
      await closed;
    },
  };
}

type RoutingOptions = Pick<ListenerOptions, 'corsOrigins' | 'localNamesOnly' | 'access'>;

/** Tells RPC from REST by the path, once, so that REST passes through nothing else. */
function routeRequests(
  rpcPrefixes: readonly string[],
  rpc: HttpHandler,
  rest: HttpHandler,
  { corsOrigins: origins, localNamesOnly = false, access }: RoutingOptions,
  log: Logger,
): HttpHandler {
  const cors = createRpcCors(origins);
  const mayCall = createOriginGate(origins);
  return (request, response) => {
    const path = request.url ?? '';
    const { host, ':authority': authority = host, origin } = request.headers;
    const isRpc = rpcPrefixes.some((prefix) => path.startsWith(prefix));
    const isForeignName = localNamesOnly && !isLocalAuthority(authority as string | undefined);
    if (!isRpc && !isForeignName) {
      rest(request, response);
      return;
    }
    const scope = openScope(request, isRpc ? rpcWay(request.headers) : 'rest');
    const refuse = ({ error, body }: Refused) => {
      const action = isRpc ? rpcAction(path.slice(1).split('?', 1)[0] ?? '') : undefined;
      requestScope.run(scope, () => access.refuse(action, error));
      response.statusCode = 403;
      response.setHeader('Content-Type', 'application/json');
      response.end(body);
    };
    if (isForeignName) {
      refuse(FOREIGN_NAME);
      return;
    }
    response.setHeader(REQUEST_ID_HEADER, scope.id);
    const allowed = cors(request);
    if (allowed !== null) {
      for (const [name, value] of Object.entries(allowed.headers)) response.setHeader(name, value);
      if (allowed.isPreflight) {
        response.statusCode = 204;
        response.end();
        return;
      }
    }
    if (!mayCall(origin, authority as string | undefined)) {
      refuse(FOREIGN_PAGE);
      return;
    }
    try {
      requestScope.run(scope, rpc, request, response);
    } catch (error) {
      // The adapter makes a URL of the Host header, which may be missing or malformed.
      log.debug({ err: error }, 'a request over RPC was malformed');
      response.statusCode = 400;
      response.end();
    }
  };
}

/**
 * Whoever listens for the data of a connection keeps Node's parser from reading it past the stream. Under TLS it reads on
 * when Node has paused it, which it does when a request comes before the client has taken the whole of a large answer: a
 * body in a TLS record of its own then ended the connection (HPE_PAUSED; Node 24.21).
 */
function keepFromParser(): void {}

function refused(message: string): Refused {
  const fault = { faultcode: 'Client', faultstring: message, debuginfo: null };
  const body = JSON.stringify({ code: 'permission_denied', message, error_message: JSON.stringify(fault) });
  return { error: new PassthruError('permission_denied', message), body };
}

/** Tells a client for whom there is no room, in HTTP/1.1: what it speaks it has not said yet. Under TLS nothing can be told. */
function turnAway(socket: Socket, isPlain: boolean): void {
  socket.on('error', () => {});
  if (isPlain) socket.end(NO_ROOM, () => socket.destroy());
  else socket.destroy();
}

function authority(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function listenProblem(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'EADDRINUSE':
      return 'another process listens there already';
    case 'EACCES':
      return 'this user may not listen there; ports below 1024 need a privilege';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name is not known';
    default:
      return code ?? 'the system refused it';
  }
}

/** Whether `promise` is settled within `ms` milliseconds. */
async function endsWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([promise.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
