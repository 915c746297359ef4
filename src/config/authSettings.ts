import { z } from 'zod';
import { ROLES } from '../core/caller.ts';
import { isJsonObject } from '../core/json.ts';
import { isLoopback, parseListenAddress } from '../net/listenAddress.ts';
import {
  choiceSetting,
  durationSetting,
  mapSetting,
  objectListSetting,
  oneOrMoreSetting,
  optionalTextSetting,
  orNull,
  textSetting,
} from './setting.ts';

/** The types of authentication. */
export const AUTH_TYPES = ['none', 'http_basic', 'keystone', 'jwt', 'client_certificate'] as const;
export type AuthType = (typeof AUTH_TYPES)[number];

/** Signature algorithms with a private key: with a shared secret, anyone who can verify a token can forge one. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];

const optionalName = orNull(z.string().min(1));

/** The group `auth`. */
export const authKeys = z.strictObject({
  type: choiceSetting('none', AUTH_TYPES, {
    description:
      'How callers authenticate. `none` does not authenticate them, so the service then listens on loopback only.',
  }),
  http_basic_auth_user_file: optionalTextSetting({
    description:
      'For `http_basic`: the users file, as written by `passthru user set` or `htpasswd -B`. Reloaded when it changes.',
    allowed: 'the path of a file with USER:BCRYPT-HASH lines',
  }),
  roles: mapSetting(ROLES, {
    description:
      'For `http_basic` and `client_certificate`: the role of each name. With `http_basic` each must be a user of the file. A name that is not listed has the role `default_role`, or none for certificates.',
    allowed: `names with one of the roles ${ROLES.join(', ')}`,
  }),
  default_role: choiceSetting('none', ['none', ...ROLES], {
    description:
      'For `http_basic`: the role of users without an entry in `roles`. `admin` is what all users are in Ironic standalone.',
  }),
  rules: objectListSetting(
    z
      .strictObject({ driver: optionalName, method: optionalName, role: z.enum(ROLES) })
      .refine(({ driver, method }) => driver !== null || method !== null),
    {
      description:
        'The role required to call certain methods, instead of the one that the method declares. The first rule that matches a method applies.',
      allowed: `a list of objects with driver or method (or both) and role (${ROLES.join(', ')})`,
    },
  ),
  keystone: z
    .strictObject({
      auth_url: optionalTextSetting({
        description: 'The URL of Keystone, such as https://keystone.example:5000.',
        allowed: 'an https:// or http:// URL',
        pattern: '^https?://',
      }),
      www_authenticate_uri: optionalTextSetting({
        description: 'The URL of Keystone that callers see in `WWW-Authenticate`; defaults to `auth_url`.',
        allowed: 'an https:// or http:// URL',
        pattern: '^https?://',
      }),
      username: optionalTextSetting({ description: "The service's own account at Keystone.", allowed: 'a user name' }),
      password: optionalTextSetting({ description: 'The password of that account.', allowed: 'a non-empty string' }),
      user_domain_name: textSetting('Default', {
        description: 'The domain of that account.',
        allowed: 'a domain name',
      }),
      project_name: optionalTextSetting({
        description: 'The project that the account is scoped to; system scope when not set.',
        allowed: 'a project name',
      }),
      project_domain_name: textSetting('Default', {
        description: 'The domain of that project.',
        allowed: 'a domain name',
      }),
      token_cache_time: durationSetting(
        { initial: '5m', least: '0s', most: '1h' },
        'How long a valid token is cached; a revoked token stays valid for up to this long.',
      ),
      projects: oneOrMoreSetting([], {
        description:
          'The projects whose roles are honoured, in addition to system scope. Ironic honours none for vendor passthru.',
        allowed: 'a list of project IDs or NAME@DOMAIN',
      }),
      roles: mapSetting([...ROLES, 'none'], {
        description:
          'The role of each Keystone role, in addition to admin=admin, member=reader, reader=reader, service=reader, which are those of Ironic: vendor passthru is for admins. `member=operator` lets members call methods.',
        allowed: `Keystone role names with one of ${ROLES.join(', ')}, none`,
      }),
    })
    .prefault({}),
  jwt: z
    .strictObject({
      jwks_url: optionalTextSetting({
        description: "The URL of the issuer's JSON Web Key Set. Either this or `jwks_file`.",
        allowed: 'an https:// URL, or an http:// URL on loopback',
        pattern: '^https?://',
      }),
      jwks_file: optionalTextSetting({
        description: "A file with the issuer's keys. Reloaded when it changes.",
        allowed: 'the path of a JSON Web Key Set',
      }),
      issuer: optionalTextSetting({
        description: 'The required issuer of tokens (`iss`).',
        allowed: 'a non-empty string',
      }),
      audience: oneOrMoreSetting([], {
        description: 'The accepted audiences (`aud`); a token must name at least one.',
        allowed: 'a string or a list of strings',
      }),
      algorithms: oneOrMoreSetting(['RS256', 'PS256', 'ES256', 'EdDSA'], {
        description: 'The accepted signature algorithms.',
        allowed: `some of ${ALGORITHMS.join(', ')}`,
        pattern: `^(${ALGORITHMS.join('|')})$`,
        isAllowed: (text) => ALGORITHMS.includes(text),
      }),
      clock_tolerance: durationSetting(
        { initial: '30s', least: '0s', most: '10m' },
        'The clock skew tolerated between the issuer and this machine.',
      ),
      name_claim: textSetting('sub', {
        description: "The claim with the caller's name. Dots separate nested claims.",
        allowed: 'a claim name',
      }),
      role_claim: textSetting('roles', {
        description:
          "The claim with the caller's roles (reader, operator, admin), as a list or a space-separated string. Dots separate nested claims.",
        allowed: 'a claim name',
      }),
    })
    .prefault({}),
});

/** The validated group `auth`. */
export type AuthConfig = z.output<typeof authKeys>;

/** The group `tls`. */
export const tlsKeys = z.strictObject({
  cert_file: optionalTextSetting({
    description: 'The certificate chain of the service. When set, the port accepts TLS only.',
    allowed: 'the path of a PEM file',
  }),
  key_file: optionalTextSetting({
    description: 'The private key of that certificate.',
    allowed: 'the path of a PEM file',
  }),
  client_ca_file: optionalTextSetting({
    description:
      'The CA bundle that client certificates are verified against. With `auth.type: client_certificate` the certificate identifies the caller; with other types, connections without a valid one are refused.',
    allowed: 'the path of a PEM file',
  }),
});

type Group = Record<string, unknown>;

/** The keys that each type requires. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  http_basic: ['http_basic_auth_user_file'],
  keystone: ['keystone.auth_url', 'keystone.username', 'keystone.password'],
  jwt: ['jwt.issuer', 'jwt.audience'],
};

/**
 * Reports conflicts between `auth`, `tls` and the addresses. Members may be missing or of a wrong type: the schema reports
 * those.
 */
export function checkAuth(content: Group, context: z.RefinementCtx): void {
  const [auth, tls] = [group(content.auth), group(content.tls)];
  const [keystone, jwt] = [group(auth.keystone), group(auth.jwt)];
  const type = String(auth.type ?? 'none');
  const fault = (path: string, message: string) => context.addIssue({ code: 'custom', path: path.split('.'), message });

  // Without authentication the service is for this machine alone.
  const addresses = { listen: content.listen, 'metrics.listen': group(content.metrics).listen };
  for (const [path, text] of Object.entries(addresses)) {
    const address = typeof text === 'string' ? parseListenAddress(text) : null;
    if (auth.type !== 'none' || address === null || isLoopback(address.host)) continue;
    const port = path === 'listen' ? 6385 : 9385;
    fault(path, `a loopback address such as 127.0.0.1:${port} while auth.type is none (no authentication)`);
  }
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
  const defaultRole = auth.default_role ?? 'none';
  if (defaultRole !== 'none' && type !== 'http_basic') {
    fault('auth.default_role', `none with auth.type ${type}, where it would have no effect`);
  }
  if (type === 'client_certificate' && isUnset(tls.client_ca_file)) {
    fault('tls.client_ca_file', 'required by auth.type client_certificate');
  }
  if (isUnset(tls.cert_file) && (!isUnset(tls.key_file) || !isUnset(tls.client_ca_file))) {
    fault('tls.cert_file', 'required by the other keys of tls');
  }
  if (!isUnset(tls.cert_file) && isUnset(tls.key_file)) fault('tls.key_file', 'required by tls.cert_file');
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
