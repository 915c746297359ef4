import type { Access } from '../auth/access.ts';
import { credentialsOf } from '../auth/credentials.ts';
import { ANONYMOUS, type Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { INTERNAL_MESSAGE, PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { CallsInFlight } from '../edge/callsInFlight.ts';
import { type Cors, createCors, REST_CORS } from '../edge/cors.ts';
import { openScope, REQUEST_ID_HEADER, requestScope } from '../edge/requestScope.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { negotiateMinor, RANGE_HEADERS, VERSION_HEADER, versionHeaders } from './apiVersion.ts';
import { dropBody, readBody } from './body.ts';
import { type Exchange, header, type MetricsPage } from './context.ts';
import { sendFault, sendHttpError } from './fault.ts';
import { sendEmpty } from './response.ts';
import { createRouter, type Router } from './router.ts';
import { ROUTES } from './routes.ts';

export interface RestOptions {
  core: Core;
  access: Access;
  /** Counts the calls of each caller, together with those over RPC. */
  calls: CallsInFlight;
  log: Logger;
  /** The origins whose pages may call from a browser; `*` allows all. Default none. */
  corsOrigins?: readonly string[];
  /** What GET /metrics answers. Default: it is not there. */
  metrics?: MetricsPage | null;
}

/**
 * Ironic's REST API, `GET /v1/jobs` and `GET /healthz`, over either version of HTTP. It answers every path: one that
 * it does not know with Ironic's 404.
 */
export function createRestHandler(options: RestOptions): (request: HttpRequest, response: HttpResponse) => void {
  const { core, access, calls, log, corsOrigins = [], metrics = null } = options;
  const router = createRouter(ROUTES);
  const cors = createCors(corsOrigins, REST_CORS);

  return (request, response) => {
    const scope = openScope(request, 'rest');
    const exchange = {
      request,
      response,
      guardedCore: core,
      access,
      log,
      metrics,
      caller: ANONYMOUS,
      action: undefined,
      body: NO_BODY,
      rawQuery: '',
      params: {},
      minor: 1,
      headers: [REQUEST_ID_HEADER, scope.id, ...cors.headers(request)],
    };
    void requestScope.run(scope, serve, exchange, router, cors, calls);
  };
}

const NO_BODY = Buffer.alloc(0);

/** An exchange while it is still being read. One object that is filled in, for this is on every request's way. */
type OpenExchange = { -readonly [Key in keyof Exchange]: Exchange[Key] };

/** Answers, whatever happens, and logs that it did. */
async function serve(exchange: OpenExchange, router: Router, cors: Cors, calls: CallsInFlight): Promise<void> {
  const started = performance.now();
  const { request, response } = exchange;
  let path: string | null = null;
  try {
    const target = splitTarget(request.url ?? '');
    if (target.path === '/v1' || target.path.startsWith('/v1/')) negotiate(exchange);
    const found = router.find(request.method ?? '', target.path);
    const route = typeof found === 'object' ? found.route : null;
    exchange.action = route?.action;
    refuseForeign(exchange, cors);
    // A browser asks by OPTIONS before it sends credentials.
    const isOpen = exchange.access.isOpen(exchange.action) || request.method === 'OPTIONS';
    const begin = (caller: Caller | null) =>
      calls.begin({ caller, isWatch: exchange.action === 'watch a job', request, response });
    if (isOpen) begin(null);
    else await admit(exchange, begin);
    if (found === 'malformed') throw new PassthruError('invalid_argument', 'The path is not percent-encoded UTF-8');
    if (found === undefined) answerNoRoute(exchange, router, cors, target.path);
    else {
      path = found.route.path;
      exchange.rawQuery = target.query;
      exchange.params = found.params;
      await found.route.handler(exchange);
    }
  } catch (error) {
    reportFault(exchange, error);
  }
  if (exchange.log.isLevelEnabled?.('debug') === false) return;
  // The route's path, not the request's: that, its query, and its body may hold a secret.
  const fields = { verb: request.method, path, status: response.statusCode, milliseconds: performance.now() - started };
  exchange.log.debug(fields, 'REST request served');
}

/**
 * Sends the response to what was thrown. If that fails, it is a defect, and the caller gets an internal error, which has no
 * details or headers of its own. Never throws: nothing catches errors of `serve`.
 */
function reportFault(exchange: Exchange, thrown: unknown): void {
  try {
    sendFault(exchange, thrown);
  } catch (error) {
    try {
      sendFault(exchange, new PassthruError('internal', INTERNAL_MESSAGE, { cause: error }));
    } catch {
      exchange.response.destroy();
    }
  }
}

/**
 * Learns who calls, and then reads the body: that of somebody unknown is not kept. A body that is too large is told whoever
 * sends it.
 * @param begin lets the call of who it is begin, or throws
 */
async function admit(exchange: OpenExchange, begin: (caller: Caller) => void): Promise<void> {
  const { request, access, action } = exchange;
  try {
    const identity = access.identify(credentialsOf(request), action);
    exchange.caller = identity instanceof Promise ? await identity : identity;
    begin(exchange.caller);
  } catch (refusal) {
    await dropBody(request);
    throw refusal;
  }
  exchange.body = await readBody(request);
}

/**
 * Refuses and audits a request from a foreign page, except for reads by GET, whose responses the browser guards. A call by
 * GET is not exempt: a link or an image suffices to send one, along with the user's stored password.
 */
function refuseForeign({ request, access, action }: OpenExchange, cors: Cors): void {
  if ((request.method === 'GET' || request.method === 'HEAD') && action !== 'call a method') return;
  try {
    cors.refuseForeign(request);
  } catch (error) {
    access.refuse(action, error);
    throw error;
  }
}

/** Agrees on the version. Throws `version_not_acceptable`, which is answered with the range that is. */
function negotiate(exchange: OpenExchange): void {
  const own = exchange.headers;
  exchange.headers = joined(RANGE_HEADERS, own);
  exchange.minor = negotiateMinor(header(exchange.request, VERSION_HEADER));
  exchange.headers = joined(versionHeaders(exchange.minor), own);
}

function joined(headers: readonly string[], more: readonly string[]): readonly string[] {
  return more.length === 0 ? headers : [...headers, ...more];
}

/** A path that is not there, a verb that it does not take, or OPTIONS, which every path takes (recorded: "OPTIONS"). */
function answerNoRoute(exchange: Exchange, router: Router, cors: Cors, path: string): void {
  const verbs = router.verbsAt(path);
  const allow = ['Allow', [...verbs, 'OPTIONS'].join(', ')];
  if (verbs.length === 0) sendHttpError(exchange, 404, 'Not Found', '');
  else if (exchange.request.method === 'OPTIONS') {
    sendEmpty(exchange, 200, [...allow, ...cors.preflightHeaders(exchange.request, verbs)]);
  } else sendHttpError(exchange, 405, 'Method Not Allowed', `This path takes ${verbs.join(', ')}`, allow);
}

/** Path and query of a request's target: RFC 9112, 3.2, in origin form or, as for a proxy, absolute. */
function splitTarget(url: string): { path: string; query: string } {
  const target = url.startsWith('/') ? url : (/^https?:\/\/[^/?#]*(.*)$/i.exec(url)?.[1] ?? '');
  if (target.includes('#')) throw new PassthruError('invalid_argument', "The request's target must not contain '#'");
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? '' : target.slice(mark + 1) };
}
