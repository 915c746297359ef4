import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { MASK, maskText } from '../../core/secrets.ts';
import { IDENTIFYING_NUMBER, identityOf, isFact, isLink, isSecret, VERSION } from './identity.ts';
import { Pseudonyms } from './pseudonyms.ts';
import type { RecordedResponse, Recording } from './recording.ts';

/** What must not be told of a probe. */
interface RedactionOptions {
  /** Scheme, host and port of the BMC that was probed. */
  origin: string;
  username: string | null;
  /** The password, the session's token and the like. */
  secrets: readonly string[];
  /** Whether serial numbers, UUIDs, addresses, names and the like stay; secrets, host and user name never do. */
  keepIdentity: boolean;
}

/** What is being redacted. */
interface Place {
  /** The type of the document without version, such as `EventDestination`; empty without one. */
  type: string;
  /** Whether it is the document itself rather than something in it. */
  top: boolean;
}

/** Types whose `Name` people choose. */
const NAMED_BY_PEOPLE = new Set(['ComputerSystem', 'Manager', 'Chassis', 'EventDestination', 'Task', 'Job']);

/** The words of the names that vendors give to services, collections and devices. */
const NAME_WORDS = new Set(
  `a account accounts action and at bmc cd chassis collection computer destination device devices disk drive dvd embedded event
  events external file floppy for hard hpe idrac ilo image images info information instance internal job jobs kvm manager
  managers media medium of openbmc party redfish registries registry remote removable restful root s service services session
  sessions slot slots subscription subscriptions system systems task tasks test the third update usb usbstick virtual
  virtualmedia sendtestevent submit parameters`.split(/\s+/),
);

const MAX_SENTENCE = 1000;

/** Names in lower case: those of errors (DSP0266, OData, RFC 9457) and of actions. */
const LOWER_NAMES = new Set([
  'error',
  'errors',
  'code',
  'message',
  'lang',
  'value',
  'target',
  'title',
  'cc',
  'type',
  'status',
  'detail',
  'instance',
]);

/** Where the words of a BMC's messages are. */
const SENTENCES = /^(message|resolution|error|value)$/i;

/** Replaces what is secret or identifies a machine in a recording. */
export class Redaction {
  readonly #names: Pseudonyms;
  readonly #keepIdentity: boolean;
  readonly #username: string | null;
  /** With the port. */
  readonly #host: string;
  /** The words of the schemas and of the facts. */
  readonly #vocabulary = new Set<string>();

  constructor({ origin, username, secrets, keepIdentity }: RedactionOptions) {
    const { host, hostname } = new URL(origin);
    this.#names = new Pseudonyms(secrets);
    this.#keepIdentity = keepIdentity;
    this.#host = host;
    this.#username = username;
    this.#names.seek('host', hostname.replace(/^\[|\]$/g, ''));
    if (username !== null && username.length > 2) this.#names.seek('user', username);
  }

  /** Returns a copy of a recording that may be given away. */
  recording(from: Recording): Recording {
    const documents = [...from.responses.values(), ...from.strangers.values()].flatMap(
      ({ document }) => document ?? [],
    );
    for (const document of documents) this.#addVocabulary(document);
    if (!this.#keepIdentity) for (const document of documents) this.#learn(document, '');
    return {
      ...from,
      root: this.#path(from.root),
      responses: this.#byPath(from.responses, (response) => this.#response(response)),
      strangers: this.#byPath(from.strangers, (response) => this.#response(response)),
      found: this.#byPath(from.found, ({ resource, from: path }) => ({ resource, from: this.#path(path) })),
      pages: this.#byPath(from.pages, (size) => size),
      silent: this.#byPath(from.silent, (why) => this.words(why)),
      exchanges: from.exchanges.map((exchange) => ({ ...exchange, path: this.#path(exchange.path) })),
      login: {
        ...from.login,
        refusal: from.login.refusal && { ...from.login.refusal, path: this.#path(from.login.refusal.path) },
        error: from.login.error === null ? null : this.words(from.login.error),
      },
    };
  }

  /** Redacts a message of this program, which may quote the BMC; of an URL the path stays. */
  words(text: string): string {
    const own = this.#username === null ? text : text.replaceAll(`account ${this.#username}`, 'the account');
    const short = own.replace(/\bhttps?:\/\/[^/\s"')]+(?=\/redfish)/gi, '');
    return this.#keepIdentity ? maskText(this.#names.known(short)) : this.#sentence(short);
  }

  #byPath<T>(from: ReadonlyMap<string, T>, redact: (value: T) => T): Map<string, T> {
    return new Map([...from].map(([path, value]) => [this.#path(path), redact(value)]));
  }

  #response({ status, headers, document, text }: RecordedResponse): RecordedResponse {
    const type = typeOf(document);
    return {
      status,
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, this.#header(name, value)])),
      document: document === null ? null : this.#object(document, { type, top: true }),
      text: text === null ? null : this.#body(text, headers['content-type']),
    };
  }

  #header(name: string, value: string): string {
    // Only its path counts, whatever its host.
    if (name === 'location') return this.#link(value.replace(/^https?:\/\/[^/?#]*(?=\/)/i, ''));
    // The realm may be the name of the machine.
    if (name === 'www-authenticate') return this.#names.known(value).replace(/="[^"]*"/g, '="withheld"');
    return this.#keepIdentity ? this.#names.known(value) : this.#names.fact(value);
  }

  /** What is in a text is not known, so that only its form stays. */
  #body(text: string, type = ''): string {
    if (this.#keepIdentity) return maskText(this.#names.known(text));
    return /html/i.test(type) || /^\s*</.test(text) ? '<html><body>withheld</body></html>' : 'withheld';
  }

  #object(from: JsonObject, place: Place): JsonObject {
    const inner = { ...place, top: false };
    const to: JsonObject = {};
    for (const [name, value] of Object.entries(from)) {
      const clean = this.#key(name);
      // Not an assignment, which would lose a member called `__proto__`.
      Object.defineProperty(to, clean, {
        value: this.#member(name, value, place.top ? place : inner),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return to;
  }

  /** Some vendors name members after people or parts: what does not look like a name of a schema is replaced. */
  #key(name: string): string {
    if (this.#keepIdentity) return this.#names.known(name);
    const isName = /^[A-Z@#][\w.@#-]*$/.test(name) && !/\d{3}/.test(name);
    return isName || LOWER_NAMES.has(name) ? this.#names.fact(name) : this.#names.of('text', name);
  }

  #member(name: string, value: Json, place: Place): Json {
    if (value === null || typeof value === 'boolean') return value;
    if (isSecret(name) && !isOnlyLink(value)) return masked(value);
    if (Array.isArray(value)) {
      const inner = { ...place, top: false };
      return value.map((item) =>
        isJsonObject(item) ? this.#object(item, memberPlace(name, item, inner)) : this.#member(name, item, inner),
      );
    }
    if (isJsonObject(value)) return this.#object(value, { ...place, top: false });
    if (typeof value === 'number') return !this.#keepIdentity && IDENTIFYING_NUMBER.test(name) ? 0 : value;
    return this.#string(name, value, place);
  }

  #string(name: string, value: string, place: Place): string {
    if (isLink(name)) return this.#link(value);
    if (this.#keepIdentity) return maskText(this.#names.known(value));
    if (isFact(name) || name.startsWith('@odata.')) {
      return VERSION.test(name) ? this.#names.fact(value) : this.#names.text(value);
    }
    if (VERSION.test(name)) return this.#names.fact(value);
    if (name === 'Id' || name === 'MemberId') return this.#names.text(value);
    if (name === 'Name' || name === 'Description') return this.#name(value, place);
    if (SENTENCES.test(name)) return this.#sentence(value);
    if (name === 'MessageArgs' || name === 'RelatedProperties') return this.#argument(value);
    const identity = identityOf(name);
    if (identity !== null) return this.#names.of(identity, value);
    // A date, a duration (ISO 8601) or a plain number.
    if (/^(\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)?|P[\dDTHMS.]+|[+-]\d\d:\d\d|\d{1,5})$/.test(value)) return value;
    return this.#names.of('text', value);
  }

  #name(value: string, { type, top }: Place): string {
    if (type === 'ActionInfo' && !top)
      return this.#vocabulary.has(value) || /^\w+$/.test(value) ? this.#text(value) : '';
    const words = value.toLowerCase().match(/[a-z]+|\d+|[^a-z\d\s]/g) ?? [];
    const isGeneric = top && words.every((word) => NAME_WORDS.has(word) || /^(\d{1,3}|[():,.'-])$/.test(word));
    if (isGeneric && !NAMED_BY_PEOPLE.has(type)) return this.#text(value);
    return top && type !== '' ? type : this.#names.of('text', value);
  }

  /** Keeps the words of a message, without what it quotes and what looks like a name, number or path of one machine. */
  #sentence(value: string): string {
    return this.#names
      .text(value.slice(0, MAX_SENTENCE))
      .replace(/'[^'\n]*'|"[^"\n]*"/g, (quoted) => quoted[0] + this.#argument(quoted.slice(1, -1)) + quoted[0])
      .split(/(\s+)/)
      .map((token) => (isPlain(token) ? token : this.#argument(token)))
      .join('');
  }

  #argument(value: string): string {
    if (value === this.#username) return this.#names.of('user', value);
    if (this.#keepIdentity) return this.#names.known(value);
    if (value.startsWith('/redfish')) return this.#path(value);
    const clean = this.#names.text(value);
    return clean !== value || this.#vocabulary.has(value) || isPlain(value) ? clean : '…';
  }

  /** Returns a link; one to the BMC itself without its address. */
  #link(value: string): string {
    const url = URL.parse(value);
    if (url !== null && url.host === this.#host) return this.#path(value.replace(/^[^:]+:\/\/[^/?#]*/, '') || '/');
    if (value.startsWith('/') && !value.startsWith('//')) return this.#path(value);
    return this.#keepIdentity ? maskText(this.#names.known(value)) : this.#names.of('url', value);
  }

  #path(value: string): string {
    return this.#keepIdentity ? this.#names.known(value) : this.#names.path(value);
  }

  #text(value: string): string {
    return this.#keepIdentity ? this.#names.known(value) : this.#names.text(value);
  }

  #addVocabulary(value: Json, name = ''): void {
    if (Array.isArray(value)) for (const item of value) this.#addVocabulary(item, name);
    else if (isJsonObject(value)) {
      for (const [key, member] of Object.entries(value)) {
        this.#vocabulary.add(key);
        this.#addVocabulary(member, key);
      }
    } else if (typeof value === 'string') {
      if (isFact(name)) this.#vocabulary.add(value);
      if (name === '@odata.type') for (const word of value.split(/[#.]/)) this.#vocabulary.add(word);
    }
  }

  /** Learns the values that identify a machine, to replace them in links and messages too. */
  #learn(value: Json, name: string): void {
    if (Array.isArray(value)) for (const item of value) this.#learn(item, name);
    else if (isJsonObject(value)) for (const [key, member] of Object.entries(value)) this.#learn(member, key);
    else if (typeof value === 'string' && !isSecret(name) && !isLink(name) && !isFact(name)) {
      const identity = identityOf(name);
      if (identity !== null && identity !== 'url' && identity !== 'context') {
        this.#names.learn(identity, value, this.#vocabulary);
      }
    }
  }
}

/** A member of a collection that holds it whole is a document of its own. */
function memberPlace(name: string, item: JsonObject, inner: Place): Place {
  return name === 'Members' ? { type: typeOf(item), top: true } : inner;
}

function typeOf(document: JsonObject | null): string {
  const type = document?.['@odata.type'];
  return typeof type === 'string' ? (/^#([^.]+)\./.exec(type)?.[1] ?? '') : '';
}

function isOnlyLink(value: Json): boolean {
  return isJsonObject(value) && Object.keys(value).every((key) => key === '@odata.id');
}

function masked(value: Json): Json {
  if (Array.isArray(value)) return [];
  if (isJsonObject(value)) return {};
  return typeof value === 'number' ? 0 : MASK;
}

/** Whether a token of a sentence is a word, a number or punctuation. */
function isPlain(token: string): boolean {
  const core = token.replace(/^[^\p{L}\p{N}]+/u, '').replace(/[^\p{L}\p{N}]+$/u, '');
  return (
    core === '' ||
    (!/[@\\_/]/.test(token) &&
      /^(\p{L}\p{Ll}*|\p{Lu}{1,6}|(\p{Lu}\p{Ll}+)+|\d{1,6}|\p{L}\p{Ll}*['’-]\p{Ll}+)$/u.test(core))
  );
}
