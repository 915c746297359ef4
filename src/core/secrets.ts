import { ELLIPSIS } from './bounds.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** Stands for a secret in output, as in Ironic; refused as a value. */
export const MASK = '******';

/** The one list of names whose values are secrets: in driver_info, arguments, headers, configuration, logs and traces. */
const NAMES =
  'pass(?:phrase|code)?$|passw|pswd|secret|token|credential|private_?key|kg_key|community|auth_?key|priv_?key|api_?key|reservation_?key|encryption_?keys?|^authorization$|httpheaders|cookie';
const SECRET_NAME = new RegExp(NAMES, 'i');

/** Objects with secrets among their members. A text under such a name may be the object's JSON and is masked whole. */
const HOLDS_SECRETS = /^driver_?info$/i;

/** Whether a member called `name` holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** How `mapTexts` copies a value. */
export interface TextMapping {
  text(text: string): string;
  /** Maps the name of a member; by default names stay. */
  name?(name: string): string;
  /** Returns what replaces a member; undefined to copy the member itself. */
  member?(name: string, value: unknown): unknown;
  /**
   * Copies an error; by default like other objects.
   * @param copy copies one of the error's members
   * @param copyMembers copies all members of an object that describes the error
   */
  error?(error: Error, copy: (member: unknown) => unknown, copyMembers: (described: object) => object): unknown;
}

/** Deeper than what is stored nests, and far from the end of the stack, which a BMC's document may reach. */
const DEEPEST = 500;

/**
 * Returns a copy of `value` with every text in it mapped. What is deeper than `depth`, binary or unreadable becomes `…`.
 * Never throws.
 */
export function mapTexts(value: unknown, mapping: TextMapping, depth = DEEPEST): unknown {
  if (typeof value === 'string') return mapping.text(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth === 0 || ArrayBuffer.isView(value)) return '…';
  try {
    const copy = (item: unknown) => mapTexts(item, mapping, depth - 1);
    if (Array.isArray(value)) return value.map(copy);
    if (value instanceof Error && mapping.error !== undefined) {
      return mapping.error(value, copy, (described) => mapMembers(described, mapping, copy));
    }
    return mapMembers(value, mapping, copy);
  } catch {
    // A getter of a driver's error may throw.
    return '…';
  }
}

function mapMembers(from: object, mapping: TextMapping, copy: (member: unknown) => unknown): object {
  const to = {};
  for (const [name, member] of Object.entries(from)) {
    // Not an assignment, which would lose a member called `__proto__`.
    Object.defineProperty(to, mapping.name?.(name) ?? name, {
      value: mapping.member?.(name, member) ?? copy(member),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return to;
}

/** Returns the mask for a member that is a secret by its name and not null; else undefined. */
export function maskMember(name: string, value: unknown): typeof MASK | undefined {
  if (value === null) return undefined;
  return isSecretName(name) || (HOLDS_SECRETS.test(name) && typeof value !== 'object') ? MASK : undefined;
}

/** The user information of a URL (RFC 3986, 3.2.1), which may hold a password. */
const URL_USER = /(?<=^[a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i;

const MASKED: TextMapping = {
  text: (text) => text.replace(URL_USER, `${MASK}@`).replace(RESERVATION_KEYS, MASK),
  member: maskMember,
};

/** Returns a copy of `value` with secrets and the user information of URLs masked; null stays null. */
export function maskSecrets(value: JsonObject): JsonObject {
  return mapTexts(value, MASKED) as JsonObject;
}

/** Returns the path (`a.b`, `a.0`) of the first member or item of `value` that is `******`; null when there is none. */
export function findMask(value: JsonObject | Json[]): string | null {
  for (const [key, member] of Object.entries(value)) {
    if (member === MASK) return key;
    const inner = typeof member === 'object' && member !== null ? findMask(member) : null;
    if (inner !== null) return `${key}.${inner}`;
  }
  return null;
}

/** Secrets in running text: user information of URLs, HTTP credentials (RFC 9110, 11.4), `name=value` and `"name": "value"`. */
const URL_USER_WITHIN = /(?<=\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi;
const CREDENTIALS =
  /\b(Basic|Bearer|Digest|Negotiate) +(?!(?:auth|authentication|authorization|access|realm)\b)[\w.~+/=-]{4,}/gi;
// `ASSIGNED` takes a URL's scheme for a name, and its rest for the value.
const QUERY = /(?<=[?&;])([\w.%-]+)=([^\s&;,"'<>)}\]#]+)/g;
// A name begins where no character of one precedes: trying each of them took seconds for a long word.
const ASSIGNED = /(["']?)(?<![\w.-])([\w.-]+)\1(\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&,;"')}\]]+)/g;

/** Keys of reservations (`newReservationKey`). */
const RESERVATION_KEYS = /\bpassthru_rsv_[\w-]+/g;

/** Masks the secrets in `text` that can be recognised by their form. It misses a secret without a name. */
export function maskText(text: string): string {
  return text
    .replace(RESERVATION_KEYS, MASK)
    .replace(URL_USER_WITHIN, `${MASK}@`)
    .replace(CREDENTIALS, `$1 ${MASK}`)
    .replace(QUERY, (whole, name: string) => (isSecretName(name) ? `${name}=${MASK}` : whole))
    .replace(ASSIGNED, (whole, quote: string, name: string, sign: string) =>
      isSecretName(name) ? `${quote}${name}${quote}${sign}${MASK}` : whole,
    );
}

/** The least length of a secret that is redacted anywhere in a text; a shorter one only where it stands alone or quoted. */
export const SHORT_SECRET = 4;

/** Returns the values of secret members of `value`, at any depth, and the passwords of URLs; the longest first, none empty. */
export function secretValues(value: JsonObject): string[] {
  const found = new Set<string>();
  collect(value, false, found);
  // One may be a part of another.
  return [...found].filter((text) => text !== '' && text !== MASK).sort((a, b) => b.length - a.length);
}

function collect(value: Json, secret: boolean, found: Set<string>): void {
  if (typeof value === 'string' || typeof value === 'number') {
    if (secret) found.add(String(value));
    else if (typeof value === 'string')
      found.add(decoded(/^[a-z][a-z0-9+.-]*:\/\/[^/?#@:]*:([^/?#]*)@/i.exec(value)?.[1] ?? ''));
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, secret, found);
  } else if (isJsonObject(value)) {
    for (const [key, member] of Object.entries(value)) collect(member, secret || isSecretName(key), found);
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Masks `secrets` in `text`: BMCs and drivers quote refused values, passwords and HTTP headers included. */
export function redactText(text: string, secrets: readonly string[]): string {
  return redactor(secrets)(text);
}

/** Returns a `redactText` of these secrets, for many texts. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const given = secrets.filter((secret) => secret !== '');
  const forms = new Set(given.filter(({ length }) => length >= SHORT_SECRET).flatMap(formsOf));
  const short = given.filter(({ length }) => length < SHORT_SECRET);
  return (text) => {
    // A driver in JavaScript may log without a message, or with another value in its place.
    if (typeof text !== 'string') return '';
    let clean = text;
    for (const form of forms) clean = clean.replaceAll(form, MASK);
    if (forms.size > 0 && clean.includes(ELLIPSIS)) clean = maskCutSecrets(clean, forms);
    for (const secret of short) {
      if (clean === secret) clean = MASK;
      else for (const quote of ["'", '"']) clean = clean.replaceAll(quote + secret + quote, quote + MASK + quote);
    }
    return clean;
  };
}

/** Masks the beginnings of `forms` where a text was cut, so that the rest of a secret is missing. */
function maskCutSecrets(text: string, forms: ReadonlySet<string>): string {
  const parts = text.split(ELLIPSIS);
  const last = parts.pop() ?? '';
  return [...parts.map((part) => maskEnd(part, forms)), last].join(ELLIPSIS);
}

function maskEnd(text: string, forms: ReadonlySet<string>): string {
  let from = text.length;
  for (const form of forms) {
    for (let at = Math.max(0, text.length - form.length + 1); at < from; at++) {
      if (form.startsWith(text.slice(at))) from = at;
    }
  }
  return text.length - from < SHORT_SECRET ? text : text.slice(0, from) + MASK;
}

/** Returns a secret as it is, and as within JSON, JSON in JSON, a URL, a form, HTML and Basic credentials. */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const url = encodeURIComponent(secret.toWellFormed());
  const html = secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return [
    secret,
    json,
    JSON.stringify(json).slice(1, -1),
    url,
    url.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    url.replaceAll('%20', '+'),
    html.replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
    html.replaceAll('"', '&#34;').replaceAll("'", '&#x27;'),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ];
}

/** Returns a copy of `value`, which nests no deeper than `DEEPEST`, with `secrets` masked in every text. */
export function redact<T extends Json>(value: T, secrets: readonly string[]): T {
  return mapTexts(value, { text: redactor(secrets) }) as T;
}
