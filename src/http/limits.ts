import { constants, type ServerHttp2Stream } from 'node:http2';

/** The limits that the configuration sets (`limits`). */
export interface ConfiguredLimits {
  /** The maximum number of open connections; one more closes the longest idle one, or gets 503. */
  maxConnections: number;
  /** The same for one peer: an IPv4 address, or the /64 of an IPv6 address. */
  maxConnectionsPerPeer: number;
  /**
   * How long a request may take to arrive completely, in ms. Over HTTP/2 it is noticed up to 5 s later. Streams of requests
   * are exempt.
   */
  requestTimeout: number;
  /**
   * The age, plus up to a tenth, at which an HTTP/2 session gets GOAWAY, in ms, so that callers spread over replicas
   * again. Its open calls and streams continue.
   */
  sessionMaxAge: number;
}

/** The limits that are fixed, except in tests. Times are in ms. */
export interface FixedLimits {
  /** The largest request header, in bytes. */
  maxHeaderBytes: number;
  /** How long a new connection may stay silent. */
  firstBytesTimeout: number;
  /** How long a request's header may take to arrive over HTTP/1.1. */
  headersTimeout: number;
  /** How long a client may read nothing of a pending response. Over HTTP/2 it is noticed up to 5 s later. */
  stallTimeout: number;
  /** How long an HTTP/1.1 connection is kept for its next request. */
  keepAliveTimeout: number;
  /** The interval of PINGs on an HTTP/2 session; one that is unanswered after it ends the connection. */
  pingInterval: number;
  /** How long an HTTP/2 session is kept without streams. */
  sessionIdleTimeout: number;
  /**
   * The maximum number of open streams of an HTTP/2 connection. An HTTP/1.1 connection that pipelines as many requests
   * before the first response is closed.
   */
  maxConcurrentStreams: number;
  /** The streams per second that a client may reset beyond a burst of `maxConcurrentStreams` (CVE-2023-44487). */
  streamResetRate: number;
  /**
   * The memory, in MB, that an HTTP/2 connection may hold of responses that wait for its client; above it new streams
   * are refused. Node's default, 10, refuses calls beside one large response.
   */
  maxSessionMemory: number;
  /**
   * The maximum number of PING and SETTINGS frames per second of an HTTP/2 client, with bursts of twice as many. gRPC
   * clients that estimate their bandwidth send one per burst of data.
   */
  maxControlFrames: number;
}

/**
 * The limits of one client. Those that nghttp2 enforces by itself are not repeated; `test/http/http2Abuse.test.ts`
 * verifies them: a connection ends after 1,000 empty or invalid frames, 1,000 unacknowledged PINGs or SETTINGS, 8
 * CONTINUATION frames in one header, 100 streams over the maximum.
 */
export type ListenerLimits = ConfiguredLimits & FixedLimits;

export const FIXED_LIMITS: Readonly<FixedLimits> = {
  maxHeaderBytes: 16 * 1024,
  firstBytesTimeout: 10_000,
  headersTimeout: 20_000,
  stallTimeout: 60_000,
  keepAliveTimeout: 65_000,
  pingInterval: 20_000,
  sessionIdleTimeout: 15 * 60 * 1000,
  maxConcurrentStreams: 1000,
  streamResetRate: 33,
  maxSessionMemory: 256,
  maxControlFrames: 1000,
};

/**
 * Ends a response over HTTP/2 whose client reads nothing for `timeout` ms while data is pending: it would stay in memory for
 * as long as the client likes. A response that is quiet because there is nothing to send stays open.
 */
export function endStalledStream(stream: ServerHttp2Stream, timeout: number): void {
  stream.setTimeout(timeout, () => {
    if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
  });
}
