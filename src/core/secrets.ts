import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** What is shown in place of a secret, as Ironic does; refused as a value. */
export const MASK = '******';

/** The one list of names whose values are secrets: in driver_info, arguments, headers, configuration, logs and traces. */
const NAMES =
  'pass(?:phrase|code)?$|passw|pswd|secret|token|credential|private_?key|kg_key|community|auth_?key|priv_?key|api_?key|encryption_?keys?|^authorization$|httpheaders|cookie';
const SECRET_NAME = new RegExp(NAMES, 'i');

/** What holds secrets among other things: a text in its place is not looked into. */
const HOLDS_SECRETS = /^driver_?info$/i;

/** Whether a member called `name` holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A copy of `value` in which every secret that is not null shows as `******`, at any depth, and so does who a URL is for. */
export function maskSecrets(value: JsonObject): JsonObject {
  const masked: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    const secret = isSecretName(key) || (HOLDS_SECRETS.test(key) && typeof member !== 'object');
    define(masked, key, secret && member !== null ? MASK : maskValue(member));
  }
  return masked;
}

/** The path (`a.b`, `a.0`) of the first member or item of `value` that is `******`; null when there is none. */
export function findMask(value: JsonObject | Json[]): string | null {
  for (const [key, member] of Object.entries(value)) {
    if (member === MASK) return key;
    const inner = typeof member === 'object' && member !== null ? findMask(member) : null;
    if (inner !== null) return `${key}.${inner}`;
  }
  return null;
}

/** The user information of a URL (RFC 3986, 3.2.1), which may hold a password. */
const URL_USER = /(?<=^[a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i;

function maskValue(value: Json): Json {
  if (typeof value === 'string') return value.replace(URL_USER, `${MASK}@`);
  if (Array.isArray(value)) return value.map(maskValue);
  return isJsonObject(value) ? maskSecrets(value) : value;
}

/** Sets an own member whatever its name: an assignment to `__proto__` would be lost. */
function define(target: JsonObject, key: string, value: Json): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** A secret in running text: who a URL is for, credentials of HTTP (RFC 9110, 11.4), `name=value` and `"name": "value"`. */
const URL_USER_WITHIN = /(?<=\b[a-z][a-z0-9+.-]*:\/\/)[^\s/?#]*@/gi;
const CREDENTIALS = /\b(Basic|Bearer|Digest|Negotiate) +[\w.~+/=-]{4,}/gi;
const ASSIGNED = /(["']?)([\w.-]+)\1(\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&,;"')}\]]+)/g;

/** `text`, such as a log's, with `******` for what its form tells to be a secret. It finds no secret that stands bare. */
export function maskText(text: string): string {
  return text
    .replace(URL_USER_WITHIN, `${MASK}@`)
    .replace(CREDENTIALS, `$1 ${MASK}`)
    .replace(ASSIGNED, (whole, quote: string, name: string, sign: string) =>
      isSecretName(name) ? `${quote}${name}${quote}${sign}${MASK}` : whole,
    );
}

/** A secret this short is taken out only where it stands alone or quoted, for it is a part of many words. */
export const SHORT_SECRET = 4;

/** The texts under the names of secrets in `value`, at any depth, and the passwords of URLs; none of them is empty. */
export function secretValues(value: JsonObject): string[] {
  const found = new Set<string>();
  collect(value, false, found);
  // The longest first: one may be a part of another.
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

/** `text` without the `secrets`: BMCs and drivers quote the values that they refuse, passwords and HTTP headers included. */
export function redactText(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of secrets) {
    if (secret === '') continue;
    if (secret.length >= SHORT_SECRET) for (const form of formsOf(secret)) clean = clean.replaceAll(form, MASK);
    else if (clean === secret) clean = MASK;
    else for (const quote of ["'", '"']) clean = clean.replaceAll(quote + secret + quote, quote + MASK + quote);
  }
  return clean;
}

/** As it is, in JSON, and in a URL. */
function formsOf(secret: string): string[] {
  const json = JSON.stringify(secret).slice(1, -1);
  const url = encodeURIComponent(secret.toWellFormed());
  return [secret, ...(json === secret ? [] : [json]), ...(url === secret ? [] : [url])];
}

/** `value` with the `secrets` taken out of every text in it. */
export function redact<T extends Json>(value: T, secrets: readonly string[]): T;
export function redact(value: Json, secrets: readonly string[]): Json {
  if (typeof value === 'string') return redactText(value, secrets);
  if (Array.isArray(value)) return value.map((item) => redact(item, secrets));
  if (!isJsonObject(value)) return value;
  const clean: JsonObject = {};
  for (const [key, item] of Object.entries(value)) define(clean, key, redact(item, secrets));
  return clean;
}
