// The wire: sends one request to one BMC, with connections, TLS, retries and the circuit breaker.
import { RedfishError, type RedfishErrorKind } from '../errors.ts';
import type { CallTranscript } from '../transcript/callTranscript.ts';
import type { BmcConnections, KeyedSettings } from './connection.ts';
import { type Patience, Repeats } from './repeat.ts';
import { type BmcRequest, type RawResponse, type SendOptions, sendOnce } from './request.ts';

/** The time and the number of tries of a request, and where each is recorded. */
export interface RequestLimits extends Patience {
  /** Time limit for one request (connection, request and whole response), in ms. */
  timeoutMs: number;
  /** See `SendOptions.bodyMs`; for tests. */
  bodyMs?: number | undefined;
  /** Maximum number of connection attempts; at least 1. */
  connectionAttempts: number;
  /** The time between two attempts, in ms. */
  connectionRetryIntervalMs: number;
  /** Records each try; not given for a call that is not recorded. */
  transcript?: CallTranscript | undefined;
}

/** How a request is delivered. */
interface DeliveryOptions extends Pick<SendOptions, 'signal' | 'beforeSend'> {
  limits: RequestLimits;
  /** The request's repeats so far. Default: none, of a read for a GET. */
  repeats?: Repeats;
}

/** How requests reach one BMC. */
export interface Transport {
  readonly connections: BmcConnections;
  readonly settings: KeyedSettings;
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

const HEADERS = { accept: 'application/json', 'odata-version': '4.0', 'accept-encoding': 'identity' };
/** The maximum number of redirects that are followed, and their statuses. */
export const MAX_REDIRECTS = 5;
export const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** The response of HPE Gen10 Plus to `Accept-Encoding: identity` on registries; the request is repeated without it. */
const NOT_ACCEPTABLE = 406;

/**
 * Sends `request` and returns the final response of any status. Follows redirects on the same host, with the same verb.
 * Repeats only what is safe: a request that was never sent, as often as `limits` allow, and what `Repeats` allows. When the
 * signal fires, a POST, PATCH or DELETE that was written is not left alone: its response is returned if one comes in time.
 *
 * @throws RedfishError of kind `unreachable`, `busy`, `timeout`, `tls`, `outcome-unknown` (a POST, PATCH or DELETE was sent
 *   and got no response) or `failed` (invalid redirects); `signal.reason` when the signal fires; whatever `beforeSend` throws
 */
export async function deliver(
  transport: Transport,
  request: BmcRequest,
  options: DeliveryOptions,
): Promise<RawResponse> {
  const defaults = request.body === null ? HEADERS : { ...HEADERS, 'content-type': 'application/json' };
  let current: BmcRequest = { ...request, headers: { ...defaults, ...request.headers } };
  const { patienceMs, pause } = options.limits;
  const { repeats = new Repeats(request.method === 'GET' ? 'read' : 'change', patienceMs, pause) } = options;
  for (let redirects = 0; ; ) {
    const response = await repeatWhereSafe(transport, current, options, repeats);
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
  { connections, settings, observe }: Transport,
  request: BmcRequest,
  { limits, signal, beforeSend }: DeliveryOptions,
  repeats: Repeats,
): Promise<RawResponse> {
  let begun = false;
  for (let attempt = 1; ; ) {
    const start = performance.now();
    const { timeoutMs, bodyMs } = limits;
    const options = { timeoutMs, bodyMs, signal, begun, beforeSend };
    const send = () => sendOnce(connections, settings, request, options);
    const outcome = await (limits.transcript === undefined ? send() : recorded(limits.transcript, request, send));
    begun = true;
    const responded = 'status' in outcome;
    observe?.({
      origin: connections.origin,
      method: request.method,
      path: request.path,
      status: responded ? outcome.status : null,
      error: responded ? null : (outcome.error?.kind ?? null),
      durationMs: performance.now() - start,
    });
    if (responded) {
      if (await repeats.afterResponse(outcome, signal)) continue;
      return outcome;
    }
    const { error, sent, broken, probe } = outcome;
    if (signal.aborted || error === null) throw signal.reason;
    if (!sent && error.kind === 'unreachable' && !probe && attempt < limits.connectionAttempts) {
      attempt++;
      await repeats.beforeConnecting(limits.connectionRetryIntervalMs, signal);
    } else if (!sent || !broken || !(await repeats.afterBreak(signal))) {
      throw request.method === 'GET' || !sent ? error : unsafeFailure(request.method, error);
    }
  }
}

/** Runs `send`, and records how it ends. */
async function recorded(transcript: CallTranscript, request: BmcRequest, send: () => ReturnType<typeof sendOnce>) {
  const start = performance.now();
  try {
    const outcome = await send();
    transcript.add(request, start, 'arrived' in outcome ? { ...outcome.arrived, ...outcome } : outcome);
    return outcome;
  } catch (error) {
    transcript.add(request, start, { error, sent: false });
    throw error;
  }
}

/** Returns the error of a POST, PATCH or DELETE that was sent and got no status. */
function unsafeFailure(method: string, error: RedfishError): RedfishError {
  const message = `${method} was sent and got no response, so its outcome is unknown: ${error.message}`;
  return new RedfishError('outcome-unknown', message, { url: error.url, reset: error.reset, cause: error });
}

/**
 * Returns the request for a redirect. Credentials are never sent to another host, port or scheme.
 * @throws kind `failed` where it leads elsewhere
 */
export function redirected(request: BmcRequest, response: RawResponse, url: string): BmcRequest {
  const { status, headers } = response;
  const target = headers.location === undefined ? null : URL.parse(headers.location, url);
  if (target === null) throw new RedfishError('failed', 'The BMC redirects without a valid Location', { status, url });
  if (target.origin !== new URL(url).origin) {
    const message = `The BMC redirects to ${target.origin}, which must not get the credentials; if that is the BMC, set redfish_address to it`;
    throw new RedfishError('failed', message, { status, url });
  }
  const path = target.pathname + target.search;
  if (isRedfish(request.path) && !isRedfish(path)) {
    const message = `The BMC redirects to ${target.pathname}, which is outside of Redfish, as web servers do without a valid session`;
    throw new RedfishError('failed', message, { status, url, strayed: true });
  }
  return status === 303 ? { ...request, method: 'GET', path, body: null } : { ...request, path };
}

function isRedfish(path: string): boolean {
  return /\/redfish(?:[/?#]|$)/i.test(path);
}
