import type { IncomingHttpHeaders } from 'node:http';
import { cors } from '@connectrpc/connect';

const ALLOWED_METHODS = cors.allowedMethods.join(', ');

/** What a page may send: what the protocols need, credentials, and what it calls its request and its trace. */
const ALLOWED_HEADERS = [
  ...cors.allowedHeaders,
  'Authorization',
  'X-Auth-Token',
  'X-OpenStack-Request-ID',
  'traceparent',
  'tracestate',
].join(', ');

const EXPOSED_HEADERS = [...cors.exposedHeaders, 'OpenStack-Request-Id'].join(', ');

/** How long a browser may keep the answer to a preflight, in seconds: the most that Chromium keeps one. */
const MAX_AGE = '7200';

/** What an answer over Connect or gRPC-Web carries for the browser. */
export interface RpcCors {
  /** Headers of every answer to the request. */
  headers: Readonly<Record<string, string>>;
  /** True when the request is a preflight (Fetch, 3.2.2), which `headers` answer whole. */
  isPreflight: boolean;
}

/**
 * Which pages may read answers over Connect and gRPC-Web. A request whose origin is not allowed gets no CORS headers, so
 * that its browser keeps the answer from the page; `createOriginGate` refuses the call itself.
 * @param origins the origins that are allowed, for example `https://console.example.com`; `*` allows all
 */
export function createRpcCors(origins: readonly string[]): (request: CorsRequest) => RpcCors | null {
  if (origins.length === 0) return () => null;
  const all = origins.includes('*');
  const allowed = new Set(origins);
  return ({ method, headers: { origin, 'access-control-request-method': requested } }) => {
    if (origin === undefined) return null;
    if (!all && !allowed.has(origin)) return { headers: { Vary: 'Origin' }, isPreflight: false };
    const headers = { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' };
    if (method !== 'OPTIONS' || requested === undefined) {
      return { headers: { ...headers, 'Access-Control-Expose-Headers': EXPOSED_HEADERS }, isPreflight: false };
    }
    return {
      headers: {
        ...headers,
        'Access-Control-Allow-Methods': ALLOWED_METHODS,
        'Access-Control-Allow-Headers': ALLOWED_HEADERS,
        'Access-Control-Max-Age': MAX_AGE,
      },
      isPreflight: true,
    };
  };
}

export interface CorsRequest {
  method?: string | undefined;
  headers: IncomingHttpHeaders;
}
