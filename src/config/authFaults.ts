import { isJsonObject } from '../core/json.ts';
import { isLoopback } from '../net/listenAddress.ts';

/** A key that does not fit the others. */
export interface AuthFault {
  path: string[];
  /** What is allowed, or why it is needed. */
  message: string;
}

type Group = Record<string, unknown>;

/** What each type cannot do without. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  http_basic: ['http_basic_auth_user_file'],
  keystone: ['keystone.auth_url', 'keystone.username', 'keystone.password'],
  jwt: ['jwt.issuer', 'jwt.audience'],
};

/**
 * What is wrong with the groups `auth` and `tls` as a whole. Members may be missing or of a wrong type, which the schema
 * tells: every fault is told at once.
 */
export function authFaults(content: Group): AuthFault[] {
  const [auth, tls] = [group(content.auth), group(content.tls)];
  const [keystone, jwt] = [group(auth.keystone), group(auth.jwt)];
  const type = String(auth.type ?? 'none');
  const faults: AuthFault[] = [];
  const fault = (path: string, message: string) => faults.push({ path: path.split('.'), message });

  for (const path of NEEDED[type] ?? []) {
    const value = path.split('.').reduce<unknown>((inner, part) => group(inner)[part], auth);
    if (isUnset(value)) fault(`auth.${path}`, `auth.type ${type} needs it`);
  }
  for (const key of ['auth_url', 'www_authenticate_uri']) {
    const url = keystone[key];
    if (typeof url === 'string' && !isHttpUrl(url)) fault(`auth.keystone.${key}`, 'an https:// or http:// URL');
  }
  if (type === 'jwt' && isUnset(jwt.jwks_url) && isUnset(jwt.jwks_file)) {
    fault('auth.jwt.jwks_url', 'auth.type jwt needs it or auth.jwt.jwks_file');
  }
  if (type === 'jwt' && !isUnset(jwt.jwks_url) && !isUnset(jwt.jwks_file)) {
    fault('auth.jwt.jwks_file', 'nothing beside auth.jwt.jwks_url; one of the two');
  }
  if (typeof jwt.jwks_url === 'string' && !isGuardedUrl(jwt.jwks_url)) {
    fault('auth.jwt.jwks_url', 'an https:// URL, or an http:// one on loopback');
  }
  const roles = group(auth.roles);
  if (Object.keys(roles).length > 0 && type !== 'http_basic' && type !== 'client_certificate') {
    fault('auth.roles', `nothing with auth.type ${type}, whose roles come from elsewhere`);
  }
  if (type === 'client_certificate' && isUnset(tls.client_ca_file)) {
    fault('tls.client_ca_file', 'auth.type client_certificate needs it');
  }
  if (isUnset(tls.cert_file) && (!isUnset(tls.key_file) || !isUnset(tls.client_ca_file))) {
    fault('tls.cert_file', 'the other keys of tls need it');
  }
  if (!isUnset(tls.cert_file) && isUnset(tls.key_file)) fault('tls.key_file', 'tls.cert_file needs it');
  return faults;
}

function group(value: unknown): Group {
  return isJsonObject(value) ? value : {};
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function isHttpUrl(text: string): boolean {
  // The URL stands in a header between quotes.
  return /^https?:\/\/[^\s"\\]+$/.test(text) && URL.canParse(text) && /^[\x21-\x7e]*$/.test(text);
}

function isGuardedUrl(text: string): boolean {
  if (!isHttpUrl(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}
