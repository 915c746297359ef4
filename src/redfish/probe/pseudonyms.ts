import { isIPv4, isIPv6 } from 'node:net';
import { redactor } from '../../core/redaction.ts';
import { MASK } from '../../core/secrets.ts';
import type { Identity } from './identity.ts';

const UUID = /(?<![\da-z])[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}(?![\da-z])/gi;
const MAC = /(?<![\da-f:-])[\da-f]{2}([:-])(?:[\da-f]{2}\1){4,6}[\da-f]{2}(?![\da-f:-])/gi;
const BARE_MAC = /(?<![\da-z])(?=[\da-f]*\d)(?=\d*[a-f])[\da-f]{12}(?![\da-z])/gi;
const IPV4 = /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])/g;
const IPV6 = /(?<![\da-z:.])(?:[\da-f]{0,4}:){2,7}[\da-f]{0,4}(?![\da-z:])/gi;
// A word begins where no character of one precedes: trying each of them took half a minute for a long word.
/** Not an annotation, such as `Members@odata.count`. */
const EMAIL = /(?<![\w.+-])[\w.+-]+@(?!odata\.|Redfish\.|Message\.)[\w-]+(?:\.[\w-]+)+/g;
const URL_WITHIN = /(?<![a-z0-9+.-])[a-z0-9+.-]+:\/\/[^\s"'<>)\]]+/gi;
const HOST =
  /(?<![\w.@/-])(?:[a-z\d](?:[a-z\d-]*[a-z\d])?\.)+(?:com|net|org|local|lan|internal|intranet|corp|home|example|test|io|de|arpa|localdomain)(?![\w-])/gi;
const PEM = /-----BEGIN[\s\S]*?(?:-----END[^-]*-----|$)/g;

/** Addresses that identify nothing. */
const ANYBODY = new Set(['0.0.0.0', '::', '255.255.255.255']);

/** The shortest value that is looked for in other values. */
const LEAST_LENGTH = 4;

/**
 * Replaces what identifies a machine by harmless values of the same form: the same input by the same output, different ones by
 * different ones, so that links still lead to their documents and twins still are twins.
 */
export class Pseudonyms {
  readonly #redact: (text: string) => string;
  readonly #known = new Map<string, string>();
  readonly #taken = new Set<string>();
  readonly #counts = new Map<string, number>();
  #pattern: RegExp | null = null;
  /** Values that are looked for anywhere. */
  readonly #sought = new Set<string>();

  /** @param secrets texts to mask wherever they occur */
  constructor(secrets: readonly string[]) {
    this.#redact = redactor(secrets);
  }

  /** Makes `value` be replaced wherever it stands as a word, in links too. */
  seek(identity: Identity, value: string): void {
    this.of(identity, value);
    if (!this.#sought.has(value)) this.#pattern = null;
    this.#sought.add(value);
  }

  /** Does the same for a value of a document, unless it is too short, or one of the words that all machines use. */
  learn(identity: Identity, value: string, vocabulary: ReadonlySet<string>): void {
    if (value.length >= LEAST_LENGTH && !vocabulary.has(value) && !ANYBODY.has(value)) this.seek(identity, value);
  }

  /** Returns what replaces `value` as a whole. */
  of(identity: Identity, value: string): string {
    const masked = this.#redact(value);
    if (masked !== value) return MASK;
    if (value.trim() === '' || ANYBODY.has(value) || this.#taken.has(value)) return value;
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const made = this.#make(identity, value);
    this.#known.set(value, made);
    this.#taken.add(made);
    return made;
  }

  /** Returns `text` with the sought values replaced, and nothing else. */
  known(text: string): string {
    const masked = this.#redact(text).replace(PEM, MASK);
    const pattern = this.#soughtPattern();
    return pattern === null ? masked : masked.replace(pattern, (value) => this.#known.get(value) ?? value);
  }

  /** Returns `text` with everything replaced that is known or has the form of an address, a UUID or the like. */
  text(text: string): string {
    if (text === '') return text;
    const clean = this.known(text)
      .replace(URL_WITHIN, (url) => this.of('url', url))
      .replace(EMAIL, (mail) => this.of('user', mail));
    return this.fact(clean)
      .replace(IPV4, (ip) => (isIPv4(ip) ? this.of('address', ip) : ip))
      .replace(IPV6, (ip) => (isIPv6(ip) ? this.of('address', ip) : ip))
      .replace(HOST, (host) => this.of('host', host));
  }

  /** Does the same for a fact of a machine, such as a version, which may look like an address. */
  fact(text: string): string {
    return this.known(text)
      .replace(UUID, (uuid) => this.of('uuid', uuid))
      .replace(MAC, (mac) => this.of('mac', mac))
      .replace(BARE_MAC, (mac) => this.of('mac', mac));
  }

  /** Replaces within each segment of a path, whose encoding stays where nothing is replaced. */
  path(path: string): string {
    const [, before, rest] = /^([^?#]*)(.*)$/s.exec(path) as unknown as [string, string, string];
    const segments = before.split('/').map((segment) => {
      const decoded = decode(segment);
      const clean = this.text(decoded);
      return clean === decoded ? segment : encodeURIComponent(clean);
    });
    return segments.join('/') + this.text(rest);
  }

  #soughtPattern(): RegExp | null {
    if (this.#pattern === null && this.#sought.size > 0) {
      const longestFirst = [...this.#sought].sort((a, b) => b.length - a.length).map(escaped);
      this.#pattern = new RegExp(`(?<![A-Za-z0-9])(?:${longestFirst.join('|')})(?![A-Za-z0-9])`, 'g');
    }
    return this.#pattern;
  }

  #make(identity: Identity, value: string): string {
    switch (identity) {
      case 'uuid':
        return this.#next('uuid', (n) => sameCase(`00000000-0000-4000-8000-${hex(n, 12)}`, value));
      case 'mac': {
        const separator = /[:-]/.exec(value)?.[0] ?? '';
        return this.#next('mac', (n) => sameCase(`02${hex(n, 10)}`.replace(/(?<=.)(?=(?:..)+$)/g, separator), value));
      }
      case 'address':
        if (isIPv6(value)) return this.#next('ipv6', (n) => `2001:db8::${n.toString(16)}`);
        return isIPv4(value) ? this.#next('ipv4', documentationAddress) : this.#next('address', (n) => `address-${n}`);
      case 'host':
        if (isIPv4(value) || isIPv6(value)) return this.#make('address', value);
        return this.#next('host', (n) => (value.includes('.') ? `host-${n}.example` : `host-${n}`));
      case 'url':
        return this.#makeUrl(value);
      case 'serial':
        return this.#next('serial', (n) => shaped(value, n));
      case 'user':
        return this.#next('user', (n) => (value.includes('@') ? `user-${n}@mail.example` : `user-${n}`));
      default:
        return this.#next(identity, (n) => `${identity}-${n}`);
    }
  }

  /** Keeps the scheme and the kind of file; a path or query may hold a token. */
  #makeUrl(value: string): string {
    const parsed = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)(?::\d+)?([^?#]*)/i.exec(value);
    const ending = /\.(?:iso|img)$/i.exec(parsed?.[3] ?? value)?.[0] ?? '';
    if (parsed === null) return this.#next('file', (n) => `file-${n}${ending}`);
    const host = parsed[2]!.replace(/^\[|\]$/g, '');
    const at = host === '' ? 'host-0.example' : this.of('host', host);
    const bracketed = isIPv6(at) ? `[${at}]` : at;
    return this.#next('url', (n) => `${parsed[1]}://${bracketed}/${n}${ending}`);
  }

  /** Numbers the values of a kind, leaving out those that stand for something else already. */
  #next(kind: string, make: (n: number) => string): string {
    for (;;) {
      const n = (this.#counts.get(kind) ?? 0) + 1;
      this.#counts.set(kind, n);
      const made = make(n);
      if (!this.#taken.has(made)) return made;
    }
  }
}

/** Addresses for documentation (RFC 5737), then those of a network for benchmarks (RFC 2544). */
function documentationAddress(n: number): string {
  return n < 255 ? `192.0.2.${n}` : `198.18.${Math.floor(n / 250) % 256}.${(n % 250) + 1}`;
}

/** Returns letters for letters and digits for digits, the last of them the number `n`. */
function shaped(value: string, n: number): string {
  const blank = value
    .slice(0, 40)
    .replace(/[A-Z]/g, 'X')
    .replace(/[a-z]/g, 'x')
    .replace(/\d/g, '0')
    .replace(/[^\w -]/g, '-');
  const number = String(n);
  return blank.length > number.length ? blank.slice(0, -number.length) + number : `X${number}`;
}

/** Returns a regular expression for `text`. */
function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function hex(n: number, digits: number): string {
  return n.toString(16).padStart(digits, '0');
}

function sameCase(made: string, value: string): string {
  return /[A-F]/.test(value) ? made.toUpperCase() : made;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
