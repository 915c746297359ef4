import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { startService } from '../../src/service.ts';
import { selfSigned } from '../sim/selfSigned.ts';

const HASH = `$2b$04$${'a'.repeat(53)}`;
const KEYSTONE = 'auth_url: https://k.example:5000, username: u, password: p';
const JWT = 'issuer: i, audience: a';
const TYPES = 'none, http_basic, keystone, jwt, client_certificate';
const RULES = 'a list of objects with driver or method (or both) and role (reader, operator, admin)';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-auth-'));
  const [own, other] = [selfSigned(), selfSigned()];
  const files = {
    users: `# users\nann:${HASH}\n`,
    'no-users': '\n# no users yet\n',
    'md5-users': `ann:${HASH}\nbob:$apr1$salt$hash\n`,
    'cert.pem': own.cert,
    'key.pem': own.key,
    'other-key.pem': other.key,
    'rubbish.pem': 'hunter2',
    'keys.json': '{"keys": []}',
    'no-keys.json': '{"key": "hunter2"}',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Returns the problems that prevent a service with this configuration from starting, without the folder of its files. */
async function problemsOf(yaml: string): Promise<string[]> {
  const file = join(directory, 'passthru.yaml');
  writeFileSync(file, yaml);
  try {
    const config = loadConfig({ file, environment: { PASSTHRU_STORE: 'sqlite::memory:' } });
    await (await startService(config, { log: silentLogger })).close();
    return [];
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
    return problems.map((problem) => problem.replace(`${file}: `, '').replaceAll(`${directory}/`, ''));
  }
}

describe('the start is refused', () => {
  test.each<[yaml: string, problem: string]>([
    ['auth: { type: digest }', `auth.type: "digest" is not allowed; allowed: ${TYPES}`],
    [
      'listen: 0.0.0.0:0',
      'listen: "0.0.0.0:0" is not allowed; allowed: a loopback address such as 127.0.0.1:6385 while auth.type is none (no authentication)',
    ],
    [
      'listen: "[::]:0"\ntls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem }',
      'listen: "[::]:0" is not allowed; allowed: a loopback address such as 127.0.0.1:6385 while auth.type is none (no authentication)',
    ],
    ['auth: { type: http_basic }', 'auth.http_basic_auth_user_file: missing; required by auth.type http_basic'],
    [
      'auth: { type: http_basic, http_basic_auth_user_file: absent }',
      'auth.http_basic_auth_user_file: absent cannot be read: no such file',
    ],
    [
      'auth: { type: http_basic, http_basic_auth_user_file: no-users }',
      'auth.http_basic_auth_user_file: no-users has no users',
    ],
    [
      'auth: { type: http_basic, http_basic_auth_user_file: md5-users }',
      'auth.http_basic_auth_user_file: md5-users: line 2: not a bcrypt hash; create one with "passthru user set" or "htpasswd -B"',
    ],
    [
      'auth: { type: http_basic, http_basic_auth_user_file: users, roles: { ann: root } }',
      'auth.roles.ann: "root" is not allowed; allowed: names with one of the roles reader, operator, admin',
    ],
    [
      `auth: { type: jwt, jwt: { ${JWT}, jwks_file: keys.json }, roles: { ann: admin } }`,
      'auth.roles: {"ann":"admin"} is not allowed; allowed: no roles with auth.type jwt, which gets them from its tokens',
    ],
    ['auth: { rules: [{ role: admin }] }', `auth.rules[0]: {"role":"admin"} is not allowed; allowed: ${RULES}`],
    [
      'auth: { rules: [{ driver: redfish, role: root }] }',
      `auth.rules[0]: {"driver":"redfish","role":"root"} is not allowed; allowed: ${RULES}`,
    ],
    [
      'auth: { rules: [{ driver: redfsh, role: admin }] }',
      'auth.rules[0].driver: "redfsh" is not a loaded hardware type; loaded: redfish, idrac, fake-hardware, ipmi',
    ],
    [
      'auth: { rules: [{ driver: redfish, role: admin }, { driver: redfish, method: eject, role: admin }] }',
      'auth.rules[1].method: "eject" is not a method of redfish',
    ],
    [
      'auth: { type: keystone, keystone: { username: u, password: p } }',
      'auth.keystone.auth_url: missing; required by auth.type keystone',
    ],
    [
      'auth: { type: keystone, keystone: { auth_url: "https://k.example", username: u } }',
      'auth.keystone.password: missing; required by auth.type keystone',
    ],
    [
      'auth: { type: keystone, keystone: { auth_url: k.example:5000, username: u, password: p } }',
      'auth.keystone.auth_url: "k.example:5000" is not allowed; allowed: an https:// or http:// URL',
    ],
    [
      `auth: { type: keystone, keystone: { ${KEYSTONE}, www_authenticate_uri: 'https://k.example/"' } }`,
      'auth.keystone.www_authenticate_uri: "https://k.example/\\"" is not allowed; allowed: an https:// or http:// URL',
    ],
    [
      `auth: { type: keystone, keystone: { ${KEYSTONE}, token_cache_time: 2h } }`,
      'auth.keystone.token_cache_time: "2h" is not allowed; allowed: a duration from 0s to 1h, such as 500ms, 1s, 2m; a plain number is in seconds',
    ],
    [
      `auth: { type: jwt, jwt: { ${JWT} } }`,
      'auth.jwt.jwks_url: missing; auth.type jwt requires it or auth.jwt.jwks_file',
    ],
    [
      `auth: { type: jwt, jwt: { ${JWT}, jwks_file: keys.json, jwks_url: "https://i.example" } }`,
      'auth.jwt.jwks_file: "keys.json" is not allowed; allowed: only one of auth.jwt.jwks_url and auth.jwt.jwks_file',
    ],
    [
      `auth: { type: jwt, jwt: { ${JWT}, jwks_url: "http://i.example/keys" } }`,
      'auth.jwt.jwks_url: "http://i.example/keys" is not allowed; allowed: an https:// URL, or an http:// URL on loopback',
    ],
    [
      'auth: { type: jwt, jwt: { audience: a, jwks_file: keys.json } }',
      'auth.jwt.issuer: missing; required by auth.type jwt',
    ],
    [
      'auth: { type: jwt, jwt: { issuer: i, jwks_file: keys.json } }',
      'auth.jwt.audience: missing; required by auth.type jwt',
    ],
    [
      `auth: { type: jwt, jwt: { ${JWT}, jwks_file: keys.json, algorithms: [HS256] } }`,
      'auth.jwt.algorithms[0]: "HS256" is not allowed; allowed: some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519',
    ],
    [
      `auth: { type: jwt, jwt: { ${JWT}, jwks_file: absent } }`,
      'auth.jwt.jwks_file: absent cannot be read: no such file',
    ],
    [
      `auth: { type: jwt, jwt: { ${JWT}, jwks_file: no-keys.json } }`,
      'auth.jwt.jwks_file: no-keys.json is not a JSON Web Key Set',
    ],
    [
      'auth: { type: client_certificate }\ntls: { cert_file: cert.pem, key_file: key.pem }',
      'tls.client_ca_file: missing; required by auth.type client_certificate',
    ],
    ['tls: { cert_file: cert.pem }', 'tls.key_file: missing; required by tls.cert_file'],
    ['tls: { client_ca_file: cert.pem }', 'tls.cert_file: missing; required by the other keys of tls'],
    ['tls: { cert_file: absent, key_file: key.pem }', 'tls.cert_file: absent cannot be read: no such file'],
    ['tls: { cert_file: rubbish.pem, key_file: key.pem }', 'tls.cert_file: rubbish.pem contains no PEM certificate'],
    [
      'tls: { cert_file: cert.pem, key_file: rubbish.pem }',
      'tls.key_file: rubbish.pem contains no PEM private key without a passphrase',
    ],
    [
      'tls: { cert_file: cert.pem, key_file: other-key.pem }',
      'tls.key_file: other-key.pem does not match the certificate in tls.cert_file',
    ],
    [
      'tls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: rubbish.pem }',
      'tls.client_ca_file: rubbish.pem contains no PEM certificate',
    ],
  ])('%s', async (yaml, problem) => {
    const address = yaml.includes('listen') ? '' : 'listen: 127.0.0.1:0\n';
    expect(await problemsOf(address + yaml)).toEqual([problem]);
  });
});

test.each([
  'auth: { type: http_basic, http_basic_auth_user_file: users, roles: { ann: operator } }',
  `auth: { type: keystone, keystone: { ${KEYSTONE} } }`,
  `auth: { type: jwt, jwt: { ${JWT}, jwks_file: keys.json } }`,
  'auth: { type: client_certificate, roles: { ann: reader } }\ntls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: cert.pem }',
])('the service may listen on every address with %s', async (yaml) => {
  expect(await problemsOf(`listen: 0.0.0.0:0\n${yaml}`)).toEqual([]);
});
