// The sockets: one port for HTTP/1.1 and HTTP/2 with their limits and TLS; its handler comes from outside.
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { PassthruError, shuttingDown } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { Connections } from './connections.ts';
import { guardSession } from './http2Session.ts';
import { type ConfiguredLimits, FIXED_LIMITS, type FixedLimits, type ListenerLimits } from './limits.ts';
import type { HttpHandler, StreamHandler } from './message.ts';
import { sniffHttpVersion } from './sniffProtocol.ts';
import type { ListenerTls } from './tls.ts';

export interface ListenerOptions {
  /** The address or name to listen on; an IPv6 address without brackets. */
  host: string;
  /** 0 for any free port. */
  port: number;
  log: Logger;
  /** Serves every request. */
  handle: HttpHandler;
  /** Serves those requests over HTTP/2 that it can do faster than `handle`. Default: none. */
  handleStream?: StreamHandler;
  /** Whether the request at `path` is subject to `requestTimeout`; streams of requests are not. */
  endsInTime(path: string | undefined): boolean;
  /** Aborted, with kind `shutting_down`, by `Listener.drain` (streams) and at the end of the grace period (calls). */
  stop: { readonly streams: AbortController; readonly calls: AbortController };
  /** Makes the port speak TLS only, with HTTP/2 and HTTP/1.1 by ALPN. Default: unencrypted. */
  tls?: ListenerTls | null;
  limits: ConfiguredLimits & Partial<FixedLimits>;
}

export interface Listener {
  /** For example `http://127.0.0.1:6385`. */
  url: string;
  /**
   * Ends all streams and sends GOAWAY to HTTP/2 clients; each HTTP/1.1 connection closes with its next response. New
   * connections are still accepted, so that their clients learn that the service is stopping.
   */
  drain(): void;
  /**
   * Drains, stops accepting connections, waits up to `graceMs` ms for calls, aborts the rest with `shutting_down`, and
   * destroys what is left. Resolves when no socket is open.
   */
  close(graceMs: number): Promise<void>;
}

/** How long handlers may take to respond to aborted calls, in ms. */
const ABORT_GRACE = 250;

/** Sent when the connection limit is reached. */
const NO_ROOM = 'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** The idle time before TCP probes a silent peer, in ms: HTTP/1.1 has no ping of its own. */
const TCP_KEEP_ALIVE = 30_000;

/**
 * Listens for HTTP/1.1 and HTTP/2 on one port: with prior knowledge, or by ALPN under TLS.
 * @throws kind `failed_precondition` when the address or the TLS files cannot be used
 */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const { host, port, log, stop, tls = null } = options;
  const limits: ListenerLimits = { ...FIXED_LIMITS, ...options.limits };
  const connections = new Connections(limits);
  const limited = limitPipelining(options.handle, connections, limits, stop.streams);
  const server = await createHttp1Server(tls, limits, log, limited);
  const http2Server = createHttp2Server(
    {
      settings: { maxConcurrentStreams: limits.maxConcurrentStreams, maxHeaderListSize: limits.maxHeaderBytes },
      maxSessionMemory: limits.maxSessionMemory,
      // A client may cancel all its calls at once, as when they share a deadline.
      streamResetBurst: limits.maxConcurrentStreams,
      streamResetRate: limits.streamResetRate,
    },
    options.handle,
  );
  const sessions = new Map<ServerHttp2Session, Socket>();
  serveStreams(http2Server, sessions, options.handleStream);
  acceptConnections(server, tls !== null, connections, limits, (socket) => {
    beginSession(http2Server, socket, sessions, connections, limits, options.endsInTime);
  });
  await listen(server, host, port);
  server.on('error', (error) => log.error({ err: error }, 'accepting a connection failed'));
  endQuietConnections(server, connections, limits.stallTimeout);

  const reason = shuttingDown();
  const drain = () => {
    stop.streams.abort(reason);
    for (const session of sessions.keys()) session.close();
  };
  return {
    url: `${tls === null ? 'http' : 'https'}://${authority(host, (server.address() as AddressInfo).port)}`,
    drain,
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      drain();
      for (const socket of connections.sockets()) if (socket.bytesRead === 0) socket.destroy();
      // A kept-alive HTTP/1.1 connection becomes idle with its last response.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      if (!(await settlesWithin(closed, graceMs))) {
        stop.calls.abort(reason);
        if (!(await settlesWithin(closed, ABORT_GRACE))) {
          for (const session of sessions.keys()) session.destroy();
          for (const socket of connections.sockets()) socket.destroy();
        }
      }
      clearInterval(sweep);
      await closed;
    },
  };
}

type Http1Handler = (request: IncomingMessage, response: ServerResponse) => void;
type StreamListener = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
) => void;

/** Creates the server of HTTP/1.1, under TLS if `tls` is given. It listens too: only then does Node arm its timers. */
async function createHttp1Server(
  tls: ListenerTls | null,
  limits: ListenerLimits,
  log: Logger,
  handle: Http1Handler,
): Promise<HttpServer> {
  const options = {
    maxHeaderSize: limits.maxHeaderBytes,
    // Node refuses a longer time for the header than for the whole request.
    headersTimeout: Math.min(limits.headersTimeout, limits.requestTimeout),
    requestTimeout: limits.requestTimeout,
    keepAliveTimeout: limits.keepAliveTimeout,
    connectionsCheckingInterval: Math.min(limits.headersTimeout, limits.requestTimeout, 10_000) / 2,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE,
    noDelay: true,
    // A request without a body needs no stream that ends.
    optimizeEmptyRequests: true,
  };
  if (tls === null) return createServer(options, handle);
  // Imported on demand, for a fast start without TLS.
  const { createTlsServer } = await import('./tls.ts');
  return createTlsServer(tls, { ...options, handshakeTimeout: limits.firstBytesTimeout }, log, handle);
}

/**
 * Returns the handler of HTTP/1.1 requests. It closes a connection that pipelines too many, each of which would wait in
 * memory for its predecessors (RFC 9112, 9.3.2), and every connection once the service is stopping.
 */
function limitPipelining(
  handle: Http1Handler,
  connections: Connections,
  limits: ListenerLimits,
  { signal }: AbortController,
): Http1Handler {
  return (request, response) => {
    // A kept-alive connection would outlive the listener.
    if (signal.aborted) response.setHeader('Connection', 'close');
    if (namesTwoHosts(request) || addressesAnother(request)) {
      response.writeHead(400, { Connection: 'close' }).end();
      return;
    }
    const connection = connections.of(request.socket);
    if (connection !== undefined) {
      if (connection.pending >= limits.maxConcurrentStreams) {
        connection.destroy();
        return;
      }
      connection.begin();
      response.on('close', connection.onClose);
    }
    handle(request, response);
  };
}

/**
 * Ends the HTTP/1.1 connections of `server` on which nothing happens for too long: a kept one after `keepAliveTimeout`, and one
 * whose client reads nothing of a pending response after `stallTimeout` ms, as `endStalledStream` does over HTTP/2.
 */
function endQuietConnections(server: HttpServer, connections: Connections, stallTimeout: number): void {
  // One timer of the connection, where `response.setTimeout` would set another for each response.
  server.timeout = stallTimeout;
  server.on('timeout', (socket) => {
    const isIdle = (connections.of(socket)?.pending ?? 0) === 0;
    // Pending data is in the socket, behind earlier pipelined responses.
    if (isIdle || socket.writableLength > 0) socket.destroy();
  });
}

/** Whether `request` has several Host fields (RFC 9112, 3.2); nghttp2 refuses them over HTTP/2. A proxy may read another. */
function namesTwoHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts > 1;
}

/**
 * Whether the target of `request` is a URL (RFC 9112, 3.2.2) of another host than its Host field, which such a target
 * overrides: what checks the one and what serves the other would differ.
 */
function addressesAnother({ url = '', headers }: IncomingMessage): boolean {
  if (url.startsWith('/')) return false;
  const [, authority] = /^https?:\/\/([^/?#]*)/i.exec(url) ?? [];
  return authority !== undefined && authority.toLowerCase() !== headers.host?.toLowerCase();
}

/** Admits the connections of `server` within the limits, and passes those of HTTP/2 to `serveHttp2`. */
function acceptConnections(
  server: HttpServer,
  isSecure: boolean,
  connections: Connections,
  limits: ListenerLimits,
  serveHttp2: (socket: Socket) => void,
): void {
  const ready = isSecure ? 'secureConnection' : 'connection';
  // The server's own connection handlers run once the version of HTTP is known.
  const serveHttp1 = server.listeners(ready) as ((socket: Socket) => void)[];
  server.removeAllListeners(ready);
  server.on('connection', (socket: Socket) => {
    if (!connections.admit(socket)) rejectConnection(socket, isSecure);
  });
  server.on(ready, (socket: Socket) => {
    if (socket.destroyed || socket.writableEnded) return;
    sniffHttpVersion(socket, limits.firstBytesTimeout, {
      http1: (socket) => {
        for (const serve of serveHttp1) serve.call(server, socket);
        if (isSecure) socket.on('data', keepFromParser);
      },
      http2: (socket) => {
        // Without ALPN Node creates no session (RFC 9113, 3.2). When the server has closed, no one would end the
        // session.
        if (!server.listening || (isSecure && (socket as TLSSocket).alpnProtocol !== 'h2')) socket.destroy();
        else serveHttp2(socket);
      },
    });
  });
}

/** Has the streams of `http2Server` served by `handleStream`, and those that it leaves by the handler of requests. */
function serveStreams(
  http2Server: Http2Server,
  sessions: ReadonlyMap<ServerHttp2Session, Socket>,
  handleStream: StreamHandler = () => false,
): void {
  // Node's own listener makes a request and a response of a stream for the handler of requests.
  const serveRequests = http2Server.listeners('stream') as StreamListener[];
  http2Server.removeAllListeners('stream');
  http2Server.on('stream', ((stream, headers, flags, rawHeaders) => {
    const socket = sessions.get(stream.session as ServerHttp2Session);
    if (socket === undefined || stream.closed) {
      // The stream was reset, or its session has ended, before it was served.
      stream.on('error', () => {});
      return;
    }
    if (handleStream({ stream, headers, rawHeaders, socket })) return;
    for (const serve of serveRequests) serve.call(http2Server, stream, headers, flags, rawHeaders);
  }) satisfies StreamListener);
}

/** Starts the HTTP/2 session of `socket`, with its guard; `sessions` holds it while it is open. */
function beginSession(
  http2Server: Http2Server,
  socket: Socket,
  sessions: Map<ServerHttp2Session, Socket>,
  connections: Connections,
  limits: ListenerLimits,
  endsInTime: (path: string | undefined) => boolean,
): void {
  // Node's HTTP/1.1 server accepts half-open connections. Over HTTP/2 a peer that has closed its side is gone, and data
  // waiting for its flow control would keep the connection until a ping fails.
  socket.allowHalfOpen = false;
  http2Server.once('session', (session) => {
    sessions.set(session, socket);
    session.once('close', () => sessions.delete(session));
    guardSession(session, socket, connections.of(socket), limits, endsInTime);
  });
  http2Server.emit('connection', socket);
}

/**
 * A 'data' listener that does nothing: any listener keeps Node's parser from reading the socket past the stream. Under
 * TLS the parser continues to read while Node has paused it, which happens when a request arrives before the client has
 * read a large response; a body in a TLS record of its own then ended the connection (HPE_PAUSED; Node 24.21).
 */
function keepFromParser(): void {}

/** Closes a connection over the limit, with a 503 in HTTP/1.1 as its protocol is not known yet; under TLS without. */
function rejectConnection(socket: Socket, isSecure: boolean): void {
  socket.on('error', () => {});
  if (isSecure) socket.destroy();
  else socket.end(NO_ROOM, () => socket.destroy());
}

async function listen(server: HttpServer, host: string, port: number): Promise<void> {
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code = 'refused by the system' } = error as NodeJS.ErrnoException;
    const message = `Cannot listen on ${authority(host, port)}: ${LISTEN_PROBLEMS[code] ?? code}`;
    throw new PassthruError('failed_precondition', message, { cause: error });
  }
}

function authority(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is already in use',
  EACCES: 'permission denied; ports below 1024 require a privilege',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name is unknown',
};

/** Whether `promise` settles within `ms` milliseconds. */
async function settlesWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([promise.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
