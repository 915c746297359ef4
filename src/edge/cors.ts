import { isIP } from 'node:net';
import { cors as connectCors } from '@connectrpc/connect';
import { PassthruError } from '../core/errors.ts';
import { type HttpRequest, requestAuthority } from '../http/message.ts';
import { parseAuthority } from '../net/listenAddress.ts';

/** The headers of one API that cross-origin pages may send and read. */
interface CorsHeaders {
  allowed: readonly string[];
  exposed: readonly string[];
}

/** Allowed over every protocol: credentials, and the ids of the request and its trace. */
const COMMON_HEADERS = ['Authorization', 'X-Auth-Token', 'X-OpenStack-Request-ID', 'traceparent', 'tracestate'];

export const REST_CORS: CorsHeaders = {
  allowed: [
    'Content-Type',
    'Idempotency-Key',
    'Last-Event-ID',
    'OpenStack-API-Version',
    'Passthru-Lock-Wait',
    'Passthru-Recorder',
    'Passthru-Reservation-Key',
    'X-OpenStack-Ironic-API-Version',
    ...COMMON_HEADERS,
  ],
  exposed: [
    'Allow',
    'Content-Disposition',
    'Location',
    'OpenStack-Request-Id',
    'Passthru-Job-Id',
    'Passthru-Transcript',
    'Retry-After',
    'WWW-Authenticate',
    'X-OpenStack-Ironic-API-Maximum-Version',
    'X-OpenStack-Ironic-API-Minimum-Version',
    'X-OpenStack-Ironic-API-Version',
    'X-OpenStack-Request-Id',
  ],
};

export const RPC_CORS: CorsHeaders = {
  allowed: [...connectCors.allowedHeaders, ...COMMON_HEADERS],
  exposed: [...connectCors.exposedHeaders, 'OpenStack-Request-Id'],
};

/** How long a browser may cache the response to a preflight, in seconds: Chromium's maximum. */
const MAX_AGE = '7200';

const NONE: readonly string[] = [];

/** The cross-origin policy of one API. */
export interface Cors {
  /** Returns the headers that let the requesting page read the response, as alternating names and values. */
  headers(request: HttpRequest): readonly string[];
  /** Returns the headers that answer a preflight (Fetch, 3.2.2); empty when the request is not an allowed preflight. */
  preflightHeaders(request: HttpRequest, methods: readonly string[]): readonly string[];
  /**
   * Throws `permission_denied` for a request sent by a page of a foreign origin. CORS alone does not prevent it:
   * browsers send a plain POST without a preflight, and bodies are read as JSON regardless of type, so that any page
   * could drive a service on this machine. A request without Origin is recognised by `Sec-Fetch-Site` (Fetch Metadata,
   * 2.1).
   */
  refuseForeign(request: HttpRequest): void;
}

/** @param origins the allowed origins, for example `https://console.example.com`; `*` allows all */
export function createCors(origins: readonly string[], headers: CorsHeaders): Cors {
  const allowsAll = origins.includes('*');
  const allowed = new Set(origins);
  const isAllowed = (origin: string) => allowsAll || allowed.has(origin);
  const exposedHeaders = headers.exposed.join(', ');
  const allowedHeaders = headers.allowed.join(', ');
  return {
    headers({ headers: { origin } }) {
      if (origin === undefined || origins.length === 0) return NONE;
      if (!isAllowed(origin)) return ['Vary', 'Origin'];
      return ['Access-Control-Allow-Origin', origin, 'Vary', 'Origin', 'Access-Control-Expose-Headers', exposedHeaders];
    },
    preflightHeaders({ method, headers: { origin, 'access-control-request-method': requested } }, methods) {
      if (method !== 'OPTIONS' || origin === undefined || requested === undefined || !isAllowed(origin)) return NONE;
      return [
        'Access-Control-Allow-Methods',
        methods.join(', '),
        'Access-Control-Allow-Headers',
        allowedHeaders,
        'Access-Control-Max-Age',
        MAX_AGE,
      ];
    },
    refuseForeign(request) {
      const { origin, 'sec-fetch-site': site } = request.headers;
      if (origin === undefined) {
        if (site !== 'cross-site' && site !== 'same-site') return;
      } else if (isAllowed(origin) || isOwnOrigin(origin, requestAuthority(request))) return;
      throw new PassthruError(
        'permission_denied',
        'Pages of this origin may not call the service; its configuration lists the ones that may (cors_origins)',
      );
    },
  };
}

/**
 * Whether `origin` is the service's own, under an address or `localhost`: with DNS rebinding a foreign page under its
 * own name would be of the same origin.
 */
function isOwnOrigin(origin: string, authority: string | undefined): boolean {
  const host = authority === undefined ? undefined : parseAuthority(authority)?.host;
  if (host === undefined || (isIP(host) === 0 && host.toLowerCase() !== 'localhost')) return false;
  return origin === `http://${authority}` || origin === `https://${authority}`;
}
