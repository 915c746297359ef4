import ipaddr from 'ipaddr.js';
import { parseAddress } from './networks.ts';

/** Returns a socket's `remoteAddress` with IPv4 in its plain form: a socket on IPv6 has `::ffff:192.0.2.1` (RFC 4291, 2.5.5.2). */
export function plainAddress(address: string): string {
  return /^::ffff:\d+\./i.test(address) ? address.slice('::ffff:'.length) : address;
}

/**
 * Returns the name that limits per client apply to: the IPv4 address, or the /64 of the IPv6 address, all of which one
 * customer of a provider has (RFC 6177).
 */
export function peerOf(address: string): string {
  const parsed = parseAddress(address);
  if (!(parsed instanceof ipaddr.IPv6)) return address;
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  const prefix = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${prefix.join(':')}::/64`;
}
