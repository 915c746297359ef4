import { isJsonObject } from '../core/json.ts';
import { isLoopback } from '../net/listenAddress.ts';

/** A key that conflicts with others. */
export interface AuthFault {
  path: string[];
  /** What is allowed, or why it is required. */
  message: string;
}

type Group = Record<string, unknown>;

/** The keys that each type requires. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  http_basic: ['http_basic_auth_user_file'],
  keystone: ['keystone.auth_url', 'keystone.username', 'keystone.password'],
  jwt: ['jwt.issuer', 'jwt.audience'],
};

/**
 * Returns the conflicts between the keys of `auth` and `tls`. Members may be missing or of a wrong type: the schema
 * reports those.
 */
export function authFaults(content: Group): AuthFault[] {
  const [auth, tls] = [group(content.auth), group(content.tls)];
  const [keystone, jwt] = [group(auth.keystone), group(auth.jwt)];
  const type = String(auth.type ?? 'none');
  const faults: AuthFault[] = [];
  const fault = (path: string, message: string) => faults.push({ path: path.split('.'), message });

  for (const path of REQUIRED[type] ?? []) {
    const value = path.split('.').reduce<unknown>((inner, part) => group(inner)[part], auth);
    if (isUnset(value)) fault(`auth.${path}`, `required by auth.type ${type}`);
  }
  for (const key of ['auth_url', 'www_authenticate_uri']) {
    const url = keystone[key];
    if (typeof url === 'string' && !isHttpUrl(url)) fault(`auth.keystone.${key}`, 'an https:// or http:// URL');
  }
  if (type === 'jwt' && isUnset(jwt.jwks_url) && isUnset(jwt.jwks_file)) {
    fault('auth.jwt.jwks_url', 'auth.type jwt requires it or auth.jwt.jwks_file');
  }
  if (type === 'jwt' && !isUnset(jwt.jwks_url) && !isUnset(jwt.jwks_file)) {
    fault('auth.jwt.jwks_file', 'only one of auth.jwt.jwks_url and auth.jwt.jwks_file');
  }
  if (typeof jwt.jwks_url === 'string' && !isGuardedUrl(jwt.jwks_url)) {
    fault('auth.jwt.jwks_url', 'an https:// URL, or an http:// URL on loopback');
  }
  const roles = group(auth.roles);
  if (Object.keys(roles).length > 0 && type !== 'http_basic' && type !== 'client_certificate') {
    fault('auth.roles', `no roles with auth.type ${type}, which gets them from its tokens`);
  }
  if (type === 'client_certificate' && isUnset(tls.client_ca_file)) {
    fault('tls.client_ca_file', 'required by auth.type client_certificate');
  }
  if (isUnset(tls.cert_file) && (!isUnset(tls.key_file) || !isUnset(tls.client_ca_file))) {
    fault('tls.cert_file', 'required by the other keys of tls');
  }
  if (!isUnset(tls.cert_file) && isUnset(tls.key_file)) fault('tls.key_file', 'required by tls.cert_file');
  return faults;
}

function group(value: unknown): Group {
  return isJsonObject(value) ? value : {};
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function isHttpUrl(text: string): boolean {
  // The URL is quoted in the header WWW-Authenticate.
  return /^https?:\/\/[^\s"\\]+$/.test(text) && URL.canParse(text) && /^[\x21-\x7e]*$/.test(text);
}

function isGuardedUrl(text: string): boolean {
  if (!isHttpUrl(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[|\]$/g, ''));
}
