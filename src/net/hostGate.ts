import { isLoopback } from './listenAddress.ts';

/** A host and maybe a port, as Host and `:authority` have them (RFC 3986, 3.2). */
const AUTHORITY = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9.-]{1,255}))(?::\d{1,5})?$/i;

/**
 * Whether a request calls the service by a name that means this machine to everybody: `localhost`, 127.0.0.0/8, [::1].
 * A stranger's page can have its own name point here (DNS rebinding); its browser then takes the page and the service for
 * one origin, and lets it read. Without a Host it is no browser's.
 */
export function isLocalAuthority(authority: string | undefined): boolean {
  if (authority === undefined || authority === '') return true;
  const [, bracketed, plain] = AUTHORITY.exec(authority) ?? [];
  const host = bracketed ?? plain;
  return host !== undefined && isLoopback(host);
}
