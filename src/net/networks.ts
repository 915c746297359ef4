// Addresses: parsing them, where they lead, and which peers, names and origins are accepted.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Networks in CIDR form (`10.0.0.0/8`, `fd00::/8`), or single addresses. */
export interface NetworkRules {
  allow: readonly string[];
  deny: readonly string[];
}

/** Why an address is denied. */
interface Denial {
  /** The network that decided. */
  network: string;
  /** A description of that network, such as `loopback`; null when it comes from the configuration. */
  what: string | null;
}

/**
 * The networks denied unless a rule says otherwise: those that lead to the machine itself, to its neighbours on the
 * link, or to the metadata service of a cloud, which gives credentials to any client (IANA's special-purpose address
 * registries; the clouds' own documentation).
 */
const DENIED_BY_DEFAULT: readonly [network: string, what: string][] = [
  ['0.0.0.0/8', 'this host'],
  ['127.0.0.0/8', 'loopback'],
  ['169.254.0.0/16', 'link-local, with the metadata services of clouds'],
  ['192.0.0.0/24', 'reserved, with the metadata service of Oracle Cloud'],
  ['100.100.100.200/32', 'the metadata service of Alibaba Cloud'],
  ['168.63.129.16/32', 'the platform service of Azure'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved, with broadcast'],
  ['::/128', 'this host'],
  ['::1/128', 'loopback'],
  ['fe80::/10', 'link-local'],
  ['ff00::/8', 'multicast'],
  ['fd00:ec2::/32', 'the metadata and other local services of AWS'],
  ['fd20:ce::254/128', 'the metadata service of Google Cloud'],
  // The embedded IPv4 address cannot be determined here.
  ['64:ff9b:1::/48', 'a local translation to IPv4'],
  ['2001::/32', 'Teredo'],
];

/** Parses an address, with or without an IPv6 zone. Returns null for other text, also short forms such as `127.1`. */
export function parseAddress(text: string): Address | null {
  return isIP(text) === 0 ? null : ipaddr.parse(text);
}

/** Whether `host` is an address of this machine's loopback interface. */
export function isLoopbackAddress(host: string): boolean {
  const address = parseAddress(host);
  return address !== null && ipaddr.process(address.toString()).range() === 'loopback';
}

/** Whether `text` is a network in CIDR form or an address. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== null;
}

/**
 * Returns a judge of addresses. The smallest network that contains an address decides; `rules` take precedence over the
 * defaults, and `deny` over `allow`. An address in no network is allowed. The IPv4 address embedded in an IPv6 address
 * (mapped, NAT64, 6to4, ISATAP) is judged too.
 *
 * @returns why an address is denied; null when it is allowed
 */
export function judgeBy(rules: NetworkRules): (address: string) => Denial | null {
  // At the first address: the text of an IPv6 address takes Node 8 ms to understand for the first time.
  let networks: JudgedNetwork[] | null = null;
  const judge = (address: Address): Denial | null => {
    networks ??= judgedNetworks(rules);
    return (
      networks.find(({ base, length }) => base.kind() === address.kind() && address.match(base, length))?.denial ?? null
    );
  };

  return (text) => {
    const address = parseAddress(text);
    if (address === null) throw new TypeError(`not an address: ${text}`);
    const embedded = address instanceof ipaddr.IPv6 ? embeddedIPv4(address) : null;
    if (embedded === null) return judge(address);
    return judge(embedded.address) ?? (embedded.isSame ? null : judge(address));
  };
}

interface Network {
  base: Address;
  /** The number of leading bits that count. */
  length: number;
}

type JudgedNetwork = Network & { denial: Denial | null };

/** Returns the networks of the rules and the defaults, the smallest first. */
function judgedNetworks(rules: NetworkRules): JudgedNetwork[] {
  const networks = [
    ...rules.deny.map((text) => ({ text, denial: { network: text, what: null } })),
    ...rules.allow.map((text) => ({ text, denial: null })),
    ...DENIED_BY_DEFAULT.map(([text, what]) => ({ text, denial: { network: text, what } })),
  ].flatMap(({ text, denial }) => {
    const network = parseNetwork(text);
    return network === null ? [] : [{ ...network, denial }];
  });
  // Stable: networks of one size stay in the order above.
  return networks.sort((a, b) => b.length - a.length);
}

function parseNetwork(text: string): Network | null {
  const [, host = '', digits] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const base = parseAddress(host);
  if (base === null) return null;
  const longest = base.kind() === 'ipv4' ? 32 : 128;
  const length = digits === undefined ? longest : Number(digits);
  return length > longest ? null : { base, length };
}

/**
 * Returns the IPv4 address embedded in an IPv6 address; null when there is none. `isSame`: the two are the same
 * address (RFC 4291, 2.5.5), instead of one being a route to the other.
 */
function embeddedIPv4(address: ipaddr.IPv6): { address: ipaddr.IPv4; isSame: boolean } | null {
  const { parts } = address;
  const embedded = (at: number, isSame = false) => ({
    address: new ipaddr.IPv4(parts.slice(at, at + 2).flatMap((part) => [part >> 8, part & 255])),
    isSame,
  });
  switch (address.range()) {
    case 'ipv4Mapped':
      return embedded(6, true);
    // IPv4-translated addresses (RFC 2765, 2.1).
    case 'rfc6145':
      return embedded(6);
    // NAT64 (RFC 6052, 2.1); in the local prefix 64:ff9b:1::/48 (RFC 8215) the place is not known.
    case 'rfc6052':
      return parts[2] === 0 ? embedded(6) : null;
    case '6to4':
      return embedded(1);
    case 'unspecified':
    case 'loopback':
      return null;
  }
  // IPv4-compatible addresses (RFC 4291, 2.5.5.1).
  if (parts.slice(0, 6).every((part) => part === 0)) return embedded(6, true);
  // ISATAP (RFC 5214, 6.1), in any prefix.
  return parts[5] === 0x5efe && (parts[4] === 0 || parts[4] === 0x200) ? embedded(6) : null;
}

/** Returns `remoteAddress` with IPv4 in its plain form: an IPv6 socket has `::ffff:192.0.2.1` (RFC 4291, 2.5.5.2). */
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
