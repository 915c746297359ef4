import type { Caller } from '../core/caller.ts';
import type { Core } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import { sendEmpty } from './answer.ts';
import { negotiateMinor, RANGE_HEADERS, VERSION_HEADER, versionHeaders } from './apiVersion.ts';
import { type Cors, createCors } from './cors.ts';
import { type Exchange, header, type RestRequest, type RestResponse } from './exchange.ts';
import { sendFault, sendHttpError } from './fault.ts';
import { createRouter, type Router } from './router.ts';
import { ROUTES } from './routes.ts';

export interface RestOptions {
  core: Core;
  log: Logger;
  /** The origins whose pages may call from a browser; `*` allows all. Default none. */
  corsOrigins?: readonly string[];
}

/** Nobody proves who they are while `auth.type` is none. */
const ANONYMOUS: Caller = { name: 'anonymous' };

/**
 * Ironic's REST API, `GET /v1/jobs` and `GET /healthz`, over either version of HTTP. It answers every path: one that
 * it does not know with Ironic's 404.
 */
export function createRestHandler(options: RestOptions): (request: RestRequest, response: RestResponse) => void {
  const { core, log, corsOrigins = [] } = options;
  const router = createRouter(ROUTES);
  const cors = createCors(corsOrigins);

  return (request, response) => {
    const started = performance.now();
    const exchange: Exchange = {
      request,
      response,
      core,
      log,
      caller: ANONYMOUS,
      rawQuery: '',
      params: {},
      minor: 1,
      headers: cors.headers(request),
    };
    serve(exchange, router, cors).then((path) => {
      // Neither the query nor a body: they may hold a secret.
      log.debug(
        { verb: request.method, path, status: response.statusCode, milliseconds: performance.now() - started },
        'a REST request was answered',
      );
    });
  };
}

/** Answers, whatever happens. Resolves to the path of the route for the log, null when there is none. */
async function serve(bare: Exchange, router: Router, cors: Cors): Promise<string | null> {
  let exchange = bare;
  let path: string | null = null;
  try {
    const target = splitTarget(bare.request.url ?? '');
    if (target.path === '/v1' || target.path.startsWith('/v1/')) {
      // A version that is refused is answered with the range that is not.
      exchange = { ...bare, headers: [...RANGE_HEADERS, ...bare.headers] };
      const minor = negotiateMinor(header(bare.request, VERSION_HEADER));
      exchange = { ...bare, minor, headers: [...versionHeaders(minor), ...bare.headers] };
    }
    cors.refuseForeign(bare.request);
    const verb = bare.request.method ?? '';
    const found = router.find(verb, target.path);
    if (found === 'malformed') throw new PassthruError('invalid_argument', 'The path is not percent-encoded UTF-8');
    if (found === undefined) {
      answerNoRoute(exchange, router, cors, target.path);
      return null;
    }
    path = found.route.path;
    exchange = { ...exchange, rawQuery: target.query, params: found.params };
    await found.route.handler(exchange);
  } catch (error) {
    sendFault(exchange, error);
  }
  return path;
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
