/**
 * What the listener allows one client to take. Times are in milliseconds.
 *
 * What Node and its nghttp2 bound by themselves is not set again; `test/http/http2Abuse.test.ts` holds them to it: a
 * connection is ended after 1,000 resets of streams (33 more a second; CVE-2023-44487), 1,000 frames that are empty or
 * invalid, 1,000 pings or settings not yet acknowledged, 8 CONTINUATION frames in one header, 100 streams over the bound.
 */
export interface ListenerLimits {
  /** The largest message of a call over RPC, in bytes after decompression; a larger one gets RESOURCE_EXHAUSTED. */
  readMaxBytes: number;
  /** The largest answer over RPC, in bytes: an attachment's, with little around it. */
  writeMaxBytes: number;
  /** The longest deadline that a call over RPC may have; streams are exempt. */
  maxTimeout: number;
  /** The largest header of a request, in bytes. */
  maxHeaderBytes: number;
  /** How many connections may be open: one more ends the one that is idle longest, or is answered with 503. */
  maxConnections: number;
  /** The same for one peer: an IPv4 address, or the /64 of an IPv6 address. */
  maxConnectionsPerPeer: number;
  /** How long a new connection may be silent. */
  firstBytesTimeout: number;
  /** How long a request's header may take over HTTP/1.1. */
  headersTimeout: number;
  /** How long a request may take to arrive whole. A stream of requests (server reflection) is exempt. */
  requestTimeout: number;
  /** How long a client may take nothing of an answer that waits for it. */
  stallTimeout: number;
  /** How long an HTTP/1.1 connection is kept for its next request. */
  keepAliveTimeout: number;
  /** How often an HTTP/2 session is asked for a sign of life, and how long it may take: one that gives none is destroyed. */
  pingInterval: number;
  /** How long an HTTP/2 session is kept without a stream. */
  sessionIdleTimeout: number;
  /**
   * How old an HTTP/2 session becomes, and up to a tenth more, before it is told to go away, so that callers spread over
   * replicas anew; its calls and streams end in peace.
   */
  sessionMaxAge: number;
  /**
   * How many calls and streams one HTTP/2 connection may have open. One of HTTP/1.1 that sends so many requests before the
   * answer to the first is ended.
   */
  maxConcurrentStreams: number;
  /**
   * How much an HTTP/2 connection may hold of answers that wait for its client before a new call on it is refused, in
   * megabytes. Node's own bound, 10, refuses calls beside one large answer.
   */
  maxSessionMemory: number;
  /**
   * How many PING and SETTINGS frames an HTTP/2 client may send a second, and twice as many at once. gRPC clients that
   * measure their bandwidth send one for each burst of data.
   */
  maxControlFrames: number;
}

export const DEFAULT_LIMITS: Readonly<ListenerLimits> = {
  readMaxBytes: 1024 * 1024,
  writeMaxBytes: 64 * 1024 * 1024,
  maxTimeout: 60 * 60 * 1000,
  maxHeaderBytes: 16 * 1024,
  maxConnections: 4000,
  maxConnectionsPerPeer: 1000,
  firstBytesTimeout: 10_000,
  headersTimeout: 20_000,
  requestTimeout: 60_000,
  stallTimeout: 60_000,
  keepAliveTimeout: 65_000,
  pingInterval: 20_000,
  sessionIdleTimeout: 15 * 60 * 1000,
  sessionMaxAge: 60 * 60 * 1000,
  maxConcurrentStreams: 1000,
  maxSessionMemory: 256,
  maxControlFrames: 1000,
};
