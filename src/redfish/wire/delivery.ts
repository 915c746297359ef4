import { pause } from '../../core/waiting.ts';
import { RedfishError, type RedfishErrorKind } from '../errors.ts';
import { retryAfterMs } from './busy.ts';
import type { BmcConnections, ConnectionSettings } from './connection.ts';
import { hasMessage, readExtendedInfo } from './extendedInfo.ts';
import { type Exchange, type ExchangeFailure, exchange, type RawAnswer } from './request.ts';
import { readAnswer } from './response.ts';

/** How long and how often a request is tried. */
export interface RequestLimits {
  /** Milliseconds for one request: connection, request and whole answer. */
  timeoutMs: number;
  /** How often a connection is tried in all; at least 1. */
  connectionAttempts: number;
  /** Milliseconds between two of them. */
  connectionRetryIntervalMs: number;
}

/** The way to one BMC. */
export interface Transport {
  readonly connections: BmcConnections;
  readonly settings: ConnectionSettings;
  /** Told of each request that ended, for logs and figures; it holds no secret. */
  readonly observe?: ((exchange: ObservedExchange) => void) | undefined;
}

/** One request to a BMC and how it ended. */
export interface ObservedExchange {
  origin: string;
  method: string;
  path: string;
  /** Null when there was no answer. */
  status: number | null;
  /** How it failed; null when there was an answer, whatever its status, or the caller left. */
  error: RedfishErrorKind | null;
  durationMs: number;
}

/** So often a request is sent again that the BMC turned away because it was at work on others. */
const MOST_TURNED_AWAY = 4;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** 406 to `Accept-Encoding: identity` (HPE Gen10 Plus, on registries): ask again without it. */
const NOT_ACCEPTABLE = 406;

/**
 * Sends `request` and answers what the BMC said in the end, whatever its status; redirects on the same host are followed
 * with the same verb. A request that never left is tried again as `limits` allow, and a GET whose connection broke is sent
 * once more, and so is what the BMC turned away unhandled; nothing else is repeated.
 *
 * @throws RedfishError of kind `unreachable`, `busy`, `timeout`, `tls`, `outcome-unknown` (a POST, PATCH or DELETE was sent and
 *   nothing came back) or `failed` (redirects that lead nowhere); `signal.reason` when the signal fires; what `beforeSend`
 *   throws, as it is
 * @param beforeSend called in the very tick in which a request is written, of each try anew; when it throws, nothing is sent
 */
export async function deliver(
  transport: Transport,
  request: Exchange,
  limits: RequestLimits,
  signal: AbortSignal,
  beforeSend?: () => void,
): Promise<RawAnswer> {
  let current: Exchange = { ...request, headers: { 'accept-encoding': 'identity', ...request.headers } };
  for (let redirects = 0; ; ) {
    const answer = await repeatWhereSafe(transport, current, limits, signal, beforeSend);
    if (answer.status === NOT_ACCEPTABLE && 'accept-encoding' in current.headers) {
      const { 'accept-encoding': _, ...headers } = current.headers;
      current = { ...current, headers };
      continue;
    }
    if (!REDIRECTS.has(answer.status)) return answer;
    const url = transport.connections.origin + current.path;
    if (++redirects > MAX_REDIRECTS) throw new RedfishError('failed', 'The BMC redirects in a circle', { url });
    current = redirected(current, answer, url);
  }
}

async function repeatWhereSafe(
  transport: Transport,
  request: Exchange,
  limits: RequestLimits,
  signal: AbortSignal,
  beforeSend: (() => void) | undefined,
): Promise<RawAnswer> {
  const { connections, settings } = transport;
  const safe = request.method === 'GET' || request.method === 'HEAD';
  let repeated = false;
  let begun = false;
  let turnedAway = 0;
  for (let attempt = 1; ; ) {
    const start = performance.now();
    const options = { timeoutMs: limits.timeoutMs, signal, begun, beforeSend };
    const outcome = await exchange(connections, settings, request, options);
    begun = true;
    transport.observe?.({
      origin: connections.origin,
      method: request.method,
      path: request.path,
      status: 'answer' in outcome ? outcome.answer.status : null,
      error: 'answer' in outcome ? null : (outcome.failure.error?.kind ?? null),
      durationMs: performance.now() - start,
    });
    if ('answer' in outcome) {
      const { answer } = outcome;
      if (!meansOverload(answer) || ++turnedAway > MOST_TURNED_AWAY) return answer;
      // Its turn comes when fewer are under way.
      await pause(retryAfterMs(answer.headers) ?? 0, signal);
      continue;
    }
    signal.throwIfAborted();
    const { failure } = outcome;
    if (failure.error === null) throw signal.reason;
    const again = !failure.probe && attempt < limits.connectionAttempts;
    if (!failure.sent && failure.error.kind === 'unreachable' && again) {
      attempt++;
      await pause(limits.connectionRetryIntervalMs, signal);
    } else if (safe && failure.sent && failure.broken && !repeated) {
      repeated = true;
    } else {
      throw safe ? failure.error : changingFailure(request.method, failure.error, failure);
    }
  }
}

/**
 * Whether the BMC turned the request away because it serves few at once: 503 while it was at work on others, and no other
 * cause told. 503 is that the request was not handled (RFC 9110, 15.6.4), so that any verb may be sent again.
 */
function meansOverload(answer: RawAnswer): boolean {
  if (!answer.crowded) return false;
  const extendedInfo = readExtendedInfo(readAnswer(answer).document);
  return extendedInfo.length === 0 || hasMessage(extendedInfo, 'ServiceTemporarilyUnavailable');
}

/** What a failure means after a verb that may have changed something. */
function changingFailure(method: string, error: RedfishError, { sent }: ExchangeFailure): RedfishError {
  // `failed`: an answer came, though one without end or that cannot be decoded; its status tells.
  if (!sent || (error.kind === 'failed' && error.status >= 400)) return error;
  const message = `${method} was sent and no answer came, so its outcome is unknown: ${error.message}`;
  return new RedfishError('outcome-unknown', message, { url: error.url, cause: error });
}

/** The request that a redirect asks for. Credentials never leave for another host, port or scheme. */
function redirected(request: Exchange, answer: RawAnswer, url: string): Exchange {
  const location = answer.headers.location;
  if (location === undefined || !URL.canParse(location, url)) {
    throw new RedfishError('failed', 'The BMC redirects without saying where', { status: answer.status, url });
  }
  const target = new URL(location, url);
  if (target.origin !== new URL(url).origin) {
    const message = `The BMC redirects to ${target.origin}, where the credentials must not go; if that is the BMC, make it the address`;
    throw new RedfishError('failed', message, { status: answer.status, url });
  }
  const path = target.pathname + target.search;
  return answer.status === 303 ? { ...request, method: 'GET', path, body: null } : { ...request, path };
}
