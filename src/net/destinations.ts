import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { invalidArgument } from '../core/errors.ts';
import { judgeBy, type NetworkRules } from './networks.ts';

/** An address of a host. */
export interface HostAddress {
  address: string;
  family: number;
}

/** Where what a caller names may lead: a subscription's destination, the address that a discovery goes to. */
export interface Destinations {
  /**
   * Checks the URL that a machine is told to send to. Of a name the addresses are those that it has here and now: the
   * machine looks it up by itself, later. A name that is not known here is let through where all is allowed that is not
   * denied, for the machine may know it.
   *
   * @param argument the argument's name, for the error
   * @throws kind `invalid_argument` that names the argument, the address and what is allowed
   */
  checkUrl(argument: string, url: string): Promise<void>;
  /**
   * The addresses of `host` (a name, or an address without brackets), looked up once and allowed every one, to connect to
   * and to no other. Null when the name cannot be resolved.
   * @throws as `checkUrl`
   */
  resolve(argument: string, host: string): Promise<readonly HostAddress[] | null>;
}

/** Milliseconds until a name counts as one that cannot be resolved. */
const LOOKUP_TIMEOUT = 5000;

/** So many networks an error lists. */
const MOST_SHOWN = 5;

/** @param lookup resolves a name; the system's resolver by default */
export function createDestinations(
  rules: NetworkRules,
  lookup: (host: string) => Promise<readonly HostAddress[]> = (host) => systemLookup(host, { all: true }),
): Destinations {
  const judge = judgeBy(rules);
  /** Whether what no rule names is denied. */
  const closed = rules.deny.some((network) => network.endsWith('/0'));
  const exceptions = rules.allow.slice(0, MOST_SHOWN).join(', ') + (rules.allow.length > MOST_SHOWN ? ', …' : '');
  const allowed = closed
    ? `allowed: ${exceptions === '' ? 'none' : exceptions}`
    : `allowed: what is outside the networks denied${exceptions === '' ? '' : `, and ${exceptions}`}`;

  const check = (argument: string, host: string, addresses: readonly HostAddress[]) => {
    for (const { address } of addresses) {
      const denial = judge(address);
      if (denial === null) continue;
      const whose = address === host ? address : `${host}, which is ${address}`;
      const why = denial.what === null ? denial.network : `${denial.network}: ${denial.what}`;
      throw invalidArgument(`arguments.${argument}`, `${argument} must not lead to ${whose} (${why}); ${allowed}`);
    }
  };
  const resolve = async (argument: string, host: string) => {
    const addresses = isIP(host) !== 0 ? [{ address: host, family: isIP(host) }] : await inTime(lookup(host));
    if (addresses !== null) check(argument, host, addresses);
    return addresses;
  };

  return {
    resolve,
    async checkUrl(argument, url) {
      const host = hostOf(argument, url);
      if ((await resolve(argument, host)) !== null || !closed) return;
      const message = `${argument} must not lead to ${host}, which cannot be resolved here; ${allowed}`;
      throw invalidArgument(`arguments.${argument}`, message);
    },
  };
}

/**
 * The host of an absolute URL of any scheme, an IPv6 address without brackets. What one program reads as one host and
 * another as another is refused: the machine's reading is not known.
 */
function hostOf(argument: string, url: string): string {
  const raw = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?(\[[^\]/?#]*\]|[^/?#:]*)/i.exec(url)?.[1] ?? '';
  const host = URL.parse(`http://${raw}/`)?.hostname;
  // What stands before one @ is a user; before two, the host to some.
  const isDoubtful = url.includes('\\') || /^[^/?#]*:\/\/[^/?#]*@[^/?#]*@/.test(url);
  if (raw === '' || isDoubtful || host === undefined || host === '') {
    const message = `${argument} must be a URL with a host, without backslashes and with one @ before it at most`;
    throw invalidArgument(`arguments.${argument}`, message);
  }
  if (isIPv4(host) && host !== raw) {
    throw invalidArgument(`arguments.${argument}`, `${argument} must write its IPv4 address as ${host}`);
  }
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/** What a look-up comes to; null when it fails or takes too long. */
async function inTime(lookup: Promise<readonly HostAddress[]>): Promise<readonly HostAddress[] | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(resolve, LOOKUP_TIMEOUT, null);
  try {
    return await Promise.race([lookup.catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}
