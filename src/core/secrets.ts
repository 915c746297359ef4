import { isJsonObject, type Json, type JsonObject } from './json.ts';
import { isSecretName } from './secretNames.ts';
import { maskUserInfo, passwordsIn } from './userInfo.ts';

/** Stands for a secret in output, as in Ironic; refused as a value. */
export const MASK = '******';

/** Objects with secrets among their members. A text under such a name may be the object's JSON and is masked whole. */
const HOLDS_SECRETS = /^driver_?info$/i;

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
  const to: Record<string, unknown> = {};
  for (const [name, member] of Object.entries(from)) {
    const mapped = mapping.name?.(name) ?? name;
    const value = mapping.member?.(name, member) ?? copy(member);
    // An assignment would lose a member called `__proto__`.
    if (mapped !== '__proto__') to[mapped] = value;
    else Object.defineProperty(to, mapped, { value, enumerable: true, configurable: true, writable: true });
  }
  return to;
}

/** Returns the mask for a member that is a secret by its name and not null; else undefined. */
export function maskMember(name: string, value: unknown): typeof MASK | undefined {
  if (value === null) return undefined;
  return isSecretName(name) || (HOLDS_SECRETS.test(name) && typeof value !== 'object') ? MASK : undefined;
}

const MASKED: TextMapping = {
  text: (text) => maskQuery(maskUserInfo(maskOwnSecrets(text), MASK)),
  member: maskMember,
};

/** Returns a copy of `value` with secrets, and those in addresses, masked; null stays null. */
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

/** Secrets in running text, besides user information: HTTP credentials (RFC 9110, 11.4), `name=value` and `"name": "value"`. */
const CREDENTIALS =
  /\b(Basic|Bearer|Digest|Negotiate) +(?!(?:auth|authentication|authorization|access|realm)\b)[\w.~+/=-]{4,}/gi;
// `ASSIGNED` takes a URL's scheme for a name, and its rest for the value.
const QUERY = /(?<=[?&;])([\w.%-]+)=([^\s&;,"'<>)}\]#]+)/g;
// A name begins where no character of one precedes: trying each of them took seconds for a long word.
const ASSIGNED = /(["']?)(?<![\w.-])([\w.-]+)\1(\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&,;"')}\]]+)/g;

/** Keys of reservations (`newReservationKey`) and tokens of event sources (`newSourceToken`). */
const OWN_SECRETS = /\bpassthru_(?:rsv|evt)_[\w-]+/g;

/** Masks the secrets of this service in `text`. */
export function maskOwnSecrets(text: string): string {
  return text.includes('passthru_') ? text.replace(OWN_SECRETS, MASK) : text;
}

/** Masks the secrets in `text` that can be recognised by their form. It misses a secret without a name. */
export function maskText(text: string): string {
  let masked = maskUserInfo(maskOwnSecrets(text), MASK);
  // Most texts are names and ids, for which the expressions would search in vain.
  if (masked.includes(' ')) masked = masked.replace(CREDENTIALS, `$1 ${MASK}`);
  masked = maskQuery(masked);
  if (!masked.includes(':') && !masked.includes('=')) return masked;
  return masked.replace(ASSIGNED, (whole, quote: string, name: string, sign: string) =>
    isSecretName(name) ? `${quote}${name}${quote}${sign}${MASK}` : whole,
  );
}

function maskQuery(text: string): string {
  if (!text.includes('=')) return text;
  return text.replace(QUERY, (whole, name: string) => (isSecretName(name) ? `${name}=${MASK}` : whole));
}

/** Returns the values of secret members of `value`, at any depth, and the passwords of addresses; the longest first, none empty. */
export function secretValues(value: JsonObject): string[] {
  const found = new Set<string>();
  collect(value, false, found);
  // One may be a part of another.
  return [...found].filter((text) => text !== '' && text !== MASK).sort((a, b) => b.length - a.length);
}

function collect(value: Json, secret: boolean, found: Set<string>): void {
  if (typeof value === 'string' || typeof value === 'number') {
    if (secret) found.add(String(value));
    else if (typeof value === 'string') for (const password of passwordsIn(value)) found.add(password);
  } else if (Array.isArray(value)) {
    for (const item of value) collect(item, secret, found);
  } else if (isJsonObject(value)) {
    for (const [key, member] of Object.entries(value)) collect(member, secret || isSecretName(key), found);
  }
}
