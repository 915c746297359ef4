import type { Action } from '../auth/actions.ts';
import { PassthruError } from '../core/errors.ts';
import { createOriginGate } from '../net/origins.ts';
import type { RestRequest } from '../rest/context.ts';
import { requestAuthority } from '../rest/links.ts';

const ALLOWED_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'Last-Event-ID',
  'Passthru-Lock-Wait',
  'X-Auth-Token',
  'X-OpenStack-Ironic-API-Version',
  'X-OpenStack-Request-ID',
  'traceparent',
  'tracestate',
].join(', ');

const EXPOSED_HEADERS = [
  'Allow',
  'Content-Disposition',
  'Location',
  'OpenStack-Request-Id',
  'Passthru-Job-Id',
  'Retry-After',
  'WWW-Authenticate',
  'X-OpenStack-Ironic-API-Maximum-Version',
  'X-OpenStack-Ironic-API-Minimum-Version',
  'X-OpenStack-Ironic-API-Version',
].join(', ');

/** How long a browser may keep the answer to a preflight, in seconds. */
const MAX_AGE = '7200';

const NONE: readonly string[] = [];

/** Which pages may call the service from a browser. */
export interface Cors {
  /** The headers that let the page of this request read the answer: names and values in turn. */
  headers(request: RestRequest): readonly string[];
  /** The headers that answer a preflight for a path with these verbs; none when the request is no preflight. */
  preflightHeaders(request: RestRequest, verbs: readonly string[]): readonly string[];
  /**
   * Throws `permission_denied` for a request that a page of another origin makes a browser send. A browser sends a
   * plain POST before it asks, and a body is read as JSON whatever its type, so that a page anywhere could otherwise
   * drive a service on this machine. Reading by GET is the browser's to guard; a call by GET, of which a link or an image
   * is enough and with which the browser sends the user's password, is not let in from another site (Fetch Metadata, 2.1).
   */
  refuseForeign(request: RestRequest, action: Action | undefined): void;
}

/** @param origins the origins that are allowed; `*` allows all */
export function createCors(origins: readonly string[]): Cors {
  const all = origins.includes('*');
  const allowed = new Set(origins);
  const isAllowed = (origin: string) => all || allowed.has(origin);
  const mayCall = createOriginGate(origins);
  return {
    headers({ headers: { origin } }) {
      if (origin === undefined || origins.length === 0) return NONE;
      if (!isAllowed(origin)) return ['Vary', 'Origin'];
      return [
        'Access-Control-Allow-Origin',
        origin,
        'Vary',
        'Origin',
        'Access-Control-Expose-Headers',
        EXPOSED_HEADERS,
      ];
    },
    preflightHeaders({ headers: { origin, 'access-control-request-method': method } }, verbs) {
      if (origin === undefined || method === undefined || !isAllowed(origin)) return NONE;
      return [
        'Access-Control-Allow-Methods',
        verbs.join(', '),
        'Access-Control-Allow-Headers',
        ALLOWED_HEADERS,
        'Access-Control-Max-Age',
        MAX_AGE,
      ];
    },
    refuseForeign(request, action) {
      const { origin, 'sec-fetch-site': site } = request.headers;
      if ((request.method === 'GET' || request.method === 'HEAD') && action !== 'call a method') return;
      const isForeign = origin === undefined && (site === 'cross-site' || site === 'same-site');
      if (!isForeign && mayCall(origin, requestAuthority(request))) return;
      throw new PassthruError(
        'permission_denied',
        'Pages of this origin may not call the service; its configuration lists the ones that may (cors_origins)',
      );
    },
  };
}
