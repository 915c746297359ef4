import { isIP } from 'node:net';
import { isLoopback, parseAuthority } from './listenAddress.ts';

/**
 * Whether `authority`, of a Host header or `:authority`, means this machine whatever DNS says: `localhost`, 127.0.0.0/8 or
 * [::1]. A foreign page can point its own name here (DNS rebinding); its browser then takes the page and the service for one
 * origin and lets it read responses. An absent Host counts as local: browsers always send one.
 */
export function isLocalAuthority(authority: string | undefined): boolean {
  if (authority === undefined || authority === '') return true;
  const host = parseAuthority(authority)?.host;
  return host !== undefined && isLoopback(host);
}

/**
 * Returns a predicate: whether a page of `origin` may call the service under `authority`. Requests without Origin come from
 * no page. A page may call when its origin is configured, or when it is the service's own, though only under an address or
 * `localhost`: with DNS rebinding a foreign page under its own name would be of the same origin.
 * @param origins the allowed origins; `*` allows all
 */
export function createOriginGate(
  origins: readonly string[],
): (origin: string | undefined, authority: string | undefined) => boolean {
  const allowsAll = origins.includes('*');
  const allowed = new Set(origins);
  return (origin, authority) => {
    if (origin === undefined || allowsAll || allowed.has(origin)) return true;
    const host = authority === undefined ? undefined : parseAuthority(authority)?.host;
    if (host === undefined || (isIP(host) === 0 && host.toLowerCase() !== 'localhost')) return false;
    return origin === `http://${authority}` || origin === `https://${authority}`;
  };
}
