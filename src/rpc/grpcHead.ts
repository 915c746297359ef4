import type { IncomingHttpHeaders } from 'node:http';
import { compressionGzip } from '@connectrpc/connect-node';

/** What the header of a gRPC call says. */
export interface GrpcHead {
  /** The time until the deadline in ms; null without one. */
  timeoutMs: number | null;
  /** Whether the message may be compressed, with gzip. */
  isGzip: boolean;
  /** Whether the response may be. */
  acceptsGzip: boolean;
}

/** The media types of messages in binary. Parameters and other cases are left to Connect. */
const BINARY: ReadonlySet<unknown> = new Set(['application/grpc', 'application/grpc+proto']);

const GZIP = compressionGzip.name;
const ACCEPTS_GZIP = new RegExp(`(?:^|,)\\s*${GZIP}\\s*(?:,|$)`);

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
/** The units of timeouts in ms. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Reads the header of a gRPC call (gRPC over HTTP/2, Requests). Returns null for what Connect's handler has to serve or to
 * refuse: another media type, an unknown compression, a timeout that is malformed or over `maxTimeoutMs`.
 */
export function readGrpcHead(headers: IncomingHttpHeaders, maxTimeoutMs: number): GrpcHead | null {
  if (headers[':method'] !== 'POST' || !BINARY.has(headers['content-type']) || headers.expect !== undefined)
    return null;
  const { 'grpc-timeout': timeout, 'grpc-encoding': encoding = 'identity', 'grpc-accept-encoding': accepted } = headers;
  if (encoding !== 'identity' && encoding !== GZIP) return null;
  const timeoutMs = timeout === undefined ? null : readTimeout(String(timeout));
  if (timeoutMs !== null && !(timeoutMs <= maxTimeoutMs)) return null;
  const isGzip = encoding === GZIP;
  // Without a list of its own a caller accepts what it sends.
  const acceptsGzip = accepted === undefined || accepted === '' ? isGzip : ACCEPTS_GZIP.test(String(accepted));
  return { timeoutMs, isGzip, acceptsGzip };
}

/** Returns a timeout in ms; NaN when it is malformed. */
function readTimeout(text: string): number {
  const [, count, unit = ''] = TIMEOUT.exec(text) ?? [];
  return Number(count) * UNITS[unit]!;
}
