import { isIPv4, isIPv6 } from 'node:net';

/** Where the listener waits for connections. */
export interface ListenAddress {
  /** An address or a host name; an IPv6 address without its brackets. */
  host: string;
  /** 0 lets the system choose. */
  port: number;
}

/** The parts of `HOST:PORT`, with an IPv6 address in brackets. Null when `text` is none. */
export function parseListenAddress(text: string): ListenAddress | null {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) return null;
  return { host: bracketed ?? plain!, port };
}

/** Whether only this machine can connect to `host`: 127.0.0.0/8, ::1 or `localhost` (RFC 6761, 6.3). */
export function isLoopback(host: string): boolean {
  return (isIPv4(host) && host.startsWith('127.')) || host === '::1' || host.toLowerCase() === 'localhost';
}
