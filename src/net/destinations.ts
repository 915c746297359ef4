import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, isIPv4 } from 'node:net';
import { invalidArgument } from '../core/errors.ts';
import { untilAborted } from '../core/waiting.ts';
import { knownAddress } from './knownNames.ts';
import { judgeBy, type NetworkRules } from './networks.ts';

/** An address of a host. */
export interface HostAddress {
  address: string;
  family: number;
}

/** Checks where hosts named by callers lead: the destination of a subscription, the address of a discovery. */
export interface Destinations {
  /**
   * Checks a URL that a BMC is to send to. The addresses of a name are the current ones here: the BMC resolves it by
   * itself, later. A name unknown here passes unless everything not allowed is denied, since the BMC may know it.
   *
   * @param argument the argument's name, for the error
   * @param signal ends the wait for a look-up
   * @throws kind `invalid_argument` with the argument, the address and what is allowed; the signal's reason
   */
  checkUrl(argument: string, url: string, signal?: AbortSignal): Promise<void>;
  /**
   * Returns the addresses of `host` (a name, or an address without brackets), all of them allowed, to connect to these
   * and no others. Null when the name cannot be resolved.
   * @throws as `checkUrl`
   */
  resolve(argument: string, host: string, signal?: AbortSignal): Promise<readonly HostAddress[] | null>;
}

/** The maximum number of networks listed in an error. */
const MAX_LISTED = 5;

/**
 * @param lookup resolves a name; default: the system's resolver
 * @param lookupTimeout how long that may take before the name counts as unresolvable, in ms
 */
export function createDestinations(
  rules: NetworkRules,
  lookup: (host: string) => Promise<readonly HostAddress[]> = (host) => systemLookup(host, { all: true }),
  lookupTimeout: number = 5000,
): Destinations {
  const lookUpInTurn = inTurn(lookup, lookupTimeout);
  const judge = judgeBy(rules);
  /** Whether everything that no rule allows is denied. */
  const isClosed = rules.deny.some((network) => network.endsWith('/0'));
  const exceptions = rules.allow.slice(0, MAX_LISTED).join(', ') + (rules.allow.length > MAX_LISTED ? ', …' : '');
  const allowed = isClosed
    ? `allowed: ${exceptions === '' ? 'none' : exceptions}`
    : `allowed: addresses outside the denied networks${exceptions === '' ? '' : `, and ${exceptions}`}`;

  const check = (argument: string, host: string, addresses: readonly HostAddress[]) => {
    for (const { address } of addresses) {
      const denial = judge(address);
      if (denial === null) continue;
      const target = address === host ? address : `${host}, which is ${address}`;
      const network = denial.what === null ? denial.network : `${denial.network}: ${denial.what}`;
      throw invalidArgument(`arguments.${argument}`, `${argument} must not lead to ${target} (${network}); ${allowed}`);
    }
  };
  const resolve = async (argument: string, host: string, signal?: AbortSignal) => {
    const family = isIP(host);
    const known = knownAddress(host);
    if (known !== null) check(argument, host, [{ address: known, family: 4 }]);
    const addresses = family !== 0 ? [{ address: host, family }] : await lookUpInTurn(host, signal);
    if (addresses !== null) check(argument, host, addresses);
    return addresses;
  };

  return {
    resolve,
    async checkUrl(argument, url, signal) {
      const host = hostOf(argument, url);
      if ((await resolve(argument, host, signal)) !== null || !isClosed) return;
      const message = `${argument} must not lead to ${host}, which cannot be resolved here; ${allowed}`;
      throw invalidArgument(`arguments.${argument}`, message);
    },
  };
}

/**
 * `SCHEME://[USER@]HOST[:PORT]` (RFC 3986, 3.2), with the rest of the URL. Stricter than the RFC: what has another meaning for
 * some programs (brackets, further `@`) matches in no part.
 */
const URL_PARTS =
  /^[a-z][a-z0-9+.-]*:\/\/(?:[\w.~!$&'()*+,;=:%-]*@)?(?<host>\[[0-9a-f:.]+\]|[^/?#@:[\]]+)(?::\d*)?(?<rest>[/?#].*)?$/i;

/** Delimiters in their encoded form: programs that decode before they split see another host. */
const ENCODED_DELIMITER = /^[^/?#]*:\/\/[^/?#]*%(?:2f|3f|23|40|5c|5b|5d|00|0a|0d)/i;

/**
 * Returns the host of an absolute URL of any scheme, an IPv6 address without brackets. Refuses URLs whose host programs
 * read differently: the BMC's reading is not known.
 */
function hostOf(argument: string, url: string): string {
  const { host: raw = '', rest = '' } = URL_PARTS.exec(url)?.groups ?? {};
  const host = URL.parse(`http://${raw}/`)?.hostname;
  // Browsers' parsers take a backslash for a slash and drop tabs and line breaks; older ones look for the last @, also behind
  // a ? or # that ends the authority.
  const isAmbiguous = /[\\\s\p{Cc}]/u.test(url) || ENCODED_DELIMITER.test(url) || /^[?#].*@/s.test(rest);
  if (raw === '' || isAmbiguous || host === undefined || host === '') {
    const message = `${argument} must be a URL with a host that all programs read alike: SCHEME://[USER@]HOST[:PORT]/PATH, with one @ before the host at most, without blanks, backslashes and encoded delimiters`;
    throw invalidArgument(`arguments.${argument}`, message);
  }
  if (isIPv4(host) && host !== raw) {
    throw invalidArgument(`arguments.${argument}`, `${argument} must write its IPv4 address as ${host}`);
  }
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

/**
 * Returns `lookup` with a time limit and one look-up at a time; null stands for a failed one. Node cannot cancel the
 * system's resolver, and runs two look-ups at once (libuv confines getaddrinfo to half of its threads). With a DNS
 * server that does not respond, both would be taken here for as long as the resolver tries, and connections to BMCs by
 * name would wait; one that has timed out before its turn is never started. Not c-ares (`dns.Resolver`), which can be
 * cancelled: it knows neither /etc/hosts nor the search domains of resolv.conf.
 */
function inTurn(lookup: (host: string) => Promise<readonly HostAddress[]>, timeoutMs: number) {
  let last: Promise<unknown> = Promise.resolve();
  return async (host: string, signal?: AbortSignal): Promise<readonly HostAddress[] | null> => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const end = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    const result = last.then(() => (end.aborted ? null : lookup(host).catch(() => null)));
    last = result;
    try {
      return await untilAborted(result, end);
    } catch (error) {
      if (signal?.aborted) throw error;
      return null;
    }
  };
}
