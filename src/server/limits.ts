/** What the listener allows one client to take. Times are in milliseconds. */
export interface ListenerLimits {
  /** The largest message of a call over RPC, in bytes after decompression; a larger one gets RESOURCE_EXHAUSTED. */
  readMaxBytes: number;
  /** The largest answer over RPC, in bytes: an attachment's, with little around it. */
  writeMaxBytes: number;
  /** The longest deadline that a call over RPC may have; streams are exempt. */
  maxTimeout: number;
  /** The largest header of a request, in bytes. */
  maxHeaderBytes: number;
  /** How long a new connection may be silent. */
  firstBytesTimeout: number;
  /** How long a request's header may take over HTTP/1.1. */
  headersTimeout: number;
  /** How long a request may take to arrive whole. A stream of requests (server reflection) is exempt. */
  requestTimeout: number;
  /** How long an HTTP/1.1 connection is kept for its next request. */
  keepAliveTimeout: number;
  /** How often an HTTP/2 session is asked for a sign of life, and how long it may take: one that gives none is destroyed. */
  pingInterval: number;
  /** How long an HTTP/2 session is kept without a stream. */
  sessionIdleTimeout: number;
  /** How many calls and streams one HTTP/2 connection may have open. */
  maxConcurrentStreams: number;
}

export const DEFAULT_LIMITS: Readonly<ListenerLimits> = {
  readMaxBytes: 1024 * 1024,
  writeMaxBytes: 64 * 1024 * 1024,
  maxTimeout: 60 * 60 * 1000,
  maxHeaderBytes: 16 * 1024,
  firstBytesTimeout: 10_000,
  headersTimeout: 20_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 65_000,
  pingInterval: 20_000,
  sessionIdleTimeout: 15 * 60 * 1000,
  maxConcurrentStreams: 1000,
};
