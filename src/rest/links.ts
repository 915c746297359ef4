import type { TLSSocket } from 'node:tls';
import type { Page } from '../core/page.ts';
import { type HttpRequest, requestAuthority } from '../http/message.ts';
import { parseAuthority } from '../net/listenAddress.ts';
import type { Exchange } from './context.ts';

/**
 * Returns the scheme and authority that the client used, such as `http://127.0.0.1:6385`. An invalid Host is not
 * repeated, but replaced by the address of the connection.
 */
export function baseUrl({ request }: Exchange): string {
  const scheme = (request.socket as TLSSocket).encrypted ? 'https' : 'http';
  const authority = requestAuthority(request);
  const isValid = authority !== undefined && parseAuthority(authority) !== null;
  return `${scheme}://${isValid ? authority : localAuthority(request)}`;
}

/** Returns the two links of the resource at `path` (without leading slash and `v1`), in Ironic's order. */
export function selfAndBookmark(base: string, path: string) {
  return [
    { href: `${base}/v1/${path}`, rel: 'self' },
    { href: `${base}/${path}`, rel: 'bookmark' },
  ];
}

/**
 * Returns the URL of the page that follows `page`, undefined after the last: the filters of this page, with the marker of
 * its last entry. Commas are not encoded, as in Ironic's links.
 */
export function nextLink<T>(
  exchange: Exchange,
  path: string,
  query: Iterable<readonly [string, string]>,
  limit: number,
  { items, more }: Page<T>,
  idOf: (entry: T) => string,
): string | undefined {
  const last = items.at(-1);
  if (!more || last === undefined) return undefined;
  const filters = [...query].filter(([name]) => name !== 'limit' && name !== 'marker');
  const parameters = [...filters, ['limit', String(limit)], ['marker', idOf(last)]];
  const text = parameters.map(([name = '', value = '']) => `${encode(name)}=${encode(value)}`).join('&');
  return `${baseUrl(exchange)}${path}?${text}`;
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll('%2C', ',');
}

function localAuthority({ socket }: HttpRequest): string {
  const { localAddress = '127.0.0.1', localPort } = socket;
  return `${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`;
}
