import { BlockList, isIPv4, isIPv6 } from 'node:net';

/** Networks in CIDR form (`10.0.0.0/8`, `fd00::/8`), or single addresses. */
export interface NetworkRules {
  allow: readonly string[];
  deny: readonly string[];
}

/** Why an address is denied. */
export interface Denial {
  /** The network that decided. */
  network: string;
  /** What that network is, such as `loopback`; null when the configuration names it. */
  what: string | null;
}

/**
 * Denied unless a rule says otherwise: what leads to the machine itself, to its neighbours on the link, or to the metadata
 * service of a cloud, which gives credentials to whoever asks (IANA's special-purpose address registries; the clouds'
 * own documentation).
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
  // These lead to IPv4 addresses that nobody can tell from here.
  ['64:ff9b:1::/48', 'a local translation to IPv4'],
  ['2001::/32', 'Teredo'],
];

/** Whether `text` is a network in CIDR form or an address. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== null;
}

/**
 * Judges addresses: of the networks that hold an address the smallest decides; what `rules` say goes before the default,
 * and `deny` before `allow`. An address in none of them is allowed. An IPv4 address that an IPv6 address stands for
 * (mapped, NAT64, 6to4) is judged as well.
 *
 * @returns why an address is denied; null when it is allowed
 */
export function judgeBy(rules: NetworkRules): (address: string) => Denial | null {
  const networks = [
    ...rules.deny.map((text) => ({ text, denial: { network: text, what: null } })),
    ...rules.allow.map((text) => ({ text, denial: null })),
    ...DENIED_BY_DEFAULT.map(([text, what]) => ({ text, denial: { network: text, what } })),
  ].flatMap(({ text, denial }) => {
    const network = parseNetwork(text);
    return network === null ? [] : [{ ...network, denial }];
  });
  // Stable: those of one size stay in the order above.
  networks.sort((a, b) => b.prefix - a.prefix);

  const judge = (address: string, family: 'ipv4' | 'ipv6') =>
    networks.find((network) => network.family === family && network.block.check(address, family))?.denial ?? null;

  return (address) => {
    if (isIPv4(address)) return judge(address, 'ipv4');
    const { stands, same } = embeddedIPv4(address);
    if (stands === null) return judge(address, 'ipv6');
    return judge(stands, 'ipv4') ?? (same ? null : judge(address, 'ipv6'));
  };
}

interface Network {
  family: 'ipv4' | 'ipv6';
  prefix: number;
  block: BlockList;
}

function parseNetwork(text: string): Network | null {
  const [address = '', length, ...rest] = text.split('/');
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : null;
  if (family === null || rest.length > 0 || address.includes('%')) return null;
  const longest = family === 'ipv4' ? 32 : 128;
  const prefix = length === undefined ? longest : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (!(prefix <= longest)) return null;
  const block = new BlockList();
  block.addSubnet(address, prefix, family);
  return { family, prefix, block };
}

/**
 * The IPv4 address that an IPv6 address stands for; null when it stands for none.
 * `same`: whether the two are one address to whoever connects (RFC 4291, 2.5.5), rather than ways to it.
 */
function embeddedIPv4(address: string): { stands: string | null; same: boolean } {
  const groups = groupsOf(address);
  const zero = (from: number, to: number) => groups.slice(from, to).every((group) => group === 0);
  const ipv4 = (at: number) => [groups[at]!, groups[at + 1]!].flatMap((group) => [group >> 8, group & 255]).join('.');
  if (zero(0, 5) && groups[5] === 0xffff) return { stands: ipv4(6), same: true };
  // IPv4-compatible; :: and ::1 are themselves.
  if (zero(0, 6) && (groups[6] !== 0 || groups[7]! > 1)) return { stands: ipv4(6), same: true };
  // IPv4-translated (RFC 2765, 2.1), NAT64 (RFC 6052, 2.1), 6to4 (RFC 3056, 2).
  if (zero(0, 4) && groups[4] === 0xffff && groups[5] === 0) return { stands: ipv4(6), same: false };
  if (groups[0] === 0x64 && groups[1] === 0xff9b && zero(2, 6)) return { stands: ipv4(6), same: false };
  if (groups[0] === 0x2002) return { stands: ipv4(1), same: false };
  return { stands: null, same: false };
}

/** The eight groups of an IPv6 address, a zone left out. */
function groupsOf(address: string): number[] {
  // As a URL has it the address is in one form: the longest run of zeros as ::, no dotted end.
  const canonical = new URL(`http://[${address.replace(/%.*$/, '')}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const numbers = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [first, last] = [numbers(head), numbers(tail ?? '')];
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last];
}
