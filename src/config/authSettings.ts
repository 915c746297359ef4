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

/** The ways in which callers may prove who they are. */
export const AUTH_TYPES = ['none', 'http_basic', 'keystone', 'jwt', 'client_certificate'] as const;
export type AuthType = (typeof AUTH_TYPES)[number];

/** Signatures that need a private key: with the others whoever can check a token can make one. */
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

const anyOrOne = z
  .string()
  .min(1)
  .optional()
  .transform((text) => text ?? null);

/** The group `auth`. */
export const authKeys = z.strictObject({
  type: choiceSetting('none', AUTH_TYPES, {
    description: 'How callers prove who they are. `none` believes everybody, so it is allowed on loopback only.',
  }),
  http_basic_auth_user_file: optionalTextSetting({
    description: 'For `http_basic`: the users, as `htpasswd -B` writes them. It is read again when it changes.',
    allowed: 'the path of a file of USER:BCRYPT-HASH lines',
  }),
  roles: mapSetting(ROLES, {
    description:
      'For `http_basic` and `client_certificate`: the role of each name. A user of `http_basic` who is not listed is an admin; a certificate of which no name is listed has no role.',
    allowed: `names, each with ${ROLES.join(', ')}`,
  }),
  rules: objectListSetting(
    z
      .strictObject({ driver: anyOrOne, method: anyOrOne, role: z.enum(ROLES) })
      .refine(({ driver, method }) => driver !== null || method !== null),
    {
      description:
        'The role that calls of some methods take instead of operator. The first that fits a method decides.',
      allowed: `a list of objects with driver, method or both, and role (${ROLES.join(', ')})`,
    },
  ),
  keystone: z
    .strictObject({
      auth_url: optionalTextSetting({
        description: 'Where the service asks Keystone, such as https://keystone.example:5000.',
        allowed: 'an https:// or http:// URL',
      }),
      www_authenticate_uri: optionalTextSetting({
        description: 'Where callers are told to get their token; `auth_url` when not set.',
        allowed: 'an https:// or http:// URL',
      }),
      username: optionalTextSetting({ description: "The service's own account.", allowed: 'the name of a user' }),
      password: optionalTextSetting({ description: 'Its password.', allowed: 'a text' }),
      user_domain_name: textSetting('Default', (text) => text !== '', {
        description: 'The domain of that user.',
        allowed: 'the name of a domain',
      }),
      project_name: optionalTextSetting({
        description: 'The project that the account signs on to; the system when not set.',
        allowed: 'the name of a project',
      }),
      project_domain_name: textSetting('Default', (text) => text !== '', {
        description: 'The domain of that project.',
        allowed: 'the name of a domain',
      }),
      token_cache_time: durationSetting(
        '5m',
        '0s',
        '1h',
        'How long a token is believed before Keystone is asked again: a revocation is noticed as late.',
      ),
      projects: oneOrMoreSetting([], (text) => text !== '', {
        description:
          'The projects whose roles count here, beside those on the system. When empty, the admin of any project is one here, and who is less there has no role.',
        allowed: 'a list of project ids or NAME@DOMAIN',
      }),
    })
    .prefault({}),
  jwt: z
    .strictObject({
      jwks_url: optionalTextSetting({
        description: 'Where the issuer of the tokens publishes its keys. This or `jwks_file`.',
        allowed: 'an https:// URL, or an http:// one on loopback',
      }),
      jwks_file: optionalTextSetting({
        description: 'A file with those keys. It is read again when it changes.',
        allowed: 'the path of a JSON Web Key Set',
      }),
      issuer: optionalTextSetting({ description: 'Who must have issued a token (`iss`).', allowed: 'a text' }),
      audience: oneOrMoreSetting([], (text) => text !== '', {
        description: 'Whom a token must be for (`aud`): one of these.',
        allowed: 'a text or a list of texts',
      }),
      algorithms: oneOrMoreSetting(['RS256', 'PS256', 'ES256', 'EdDSA'], (text) => ALGORITHMS.includes(text), {
        description: 'The algorithms of signatures that are taken.',
        allowed: `some of ${ALGORITHMS.join(', ')}`,
      }),
      clock_tolerance: durationSetting('30s', '0s', '10m', "How far the issuer's clock may be from this one."),
      name_claim: textSetting('sub', (text) => text !== '', {
        description: "The claim with the caller's name. Dots lead into objects.",
        allowed: 'the name of a claim',
      }),
      role_claim: textSetting('roles', (text) => text !== '', {
        description:
          "The claim with the caller's role: reader, operator or admin, in a list or among the words of a text. Dots lead into objects.",
        allowed: 'the name of a claim',
      }),
    })
    .prefault({}),
});

/** The group `auth`, checked. */
export type AuthConfig = z.output<typeof authKeys>;

/** The group `tls`. */
export const tlsKeys = z.strictObject({
  cert_file: optionalTextSetting({
    description: "The service's certificate and those between it and its authority. With it the port speaks TLS alone.",
    allowed: 'the path of a PEM file',
  }),
  key_file: optionalTextSetting({
    description: 'The private key of that certificate.',
    allowed: 'the path of a PEM file',
  }),
  client_ca_file: optionalTextSetting({
    description:
      'The authorities of client certificates. With `auth.type: client_certificate` they tell who calls; with another type a connection without a certificate of theirs is refused.',
    allowed: 'the path of a PEM file',
  }),
});

/** The group `tls`, checked. */
export type TlsConfig = z.output<typeof tlsKeys>;
