import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeAuthority } from '../auth/certificates.ts';
import { type ConfiguredService, startConfiguredService } from '../auth/guardedService.ts';
import { AUDIENCE, ISSUER, makeIssuer } from '../auth/tokens.ts';
import { htpasswd, passwordOf } from '../auth/users.ts';
import { passthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let folder: string;
let users: ConfiguredService;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-proof-'));
  writeFileSync(join(folder, 'password'), `${passwordOf('anna')}\n`);
  users = await startConfiguredService(
    'auth: { type: http_basic, http_basic_auth_user_file: users, default_role: admin }',
    {
      users: htpasswd('anna'),
    },
  );
});
afterAll(async () => {
  await users[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const list = ['driver', 'list', '-f', 'value', '-c', 'Active host(s)'];
const done = { status: 0, stdout: 'localhost\n', stderr: '' };

describe('the client authenticates', () => {
  test('by a user and a password from a file or the environment', async () => {
    const at = { PASSTHRU_SERVER: users.url };
    const byFile = ['--user', 'anna', '--password-file', join(folder, 'password')];
    expect(await passthru([...byFile, ...list], at)).toEqual(done);
    const environment = { ...at, PASSTHRU_USER: 'anna', PASSTHRU_PASSWORD: passwordOf('anna') };
    expect(await passthru(list, environment)).toEqual(done);
    const wrong = await passthru(list, { ...environment, PASSTHRU_PASSWORD: 'marker-word' });
    expect(wrong).toMatchObject({ status: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/^error: Incorrect username or password\n/);
    expect(wrong.stderr).not.toContain('marker-word');
  });

  test('by a token', async () => {
    const issuer = await makeIssuer();
    await using service = await startConfiguredService(
      `auth: { type: jwt, jwt: { jwks_file: keys.json, issuer: "${ISSUER}", audience: ${AUDIENCE} } }`,
      { 'keys.json': JSON.stringify(issuer.keySet) },
    );
    const environment = {
      PASSTHRU_SERVER: service.url,
      PASSTHRU_TOKEN: await issuer.token({ sub: 'rita', roles: ['reader'] }),
    };
    expect(await passthru(list, environment)).toEqual(done);
    const denied = await passthru(['node', 'create', '--driver', 'test'], environment);
    expect(denied.stderr).toBe('error: Role admin is required to enrol a node; rita has role reader.\n');
  });

  test('by a certificate', async () => {
    const authority = makeAuthority('Authority');
    const [server, client] = [authority.issue({ loopback: true }), authority.issue({ commonName: 'rita' })];
    for (const [name, text] of Object.entries({ ca: authority.cert, cert: client.cert, key: client.key })) {
      writeFileSync(join(folder, name), text);
    }
    await using service = await startConfiguredService(
      `auth: { type: client_certificate, roles: { rita: reader } }
tls: { cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem }`,
      { 'cert.pem': server.cert, 'key.pem': server.key, 'ca.pem': authority.cert },
    );
    const environment = { PASSTHRU_SERVER: service.url, NODE_EXTRA_CA_CERTS: join(folder, 'ca') };
    const proof = ['--cert-file', join(folder, 'cert'), '--key-file', join(folder, 'key')];
    expect(await passthru([...proof, ...list], environment)).toEqual(done);
    expect((await passthru(list, environment)).stderr).toMatch(/^error: Authorization required/);
  });

  test.each([
    [['--user', 'anna'], 'no password for user anna; set --password-file or PASSTHRU_PASSWORD'],
    [['--user', 'anna', '--token', 't'], '--token and --user: only one of them is allowed'],
    [['--cert-file', 'a'], '--cert-file and --key-file: both are required'],
    [['--user', 'a', '--password-file', '/no/such'], '--password-file: /no/such cannot be read: no such file'],
    [['--user', 'a', '--password-file', '@no/such'], '--password-file: @no/such cannot be read: no such file'],
  ])('%j exits with 2', async (options, message) => {
    expect(await passthru([...options, ...list])).toEqual({ status: 2, stdout: '', stderr: `error: ${message}\n` });
  });
});
