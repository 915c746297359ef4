import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { compressionGzip } from '@connectrpc/connect-node';
import type { Access } from '../auth/access.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { isRequestStream, type RpcServices, rpcRoutes, SERVICES } from '../rpc/routes.ts';
import { sniffHttpVersion } from './firstBytes.ts';
import { guardSession } from './http2Session.ts';
import { DEFAULT_LIMITS, type ListenerLimits } from './limits.ts';
import { createOriginGate } from './originGate.ts';
import { createRpcAdapter } from './rpcAdapter.ts';
import { createRpcCors } from './rpcCors.ts';
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
  /** What differs from `DEFAULT_LIMITS`. */
  limits?: Partial<ListenerLimits>;
}

export interface Listener {
  /** For example `http://127.0.0.1:6385`. */
  url: string;
  /**
   * Takes no new connections, tells HTTP/2 peers to go away and ends all RPC streams; waits up to `graceMs`
   * milliseconds for calls, aborts the rest with `shutting_down`, and destroys what is left. Resolves when no socket is
   * open.
   */
  close(graceMs: number): Promise<void>;
}

/** Handlers may need this long to answer what was aborted, in milliseconds. */
const ABORT_GRACE = 250;

/** Answers shorter than this many bytes are not worth compressing. */
const COMPRESS_MIN_BYTES = 16 * 1024;

/** What a page that may not call is told, as Connect words an error. */
const FOREIGN_PAGE = JSON.stringify({
  code: 'permission_denied',
  message: 'Pages of this origin may not call the service; its configuration lists the ones that may (cors_origins)',
});

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
  const sessions = new Set<ServerHttp2Session>();

  const rpc = createRpcAdapter({
    routes: rpcRoutes({ services, core, access, log, endStreams: endStreams.signal }),
    access,
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
  const handle = routeRequests(services.pathPrefixes, rpc, rest, options.corsOrigins, log);

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
    { settings: { maxConcurrentStreams: limits.maxConcurrentStreams, maxHeaderListSize: limits.maxHeaderBytes } },
    handle,
  );

  // The HTTP/1.1 server itself listens, because only a server that listens arms its timers. Its own handler of
  // connections stands behind the one that tells the versions apart.
  const ready = secure === null ? 'connection' : 'secureConnection';
  const serveHttp1 = server.listeners(ready) as ((socket: Socket) => void)[];
  server.removeAllListeners(ready);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on(ready, (socket: Socket) => {
    sniffHttpVersion(socket, limits.firstBytesTimeout, {
      http1: (socket) => {
        for (const serve of serveHttp1) serve.call(server, socket);
      },
      http2: (socket) => {
        // Node's HTTP/1.1 server takes half-open connections. Over HTTP/2 a peer that closes its side has gone, and what
        // waits for its flow control would keep the connection until a ping fails.
        socket.allowHalfOpen = false;
        http2Server.once('session', (session) => {
          sessions.add(session);
          session.once('close', () => sessions.delete(session));
          guardSession(session, socket, limits, (path) => !isRequestStream(path));
        });
        http2Server.emit('connection', socket);
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

  return {
    url: `${secure === null ? 'http' : 'https'}://${authority(host, (server.address() as AddressInfo).port)}`,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const reason = new PassthruError('shutting_down', 'The service is shutting down; try again shortly.');
      endStreams.abort(reason);
      for (const session of sessions) session.close();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
      // A kept HTTP/1.1 connection becomes idle with its last answer.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      if (!(await endsWithin(closed, graceMs))) {
        endCalls.abort(reason);
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

/** Tells RPC from REST by the path, once, so that REST passes through nothing else. */
function routeRequests(
  rpcPrefixes: readonly string[],
  rpc: HttpHandler,
  rest: HttpHandler,
  origins: readonly string[],
  log: Logger,
): HttpHandler {
  const cors = createRpcCors(origins);
  const mayCall = createOriginGate(origins);
  return (request, response) => {
    const path = request.url ?? '';
    if (!rpcPrefixes.some((prefix) => path.startsWith(prefix))) {
      rest(request, response);
      return;
    }
    const allowed = cors(request);
    if (allowed !== null) {
      for (const [name, value] of Object.entries(allowed.headers)) response.setHeader(name, value);
      if (allowed.isPreflight) {
        response.statusCode = 204;
        response.end();
        return;
      }
    }
    const { host, ':authority': authority = host, origin } = request.headers;
    if (!mayCall(origin, authority as string | undefined)) {
      response.statusCode = 403;
      response.setHeader('Content-Type', 'application/json');
      response.end(FOREIGN_PAGE);
      return;
    }
    try {
      rpc(request, response);
    } catch (error) {
      // The adapter makes a URL of the Host header, which may be missing or malformed.
      log.debug({ err: error }, 'a request over RPC was malformed');
      response.statusCode = 400;
      response.end();
    }
  };
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
