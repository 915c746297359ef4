import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { RedfishError } from '../errors.ts';
import type { Pass, TryEnd } from './breaker.ts';
import type { BmcConnections, ConnectionSettings } from './connection.ts';
import { describeTlsFailure } from './tls.ts';

/** One HTTP request as it goes over the wire. */
export interface Exchange {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE';
  /** Absolute path, encoded, with its query. */
  path: string;
  headers: Record<string, string>;
  /** Null for none; then `Content-Length: 0` goes with a POST. */
  body: string | null;
}

/** A whole answer. */
export interface RawAnswer {
  status: number;
  /** Names in lower case; of a repeated header the first, of `www-authenticate` all, joined. */
  headers: Record<string, string>;
  /** Decoded of any content encoding. */
  body: Buffer;
  /** Whether it is a 503 to a request that was under way beside others of this service. */
  crowded: boolean;
}

/** How far a failed exchange came. */
export interface ExchangeFailure {
  /** Null when the caller's signal fired. */
  error: RedfishError | null;
  /** Whether the request, or a part of it, may have reached the BMC. */
  sent: boolean;
  /** Whether the connection broke (rather than the time running out). */
  broken: boolean;
  /** Whether it was the one request that tried a BMC that is down. */
  probe: boolean;
}

/** How one exchange is made. */
export interface ExchangeOptions {
  /** Milliseconds for connection, request and whole answer; before that, as many to wait for a free connection. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Whether this is another try of a request, so that it is made even when the BMC counts as down by now. */
  begun: boolean;
  /**
   * Called in the very tick in which the first byte is written, when the connection stands. When it throws, nothing is
   * sent, and the connection can still be used.
   */
  beforeSend?: (() => void) | undefined;
}

export type ExchangeOutcome = { answer: RawAnswer } | { failure: ExchangeFailure };

/** Larger than any document that this service asks for; a BMC that sends more is cut off. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/**
 * One request and its answer on one connection of the BMC. Nothing is repeated and no status is judged.
 * @throws `signal.reason` when it fires while the exchange waits for a connection; what `lease` and `beforeSend` throw,
 *   as it is; kind `unreachable` at once while the BMC is known to be down
 */
export async function exchange(
  connections: BmcConnections,
  settings: ConnectionSettings,
  request: Exchange,
  { timeoutMs, signal, begun, beforeSend }: ExchangeOptions,
): Promise<ExchangeOutcome> {
  if (!begun) connections.breaker.check();
  const lease = await connections.lease(settings, timeoutMs, signal);
  let pass: Pass;
  try {
    // It may have gone down while this request waited.
    pass = connections.breaker.admit(begun);
  } catch (error) {
    lease.release(true);
    throw error;
  }
  const url = connections.origin + request.path;
  return new Promise((resolve, reject) => {
    let sent = false;
    let settled = false;
    let status = 0;
    let headers: Record<string, string> = {};
    let size = 0;
    const chunks: Buffer[] = [];

    const leave = (healthy: boolean) => {
      settled = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      lease.release(healthy);
    };
    const settle = (outcome: ExchangeOutcome, healthy: boolean) => {
      leave(healthy);
      resolve(outcome);
    };
    const fail = (error: RedfishError | null, broken = false) => {
      // Giving back a connection that is not healthy ends it, which is told as another error.
      if (settled) return;
      if (error?.kind === 'unreachable' && !sent) connections.absences++;
      pass.end(endOf(error), error?.message);
      settle({ failure: { error, sent, broken, probe: pass.probe } }, false);
    };
    const timer = setTimeout(() => {
      const what = sent ? 'No answer' : 'No connection';
      fail(new RedfishError(sent ? 'timeout' : 'unreachable', `${what} within ${timeoutMs / 1000} s`, { url }));
    }, timeoutMs);
    const onAbort = () => fail(null);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return fail(null);

    lease.client.dispatch({ ...request, reset: settings.keepAlive ? null : true } as Dispatcher.DispatchOptions, {
      onRequestStart() {
        // Called when the connection stands, right before the first byte is written.
        try {
          beforeSend?.();
        } catch (error) {
          pass.end('left');
          leave(true);
          reject(error);
          // undici then takes the request off the connection, which it leaves as it is.
          throw error;
        }
        sent = true;
      },
      onResponseStart(_controller, statusCode, responseHeaders) {
        status = statusCode;
        headers = flatHeaders(responseHeaders);
      },
      onResponseData(_controller, chunk) {
        size += chunk.length;
        if (size <= MAX_ANSWER_BYTES) chunks.push(chunk);
        else fail(new RedfishError('failed', `The answer is larger than ${MAX_ANSWER_BYTES} bytes`, { status, url }));
      },
      onResponseEnd() {
        const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
        const body = decodeBody(whole, headers['content-encoding']);
        if (body !== null) {
          pass.end('answered');
          const crowded = status === 503 && lease.turnedAway();
          settle({ answer: { status, headers, body, crowded } }, true);
        } else fail(new RedfishError('failed', 'The body of the answer cannot be decompressed', { status, url }));
      },
      onResponseError(_controller, error) {
        const tls = sent ? null : describeTlsFailure(error);
        if (tls !== null) fail(new RedfishError('tls', tls, { url, cause: error }));
        else fail(new RedfishError('unreachable', describeBreak(error), { url, cause: error }), true);
      },
    });
  });
}

/** What a failure says of the BMC. One whose TLS is not to our liking is there; so is one whose answer is too large. */
function endOf(error: RedfishError | null): TryEnd {
  if (error === null || error.kind === 'tls') return 'left';
  return error.kind === 'failed' ? 'answered' : 'silent';
}

function flatHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    // Of the challenges every one counts; of what else a BMC repeats, the first.
    const one = Array.isArray(value) ? (key === 'www-authenticate' ? value.join(', ') : value[0]) : value;
    if (one !== undefined) flat[key] = one;
  }
  return flat;
}

/** `body` without its content encoding; null when it cannot be decoded. Some BMCs compress though asked not to. */
function decodeBody(body: Buffer, encoding: string | undefined): Buffer | null {
  if (encoding === undefined || encoding === 'identity' || body.length === 0) return body;
  const limit = { maxOutputLength: MAX_ANSWER_BYTES };
  try {
    if (encoding === 'gzip' || encoding === 'x-gzip') return gunzipSync(body, limit);
    if (encoding === 'deflate') return inflateSync(body, limit);
    if (encoding === 'br') return brotliDecompressSync(body, limit);
  } catch {
    return null;
  }
  return null;
}

/** What broke a connection, in words and with the system's code. */
function describeBreak(error: Error): string {
  const inner = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined;
  const code = [inner, error].map((e) => (e !== undefined && 'code' in e ? String(e.code) : '')).find((c) => c !== '');
  const words = BREAKS[code ?? ''] ?? 'the connection failed';
  return code === undefined ? words : `${words} (${code})`;
}

const BREAKS: Record<string, string> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name cannot be resolved now',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_SOCKET: 'the connection was closed',
};
