import { isIPv6 } from 'node:net';
import { isLoopbackAddress } from './networks.ts';

/** A host, and a port if one was given. */
export interface Authority {
  /** An address or a host name; an IPv6 address without brackets. */
  host: string;
  port: number | null;
}

/** The address that a listener binds to. */
interface ListenAddress extends Authority {
  /** 0 lets the system choose. */
  port: number;
}

/** A name or IPv4 address, or a bracketed IPv6 address, and maybe a port (RFC 3986, 3.2.2, as clients send it). */
const AUTHORITY = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_.-]{1,255}))(?::(\d{1,5}))?$/i;

/** Parses `HOST` or `HOST:PORT`, with IPv6 addresses in brackets. Returns null when `text` is neither. */
export function parseAuthority(text: string): Authority | null {
  const match = AUTHORITY.exec(text);
  if (match === null) return null;
  const [, bracketed, name, digits] = match;
  const port = digits === undefined ? null : Number(digits);
  if ((port ?? 0) > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) return null;
  return { host: bracketed ?? name!, port };
}

/** Parses `HOST:PORT`. Returns null when `text` has another form. */
export function parseListenAddress(text: string): ListenAddress | null {
  const { host, port } = parseAuthority(text) ?? { port: null };
  return host === undefined || port === null ? null : { host, port };
}

/** Whether only this machine can connect to `host`: 127.0.0.0/8, ::1 or `localhost` (RFC 6761, 6.3). */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === 'localhost' || isLoopbackAddress(host);
}

/**
 * Whether `authority`, of a Host header or `:authority`, means this machine regardless of DNS: `localhost`, 127.0.0.0/8
 * or [::1]. A foreign page can point its own name here (DNS rebinding); its browser then takes the page and the service
 * for one origin and lets it read responses. An absent Host counts as local: browsers always send one.
 */
export function isLocalAuthority(authority: string | undefined): boolean {
  if (authority === undefined || authority === '') return true;
  const host = parseAuthority(authority)?.host;
  return host !== undefined && isLoopback(host);
}
