import { z } from 'zod';
import { ROLES } from '../core/caller.ts';
import {
  choiceSetting,
  durationSetting,
  mapSetting,
  objectListSetting,
  oneOrMoreSetting,
  optionalTextSetting,
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

const optionalName = z
  .string()
  .min(1)
  .optional()
  .transform((text) => text ?? null);

/** The group `auth`. */
export const authKeys = z.strictObject({
  type: choiceSetting('none', AUTH_TYPES, {
    description:
      'How callers authenticate. `none` does not authenticate them, so the service then listens on loopback only.',
  }),
  http_basic_auth_user_file: optionalTextSetting({
    description: 'For `http_basic`: the users file, as written by `htpasswd -B`. Reloaded when it changes.',
    allowed: 'the path of a file with USER:BCRYPT-HASH lines',
  }),
  roles: mapSetting(ROLES, {
    description:
      'For `http_basic` and `client_certificate`: the role of each name. An `http_basic` user that is not listed is an admin; a certificate without a listed name has no role.',
    allowed: `names with one of the roles ${ROLES.join(', ')}`,
  }),
  rules: objectListSetting(
    z
      .strictObject({ driver: optionalName, method: optionalName, role: z.enum(ROLES) })
      .refine(({ driver, method }) => driver !== null || method !== null),
    {
      description:
        'The role required to call certain methods, instead of operator. The first rule that matches a method applies.',
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
      user_domain_name: textSetting('Default', (text) => text !== '', {
        description: 'The domain of that account.',
        allowed: 'a domain name',
        pattern: '.',
      }),
      project_name: optionalTextSetting({
        description: 'The project that the account is scoped to; system scope when not set.',
        allowed: 'a project name',
      }),
      project_domain_name: textSetting('Default', (text) => text !== '', {
        description: 'The domain of that project.',
        allowed: 'a domain name',
        pattern: '.',
      }),
      token_cache_time: durationSetting(
        '5m',
        '0s',
        '1h',
        'How long a valid token is cached; a revoked token stays valid for up to this long.',
      ),
      projects: oneOrMoreSetting([], (text) => text !== '', {
        description:
          'The projects whose roles are honoured, in addition to system scope. When empty, only the role admin is honoured, on any project.',
        allowed: 'a list of project IDs or NAME@DOMAIN',
        pattern: '.',
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
      audience: oneOrMoreSetting([], (text) => text !== '', {
        description: 'The accepted audiences (`aud`); a token must name at least one.',
        allowed: 'a string or a list of strings',
        pattern: '.',
      }),
      algorithms: oneOrMoreSetting(['RS256', 'PS256', 'ES256', 'EdDSA'], (text) => ALGORITHMS.includes(text), {
        description: 'The accepted signature algorithms.',
        allowed: `some of ${ALGORITHMS.join(', ')}`,
        pattern: `^(${ALGORITHMS.join('|')})$`,
      }),
      clock_tolerance: durationSetting(
        '30s',
        '0s',
        '10m',
        'The clock skew tolerated between the issuer and this machine.',
      ),
      name_claim: textSetting('sub', (text) => text !== '', {
        description: "The claim with the caller's name. Dots separate nested claims.",
        allowed: 'a claim name',
        pattern: '.',
      }),
      role_claim: textSetting('roles', (text) => text !== '', {
        description:
          "The claim with the caller's roles (reader, operator, admin), as a list or a space-separated string. Dots separate nested claims.",
        allowed: 'a claim name',
        pattern: '.',
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

/** The validated group `tls`. */
export type TlsConfig = z.output<typeof tlsKeys>;
