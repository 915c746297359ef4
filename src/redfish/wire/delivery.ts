// The wire: sends one request to one BMC, with connections, TLS, retries and the circuit breaker.
import { pause } from '../../core/waiting.ts';
import { RedfishError, type RedfishErrorKind } from '../errors.ts';
import { retryAfterMs } from './busy.ts';
import type { BmcConnections, ConnectionSettings } from './connection.ts';
import { hasMessage, readExtendedInfo } from './extendedInfo.ts';
import { type BmcRequest, type RawResponse, type RequestFailure, sendOnce } from './request.ts';
import { readResponse } from './response.ts';

/** The time and the number of tries of a request. */
export interface RequestLimits {
  /** Time limit for one request (connection, request and whole response), in ms. */
  timeoutMs: number;
  /** Maximum number of connection attempts; at least 1. */
  connectionAttempts: number;
  /** The time between two attempts, in ms. */
  connectionRetryIntervalMs: number;
}

/** How requests reach one BMC. */
export interface Transport {
  readonly connections: BmcConnections;
  readonly settings: ConnectionSettings;
  /** Receives each request that ended, without secrets, for logs and metrics. */
  readonly observe?: ((exchange: ObservedExchange) => void) | undefined;
}

/** A request to a BMC and its result. */
export interface ObservedExchange {
  origin: string;
  method: string;
  path: string;
  /** Null when there was no response. */
  status: number | null;
  /** Null when there was a response of any status, or the caller aborted. */
  error: RedfishErrorKind | null;
  durationMs: number;
}

/** How often a request is repeated that the BMC turned away because it was busy with others. */
const MAX_OVERLOAD_RETRIES = 4;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The response of HPE Gen10 Plus to `Accept-Encoding: identity` on registries; the request is repeated without it. */
const NOT_ACCEPTABLE = 406;

/**
 * Sends `request` and returns the final response, whatever its status. Follows redirects on the same host, with the same
 * verb. Repeats only what is safe: a request that was never sent, as often as `limits` allow; a GET whose connection broke,
 * once; a request that the BMC turned away unprocessed.
 *
 * @param beforeSend called in the tick in which each try is written; when it throws, nothing is sent
 * @throws RedfishError of kind `unreachable`, `busy`, `timeout`, `tls`, `outcome-unknown` (a POST, PATCH or DELETE was sent
 *   and got no response) or `failed` (invalid redirects); `signal.reason` when the signal fires; whatever `beforeSend` throws
 */
export async function deliver(
  transport: Transport,
  request: BmcRequest,
  limits: RequestLimits,
  signal: AbortSignal,
  beforeSend?: () => void,
): Promise<RawResponse> {
  let current: BmcRequest = { ...request, headers: { 'accept-encoding': 'identity', ...request.headers } };
  for (let redirects = 0; ; ) {
    const response = await repeatWhereSafe(transport, current, limits, signal, beforeSend);
    if (response.status === NOT_ACCEPTABLE && 'accept-encoding' in current.headers) {
      const { 'accept-encoding': _, ...headers } = current.headers;
      current = { ...current, headers };
      continue;
    }
    if (!REDIRECTS.has(response.status)) return response;
    const url = transport.connections.origin + current.path;
    if (++redirects > MAX_REDIRECTS) throw new RedfishError('failed', 'The BMC redirects in a loop', { url });
    current = redirected(current, response, url);
  }
}

async function repeatWhereSafe(
  transport: Transport,
  request: BmcRequest,
  limits: RequestLimits,
  signal: AbortSignal,
  beforeSend: (() => void) | undefined,
): Promise<RawResponse> {
  const { connections, settings } = transport;
  const safe = request.method === 'GET' || request.method === 'HEAD';
  let repeated = false;
  let begun = false;
  let overloads = 0;
  for (let attempt = 1; ; ) {
    const start = performance.now();
    const options = { timeoutMs: limits.timeoutMs, signal, begun, beforeSend };
    const outcome = await sendOnce(connections, settings, request, options);
    begun = true;
    transport.observe?.({
      origin: connections.origin,
      method: request.method,
      path: request.path,
      status: 'response' in outcome ? outcome.response.status : null,
      error: 'response' in outcome ? null : (outcome.failure.error?.kind ?? null),
      durationMs: performance.now() - start,
    });
    if ('response' in outcome) {
      const { response } = outcome;
      if (!meansOverload(response) || ++overloads > MAX_OVERLOAD_RETRIES) return response;
      // `sendOnce` waits until fewer requests are in flight.
      await pause(retryAfterMs(response.headers) ?? 0, signal);
      continue;
    }
    signal.throwIfAborted();
    const { failure } = outcome;
    if (failure.error === null) throw signal.reason;
    const retry = !failure.probe && attempt < limits.connectionAttempts;
    if (!failure.sent && failure.error.kind === 'unreachable' && retry) {
      attempt++;
      await pause(limits.connectionRetryIntervalMs, signal);
    } else if (safe && failure.sent && failure.broken && !repeated) {
      repeated = true;
    } else {
      throw safe ? failure.error : unsafeFailure(request.method, failure.error, failure);
    }
  }
}

/**
 * Whether the BMC turned the request away because it serves few at once: 503 while others were in flight, and no other
 * cause given. 503 means that the request was not handled (RFC 9110, 15.6.4), so that any verb may be repeated.
 */
function meansOverload(response: RawResponse): boolean {
  if (!response.crowded) return false;
  const extendedInfo = readExtendedInfo(readResponse(response).document);
  return extendedInfo.length === 0 || hasMessage(extendedInfo, 'ServiceTemporarilyUnavailable');
}

/** Returns the error of a failed POST, PATCH or DELETE. */
function unsafeFailure(method: string, error: RedfishError, { sent }: RequestFailure): RedfishError {
  // `failed` is a response, too large or not decodable, whose status says what happened.
  if (!sent || (error.kind === 'failed' && error.status >= 400)) return error;
  const message = `${method} was sent and got no response, so its outcome is unknown: ${error.message}`;
  return new RedfishError('outcome-unknown', message, { url: error.url, cause: error });
}

/** Returns the request for a redirect. Credentials are never sent to another host, port or scheme. */
function redirected(request: BmcRequest, response: RawResponse, url: string): BmcRequest {
  const location = response.headers.location;
  if (location === undefined || !URL.canParse(location, url)) {
    throw new RedfishError('failed', 'The BMC redirects without a valid Location', { status: response.status, url });
  }
  const target = new URL(location, url);
  if (target.origin !== new URL(url).origin) {
    const message = `The BMC redirects to ${target.origin}, which must not get the credentials; if that is the BMC, set redfish_address to it`;
    throw new RedfishError('failed', message, { status: response.status, url });
  }
  const path = target.pathname + target.search;
  return response.status === 303 ? { ...request, method: 'GET', path, body: null } : { ...request, path };
}
