// REST: the API of OpenStack Ironic, with jobs and the root documents, as one handler of HTTP requests.
import type { Access } from '../auth/access.ts';
import { isWatch } from '../auth/actions.ts';
import { credentialsOf } from '../auth/credentials.ts';
import { ANONYMOUS, type Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { INTERNAL_MESSAGE, PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { CallsInFlight } from '../edge/callsInFlight.ts';
import { type Cors, createCors, REST_CORS } from '../edge/cors.ts';
import { openScope, REQUEST_ID_HEADER, requestScope, X_REQUEST_ID_HEADER } from '../edge/requestScope.ts';
import type { HttpRequest, HttpResponse } from '../http/message.ts';
import { serveTogether } from '../http/serveTogether.ts';
import { PLAIN_JSON_MINOR } from './apiTable.ts';
import {
  negotiateMinor,
  RANGE_HEADERS,
  requestedVersion,
  STANDARD_VERSION_HEADER,
  VERSION_HEADER,
  versionHeaders,
} from './apiVersion.ts';
import { hasBody, readBody } from './body.ts';
import { type Exchange, header, type MetricsPage } from './context.ts';
import { sendFault, sendHttpError } from './fault.ts';
import { sendEmpty } from './response.ts';
import { createRouter, type Router } from './router.ts';
import { ROUTES } from './routes.ts';

interface RestOptions {
  core: Core;
  access: Access;
  /** Counts the calls of each caller, together with those over RPC. */
  calls: CallsInFlight;
  log: Logger;
  /** Origins whose pages may call from a browser; `*` allows all. Default none. */
  corsOrigins?: readonly string[];
  /** Content of GET /metrics. Default: 404. */
  metrics?: MetricsPage | null;
}

/**
 * Creates the handler of the REST API: Ironic's, jobs, and the root documents, over HTTP/1.1 and HTTP/2. It responds to
 * every path, to unknown ones with Ironic's 404.
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
      jsonSuffix: false,
      headers: [REQUEST_ID_HEADER, scope.id, X_REQUEST_ID_HEADER, scope.id],
    };
    exchange.headers.push(...cors.headers(request));
    void requestScope.run(scope, serve, exchange, router, cors, calls);
  };
}

const NO_BODY = Buffer.alloc(0);

/** An exchange while it is read. One object that is filled in, since this is the hot path. */
type OpenExchange = { -readonly [Key in keyof Exchange]: Exchange[Key] } & { headers: string[] };

/** Serves a request and logs it. Never throws. */
async function serve(exchange: OpenExchange, router: Router, cors: Cors, calls: CallsInFlight): Promise<void> {
  const { request, response, log } = exchange;
  const isTimed = log.isLevelEnabled?.('debug') !== false;
  const started = isTimed ? performance.now() : 0;
  let path: string | null = null;
  try {
    const target = splitTarget(request.url ?? '');
    if (!UNVERSIONED.has(target.path)) target.path = versionedPath(exchange, target.path);
    const found = findRoute(exchange, router, target.path);
    const route = typeof found === 'object' ? found.route : null;
    exchange.action = route?.action;
    exchange.rawQuery = target.query;
    if (typeof found === 'object') exchange.params = found.params;
    refuseForeign(exchange, cors);
    // Browsers send preflight requests without credentials.
    const isOpen = exchange.access.isOpen(exchange.action) || request.method === 'OPTIONS';
    if (isOpen) begin(exchange, calls, null);
    else {
      // Without a wait where there is nothing to wait for: each one takes the longer, the more requests there are.
      const admitted = admit(exchange, calls);
      if (admitted !== null) await admitted;
    }
    if (found === 'malformed') throw new PassthruError('invalid_argument', 'The path is not percent-encoded UTF-8');
    if (found === undefined) sendNoRoute(exchange, router, cors, target.path);
    else {
      path = found.route.path;
      const handled = found.route.handler(exchange);
      if (handled !== undefined) await handled;
    }
  } catch (error) {
    reportFault(exchange, error);
  }
  if (!isTimed) return;
  // The route's path, not the request's: that, its query, and its body may hold a secret.
  const fields = { verb: request.method, path, status: response.statusCode, milliseconds: performance.now() - started };
  log.debug(fields, 'REST request served');
}

/** Counts the call of `caller`, or throws if there are too many. */
function begin({ action, request, response }: OpenExchange, calls: CallsInFlight, caller: Caller | null): void {
  calls.begin({ caller, isWatch: isWatch(action), request, response });
}

/** The paths of this service's own that belong to no version. */
const UNVERSIONED = new Set(['/healthz', '/metrics', '/openapi.json']);

/**
 * Negotiates the version and returns the path of the route under `/v1`. As in Ironic, a path without it, as in the links
 * called `bookmark`, belongs to it, and before version 1.91 a suffix `.json` is ignored.
 */
function versionedPath(exchange: OpenExchange, path: string): string {
  const isNamed = negotiate(exchange);
  if (path === '/') return path;
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path;
  // Ironic does so only for a request that names its version.
  if (!isNamed || exchange.minor >= PLAIN_JSON_MINOR || !trimmed.endsWith('.json')) return underV1(path);
  exchange.jsonSuffix = true;
  return underV1(trimmed.slice(0, -'.json'.length));
}

function underV1(path: string): string {
  return path === '/v1' || path.startsWith('/v1/') ? path : `/v1${path}`;
}

/** Returns the route as the router does; undefined as well for one that the request's version lacks. */
function findRoute({ request, minor }: OpenExchange, router: Router, path: string): ReturnType<Router['find']> {
  const found = router.find(request.method ?? '', path);
  return typeof found === 'object' && minor < found.route.from ? undefined : found;
}

/**
 * Sends the response to what was thrown. If that fails, it is a defect, and the caller gets an internal error, which
 * has no details or headers of its own. Never throws: nothing catches errors of `serve`.
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
 * Authenticates the caller, then reads the body. The body of an unknown caller is discarded; that it is too large takes
 * precedence over the refusal. Returns null when it is done at once.
 */
function admit(exchange: OpenExchange, calls: CallsInFlight): Promise<void> | null {
  const { request, access, action } = exchange;
  try {
    const identity = access.identify(credentialsOf(request), action, exchange);
    if (identity instanceof Promise) return admitLater(exchange, calls, identity);
    exchange.caller = identity;
    begin(exchange, calls, identity);
  } catch (refusal) {
    return refuse(exchange, refusal);
  }
  return hasBody(request) ? keepBody(exchange) : null;
}

async function admitLater(exchange: OpenExchange, calls: CallsInFlight, identity: Promise<Caller>): Promise<void> {
  try {
    exchange.caller = await identity;
    begin(exchange, calls, exchange.caller);
  } catch (refusal) {
    await refuse(exchange, refusal);
  }
  if (hasBody(exchange.request)) await keepBody(exchange);
}

async function refuse({ request }: OpenExchange, refusal: unknown): Promise<never> {
  if (hasBody(request)) await readBody(request, false);
  throw refusal;
}

async function keepBody(exchange: OpenExchange): Promise<void> {
  exchange.body = await readBody(exchange.request);
  await serveTogether();
}

/**
 * Refuses and audits a request from a foreign page, except for reads by GET, whose responses the browser guards. A call
 * by GET is not exempt: a link or an image suffices to send one, along with the user's stored password.
 */
function refuseForeign(exchange: OpenExchange, cors: Cors): void {
  const { request, access, action } = exchange;
  if ((request.method === 'GET' || request.method === 'HEAD') && action !== 'call a method') return;
  try {
    cors.refuseForeign(request);
  } catch (error) {
    access.refuse(action, error, exchange);
    throw error;
  }
}

/**
 * Negotiates the version. Returns whether the request names one. Throws `version_not_acceptable`; that response has the
 * headers of the supported range.
 */
function negotiate(exchange: OpenExchange): boolean {
  let headers = RANGE_HEADERS;
  try {
    const { request } = exchange;
    const requested = requestedVersion(header(request, STANDARD_VERSION_HEADER), header(request, VERSION_HEADER));
    exchange.minor = negotiateMinor(requested);
    headers = versionHeaders(exchange.minor);
    return requested !== undefined;
  } finally {
    exchange.headers.push(...headers);
  }
}

/** Responds to an unknown path, a verb that the path does not support, and OPTIONS (recorded: "OPTIONS"). */
function sendNoRoute(exchange: Exchange, router: Router, cors: Cors, path: string): void {
  const verbs = router.verbsAt(path, exchange.minor);
  const allow = ['Allow', [...verbs, 'OPTIONS'].join(', ')];
  if (verbs.length === 0) sendHttpError(exchange, 404, 'Not Found', '');
  else if (exchange.request.method === 'OPTIONS') {
    sendEmpty(exchange, 200, [...allow, ...cors.preflightHeaders(exchange.request, verbs)]);
  } else sendHttpError(exchange, 405, 'Method Not Allowed', `This path takes ${verbs.join(', ')}`, allow);
}

/** Splits a request's target, in origin form or absolute (RFC 9112, 3.2), into path and query. */
function splitTarget(url: string): { path: string; query: string } {
  const target = url.startsWith('/') ? url : (/^https?:\/\/[^/?#]*(.*)$/i.exec(url)?.[1] ?? '');
  if (target.includes('#')) throw new PassthruError('invalid_argument', "The request's target must not contain '#'");
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark < 0 ? '' : target.slice(mark + 1) };
}
