import { lookup as systemLookup } from 'node:dns/promises';
import { PassthruError } from '../core/errors.ts';
import { untilAborted } from '../core/waiting.ts';
import { parseAddress, plainAddress } from '../net/networks.ts';

/** How long the addresses of a name are used, and how long a post waits for them, in milliseconds. */
const LIFETIME = 60_000;
const TIMEOUT = 3000;

/** The number of names whose addresses are remembered. */
const MAX_NAMES = 10_000;

interface Known {
  /** Null while they were never found. */
  addresses: ReadonlySet<string> | null;
  until: number;
  /** The look-up under way. */
  renewal: Promise<void> | null;
}

/** Tells whether posts come from the BMC that they are of. */
export class SenderCheck {
  readonly #lookup: (host: string) => Promise<readonly { address: string }[]>;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();

  /** @param lookup resolves a name; default: the system's resolver */
  constructor(
    lookup: (host: string) => Promise<readonly { address: string }[]> = (host) => systemLookup(host, { all: true }),
    now: () => number = () => performance.now(),
  ) {
    this.#lookup = lookup;
    this.#now = now;
  }

  /**
   * Whether `address` is one of `host`; at once where that is known. False for a host of null. While a name is looked up again, and
   * when that fails, its last known addresses count.
   * @param address of a socket: an IPv4 address may be mapped into IPv6
   * @throws kind `store_unavailable`, so that the BMC sends again, when the addresses of a name are not known
   */
  matches(host: string | null, address: string): boolean | Promise<boolean> {
    const sender = normal(address);
    if (host === null || sender === null) return false;
    const given = normal(host);
    if (given !== null) return given === sender;
    return this.#isOneOf(host, sender);
  }

  async #isOneOf(host: string, sender: string): Promise<boolean> {
    const known = this.#knownOf(host.toLowerCase());
    if (known.addresses === null) await this.#found(known);
    if (known.addresses === null) {
      throw new PassthruError('store_unavailable', `The address of the BMC ${host} is not known`);
    }
    return known.addresses.has(sender);
  }

  #knownOf(host: string): Known {
    let known = this.#known.get(host);
    if (known === undefined) {
      const [oldest] = this.#known.keys();
      if (this.#known.size >= MAX_NAMES && oldest !== undefined) this.#known.delete(oldest);
      known = { addresses: null, until: 0, renewal: null };
      this.#known.set(host, known);
    }
    if (known.until <= this.#now()) known.renewal ??= this.#renew(host, known);
    return known;
  }

  async #found({ renewal }: Known): Promise<void> {
    if (renewal === null) return;
    await untilAborted(renewal, AbortSignal.timeout(TIMEOUT)).catch(() => {});
  }

  async #renew(host: string, known: Known): Promise<void> {
    try {
      const found = await this.#lookup(host);
      known.addresses = new Set(found.map(({ address }) => normal(address)).filter((address) => address !== null));
      known.until = this.#now() + LIFETIME;
    } catch {
      // Soon again.
      known.until = this.#now() + LIFETIME / 60;
    } finally {
      known.renewal = null;
    }
  }
}

/** The normal forms of what was given last: the same few come with each post. */
const forms = new Map<string, string | null>();

/** Returns an address in its one normal form, without a zone; null when it is a name. */
function normal(text: string): string | null {
  let form = forms.get(text);
  if (form === undefined) {
    form = toNormal(text);
    if (forms.size >= MAX_NAMES) forms.clear();
    forms.set(text, form);
  }
  return form;
}

function toNormal(text: string): string | null {
  const address = parseAddress(plainAddress(text.replace(/^\[|\]$/g, '')).replace(/%.*$/, ''));
  if (address === null) return null;
  if (address.kind() === 'ipv6' && 'isIPv4MappedAddress' in address && address.isIPv4MappedAddress()) {
    return address.toIPv4Address().toString();
  }
  return address.toString();
}
