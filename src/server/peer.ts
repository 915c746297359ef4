import { isIPv4 } from 'node:net';

/**
 * Whom the client at `address` counts as: its IPv4 address, or the /64 of its IPv6 address, all of which one customer
 * of a provider has (RFC 6177).
 */
export function peerOf(address: string): string {
  const mapped = address.toLowerCase().startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
  if (isIPv4(mapped)) return mapped;
  const [plain = ''] = address.split('%', 1);
  const [front = '', back] = plain.split('::');
  const groups = front === '' ? [] : front.split(':');
  const missing = back === undefined ? 0 : 8 - groups.length - (back === '' ? 0 : back.split(':').length);
  const whole = [...groups, ...Array<string>(missing).fill('0'), ...(back ?? '').split(':')];
  return `${whole.slice(0, 4).join(':')}::/64`;
}
