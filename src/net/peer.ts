import { isIPv4 } from 'node:net';

/**
 * A socket's `remoteAddress`, which one that listens on IPv6 has as `::ffff:192.0.2.1` for IPv4 (RFC 4291, 2.5.5.2), in the
 * form that people know.
 */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(?=\d+\.)/i.exec(address);
  return mapped === null ? address : address.slice(mapped[0].length);
}

/**
 * Whom the client at `address` counts as: its IPv4 address, or the /64 of its IPv6 address, all of which one customer
 * of a provider has (RFC 6177).
 */
export function peerOf(address: string): string {
  const own = plainAddress(address);
  if (isIPv4(own)) return own;
  const [plain = ''] = address.split('%', 1);
  const [front = '', back] = plain.split('::');
  const groups = front === '' ? [] : front.split(':');
  const missing = back === undefined ? 0 : 8 - groups.length - (back === '' ? 0 : back.split(':').length);
  const whole = [...groups, ...Array<string>(missing).fill('0'), ...(back ?? '').split(':')];
  return `${whole.slice(0, 4).join(':')}::/64`;
}
