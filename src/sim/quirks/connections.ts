import type { Quirk } from '../bmc.ts';
import { ROOT } from '../bmc.ts';

/** TLS versions, connections and HTTP. */
export const connectionQuirks: Quirk[] = [
  redirect('redirect-to-slash', ROOT, `${ROOT}/`),
  redirect('redirect-from-slash', `${ROOT}/`, ROOT),
  ...([301, 302, 307, 308] as const).map(slashRedirect),
  {
    name: 'silent-close',
    description: 'a connection is closed 20 ms after each response, without a word (Redfish-Event-Listener#24)',
    connections: { idleMs: 20 },
  },
  {
    name: 'surplus-bytes',
    description: 'more bytes follow each body than Content-Length announces',
    changeResponse: (response) => ({ delivery: 'surplus', ...response }),
  },
  {
    name: 'trickled-bodies',
    description: 'each body comes in small parts',
    changeResponse: (response) => ({ delivery: 'trickled', ...response }),
  },
  {
    name: 'registries-not-identity',
    description: 'registries, which are stored compressed, get 406 for Accept-Encoding: identity (HPE Gen10 Plus)',
    handle: (request, _bmc, next) =>
      /^\/redfish\/v1\/Regist(ries|ryStore)\//.test(request.path) && request.headers['accept-encoding'] === 'identity'
        ? { status: 406, headers: { 'Content-Type': 'text/html' }, body: '<h1>406 Not Acceptable</h1>' }
        : next(request),
  },
  {
    name: 'idle-closed',
    description: 'an idle connection is closed after 200 ms, despite a longer Keep-Alive',
    connections: { idleMs: 200 },
  },
  {
    name: 'stalls-long-connections',
    description: 'a connection serves 20 requests; the next gets no response',
    connections: { stallsAfter: 20 },
  },
  {
    name: 'few-requests-503',
    description: 'four requests are served at once; more get 503',
    connections: { maxRequests: 4, overload: '503' },
  },
  {
    name: 'one-request-503',
    description: 'one request is served at once; more get 503',
    connections: { maxRequests: 1, overload: '503' },
  },
  {
    name: 'few-requests-reset',
    description: 'four requests are served at once; the connections of more are reset',
    connections: { maxRequests: 4, overload: 'reset' },
  },
  oldTls('tls-1.0', 'TLSv1', 'TLS 1.0 only (old iLO and iDRAC); requires a key and a certificate'),
  oldTls('tls-1.1', 'TLSv1.1', 'TLS 1.1 only; requires a key and a certificate'),
  {
    name: 'weak-tls',
    description:
      'a certificate that is too weak for OpenSSL is served, such as RSA of 1024 bits (old iLO); requires a key and a certificate',
    tls: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: 'DEFAULT@SECLEVEL=0' },
  },
];

/** 308 requires the client to keep the method. */
function redirect(name: string, from: string, to: string): Quirk {
  return {
    name,
    description: `${from} redirects to ${to}`,
    beforeAuthentication: ({ target }) =>
      target.replace(/[?#].*$/s, '') === from ? { status: 308, headers: { Location: to }, body: null } : undefined,
  };
}

function slashRedirect(status: 301 | 302 | 307 | 308): Quirk {
  return {
    name: `redirects-to-slash-${status}`,
    description: `every path without a slash at its end is redirected to the one with it, by ${status}`,
    beforeAuthentication: ({ target }) => {
      const [path = '', ...query] = target.split('?');
      if (path.endsWith('/')) return undefined;
      return { status, headers: { Location: [`${path}/`, ...query].join('?') }, body: null };
    },
  };
}

/** OpenSSL 3 supports these versions at security level 0 only. */
function oldTls(name: string, version: 'TLSv1' | 'TLSv1.1', description: string): Quirk {
  return { name, description, tls: { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' } };
}
