import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** What is shown in place of a secret, as Ironic does; refused as a value. */
export const MASK = '******';

/** The one list of names whose values are secrets: in driver_info, arguments, headers, configuration and logs. */
const SECRET_NAME =
  /pass(word|wd|phrase|code)?$|password|pswd|secret|token|credential|private_?key|kg_key|community|auth_?key|priv_?key|api_?key|encryption_?keys?|^authorization$|httpheaders|cookie/i;

/** Whether a member called `name` holds a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A copy of `value` in which every secret that is not null shows as `******`, at any depth, and so does who a URL is for. */
export function maskSecrets(value: JsonObject): JsonObject {
  const masked: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    define(masked, key, isSecretName(key) && member !== null ? MASK : maskValue(member));
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
