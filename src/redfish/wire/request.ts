import { setImmediate } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { RedfishError } from '../errors.ts';
import { decodeBody } from './body.ts';
import type { Pass } from './breaker.ts';
import type { BmcConnections, KeyedSettings } from './connection.ts';
import { describeTlsFailure } from './tlsFaults.ts';

/** An HTTP request as it goes over the wire. */
export interface BmcRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Absolute path, encoded, with its query. */
  path: string;
  headers: Record<string, string>;
  /** Null sends none; a POST then has `Content-Length: 0`. */
  body: string | null;
}

/** An HTTP response whose status has decided what became of the request. */
export interface RawResponse {
  status: number;
  /**
   * Names in lower case; the first value of a repeated header, all values of `www-authenticate`, joined. Trimmed, and none
   * is empty.
   */
  headers: Record<string, string>;
  /** Whether an `ETag` came without a value; such a header is not in `headers`. */
  blankEtag?: boolean;
  /** Without content encoding. */
  body: Buffer;
  /** What `jsonOf` has read of the body. */
  json?: unknown;
  /** Whether the body is not whole: what has arrived of it, as far as it can be decoded. */
  cut: boolean;
  /** Whether it is a 503 to a request that was in flight together with others of this service. */
  crowded: boolean;
}

/** How far a request without a response got. */
interface RequestFailure {
  /** Null when the caller's signal fired. */
  error: RedfishError | null;
  /** Whether any part of the request may have reached the BMC. */
  sent: boolean;
  /** Whether the connection or the body of a read broke, rather than that the BMC said nothing in time. */
  broken: boolean;
  /** Whether it was the request that probed a BMC that is down. */
  probe: boolean;
  /** The part of a response that arrived, as it was sent; for the transcript. */
  arrived: Omit<RawResponse, 'crowded'> | undefined;
}

/** Options of `sendOnce`. */
export interface SendOptions {
  /** Time limit for connection, request and whole response, in ms; the wait for a free connection has the same limit. */
  timeoutMs: number;
  signal: AbortSignal;
  /** How long the body of a response may take where its status has decided, in ms. Default: `BODY_MS`. */
  bodyMs?: number | undefined;
  /** Whether the request was tried before, so that it is tried even if the BMC counts as down by now. */
  begun: boolean;
  /**
   * Called in the tick in which the first byte is written, once connected. When it throws, nothing is sent, and the
   * connection stays usable.
   */
  beforeSend?: (() => void) | undefined;
}

/** How long the body may take where the status has decided, in ms: of a success it tells what was made, of others only why. */
const BODY_MS = { success: 10_000, other: 2000 };

/** Above any document that this service requests; a larger response is cut off. */
const MAX_RESPONSE_BYTES = 8 * 1024 * 1024;

/**
 * Sends one request on one connection of the BMC. Repeats nothing, and returns a response of any status. The status is known
 * before the body and decides: a refusal whose body is cut off is that refusal, a success of what changes something is that
 * success. Only a read needs its body.
 *
 * Once any of it was written, a request that may change something goes on when the signal fires, until the BMC responds or the
 * time is over: whoever reserved the machine for it must not free it while the BMC may be at work.
 * @throws `signal.reason` when it fires during the wait for a connection; whatever `lease` and `beforeSend` throw; kind
 *   `unreachable` at once while the BMC is known to be down
 */
export async function sendOnce(
  connections: BmcConnections,
  settings: KeyedSettings,
  request: BmcRequest,
  { timeoutMs, bodyMs, signal, begun, beforeSend }: SendOptions,
): Promise<RawResponse | RequestFailure> {
  if (!begun) connections.breaker.check();
  const lease = await connections.lease(settings, timeoutMs, signal, request.method !== 'GET');
  // What is sent once must not go out on a connection that the BMC has closed already.
  if (lease.kept && request.method !== 'GET') await pendingCloses();
  let pass: Pass;
  try {
    // The BMC may have gone down while this request waited.
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
    let blankEtag = false;
    let size = 0;
    const chunks: Buffer[] = [];

    const end = (healthy: boolean) => {
      settled = true;
      clearTimeout(timer);
      clearTimeout(bodyTimer);
      signal.removeEventListener('abort', onAbort);
      lease.release(healthy);
    };
    const settle = (outcome: RawResponse | RequestFailure, healthy: boolean) => {
      end(healthy);
      resolve(outcome);
    };
    const respond = (cut: boolean): void => {
      const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      const body = decodeBody(whole, headers['content-encoding'], cut, MAX_RESPONSE_BYTES);
      if (body === null && !cut) {
        fail(new RedfishError('failed', UNDECODABLE, { status, url }));
        return;
      }
      pass.end('responded');
      const crowded = status === 503 && lease.turnedAway();
      settle({ status, headers, blankEtag, body: body ?? Buffer.alloc(0), crowded, cut }, !cut);
    };
    const fail = (error: RedfishError | null, broken = false): void => {
      // Releasing an unhealthy connection closes it, which is reported as another error.
      if (settled) return;
      if (error !== null && hasDecided(status, request)) {
        respond(true);
        return;
      }
      if (error?.kind === 'unreachable' && !sent) connections.absences++;
      // A BMC whose TLS is refused, or that breaks connections, is not down: it holds up nobody.
      const silent = error !== null && error.kind !== 'tls' && !(sent && broken);
      pass.end(status > 0 ? 'responded' : silent ? 'silent' : 'abandoned', error?.message);
      const arrived = status > 0 ? { status, headers, body: Buffer.concat(chunks), cut: true } : undefined;
      settle({ error, sent, broken, probe: pass.probe, arrived }, false);
    };
    const expire = (afterMs: number) => {
      const missing = status > 0 ? 'No end of the response' : sent ? 'No response' : 'No connection';
      const error = new RedfishError(sent ? 'timeout' : 'unreachable', `${missing} within ${afterMs / 1000} s`, {
        url,
      });
      fail(error, status > 0);
    };
    const timer = setTimeout(expire, timeoutMs, timeoutMs);
    let bodyTimer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      if (!sent || request.method === 'GET') fail(null);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) return fail(null);

    lease.client.dispatch({ ...request, reset: settings.keepAlive ? null : true } as Dispatcher.DispatchOptions, {
      onRequestStart() {
        // Called once connected, right before the first byte is written.
        try {
          beforeSend?.();
        } catch (error) {
          pass.end('abandoned');
          end(true);
          reject(error);
          // undici then drops the request and leaves the connection as it is.
          throw error;
        }
        sent = true;
      },
      onResponseStart(_controller, statusCode, responseHeaders) {
        // An interim response (1xx) decides nothing.
        if (statusCode < 200) return;
        status = statusCode;
        headers = flatHeaders(responseHeaders);
        blankEtag = responseHeaders.etag !== undefined && headers.etag === undefined;
        if (!hasDecided(status, request)) return;
        const ms = bodyMs ?? (status < 300 ? BODY_MS.success : BODY_MS.other);
        bodyTimer = setTimeout(expire, ms, ms);
      },
      onResponseData(_controller, chunk) {
        size += chunk.length;
        if (size <= MAX_RESPONSE_BYTES) chunks.push(chunk);
        else
          fail(new RedfishError('failed', `The response is larger than ${MAX_RESPONSE_BYTES} bytes`, { status, url }));
      },
      onResponseEnd() {
        respond(false);
      },
      onResponseError(_controller, error) {
        const tls = sent ? null : describeTlsFailure(error);
        if (tls !== null) return fail(new RedfishError('tls', tls, { url, cause: error }));
        const what = status > 0 ? 'the response was cut off: ' : '';
        const reset = sent && status === 0;
        fail(new RedfishError('unreachable', what + describeBreak(error), { url, cause: error, reset }), true);
      },
    });
  });
}

/**
 * Waits until the closes that have reached this machine are noticed; a connection that was closed is then opened again. Two
 * turns of the event loop, as the first may end without polling the sockets again.
 */
async function pendingCloses(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

const UNDECODABLE = 'The response body cannot be decompressed';

/** Whether `status`, 0 before it is known, says what became of the request, whatever its body. */
function hasDecided(status: number, { method }: BmcRequest): boolean {
  return status >= 300 || (status >= 200 && method !== 'GET');
}

export function flatHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase();
    // Every challenge counts; of other repeated headers the first. An empty one is none.
    const all = Array.isArray(value) ? value : [value ?? ''];
    const one = key === 'www-authenticate' ? all.join(', ') : all.find((text) => text.trim() !== '');
    if (one !== undefined && one.trim() !== '') flat[key] = one.trim();
  }
  return flat;
}

/** Describes why a connection failed, with the system's code. */
export function describeBreak(error: Error): string {
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
