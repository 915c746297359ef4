import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { makeAuthority } from '../auth/certificates.ts';
import { passthru } from './run.ts';

// Each command is a process, which is slow to start on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const HASH = '$2b$04$abcdefghijklmnopqrstuuu4Yq1v5n9w0lE1B1tP4Qp6wS3b1v5Jm';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-check-'));
  const { cert, key } = makeAuthority('a').issue({ commonName: 'a', loopback: true });
  const other = makeAuthority('b').issue({ commonName: 'b', loopback: true });
  const files = {
    'cert.pem': cert,
    'key.pem': key,
    'other.pem': other.key,
    users: `ann:${HASH}\n`,
    'nodes.yaml': 'nodes: [{ name: n1, driver: fake-hardware }]',
    'unknown.yaml': 'nodes: [{ name: n1, driver: fake-hardwear }]',
    'broken.mjs': 'export default { name: "broken" };',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content, { mode: 0o600 });
});
afterAll(() => rmSync(directory, { recursive: true }));

async function check(yaml: string) {
  const config = join(directory, 'passthru.yaml');
  writeFileSync(config, yaml);
  return { config, ...(await passthru(['serve', '--check', '--config', config])) };
}

test('a valid configuration is reported as such, without a port or a store being opened', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const { config, ...outcome } = await check(
    `listen: 127.0.0.1:${port}
store: sqlite:data.db
metrics: { listen: "127.0.0.1:${port}" }
nodes_file: nodes.yaml
auth: { type: http_basic, http_basic_auth_user_file: users, roles: { ann: admin } }
tls: { cert_file: cert.pem, key_file: key.pem }`,
  );
  taken.close();
  expect(outcome).toEqual({ status: 0, stdout: `${config}: valid\n`, stderr: '' });
  expect(readdirSync(directory).filter((name) => name.includes('data.db'))).toEqual([]);
});

test('a configuration for a database that is away is valid', async () => {
  const { status } = await check('store: postgres://passthru@127.0.0.1:1/passthru\nsecrets: { plain: true }');
  expect(status).toBe(0);
});

test('several workers on SQLite are reported, and valid on PostgreSQL', async () => {
  const { config, ...checked } = await check('workers: 3\nstore: sqlite:data.db');
  expect(checked).toMatchObject({ status: 1, stdout: '' });
  expect(checked.stderr).toContain(`${config}: workers: 3 is not allowed; allowed: 1 with store "sqlite:data.db"`);
  expect((await check('workers: 3\nstore: postgres://u@h/db\nsecrets: { plain: true }')).status).toBe(0);
});

test.each<[what: string, yaml: string, message: RegExp]>([
  [
    'unknown keys and bad values, all at once',
    'log_levl: info\nworkers_pool_size: 0',
    /workers_pool_size[\s\S]*log_levl/,
  ],
  ['a missing nodes file', 'nodes_file: absent.yaml', /absent\.yaml: cannot be read/],
  [
    'a node with an unknown driver',
    'nodes_file: unknown.yaml',
    /nodes\[0\] \(n1\): driver: unknown driver "fake-hardwear"; did you mean fake-hardware\?/,
  ],
  [
    'a missing key file',
    'store: postgres://u@h/db\nsecrets: { key_file: absent.key }',
    /secrets\.key_file: .*absent\.key cannot be read/,
  ],
  [
    'a missing user file',
    'auth: { type: http_basic, http_basic_auth_user_file: absent }',
    /auth\.http_basic_auth_user_file: .*absent cannot be read/,
  ],
  [
    'a key that does not belong to the certificate',
    'tls: { cert_file: cert.pem, key_file: other.pem }',
    /tls\.key_file: .*other\.pem does not match/,
  ],
  ['a faulty driver module', 'drivers: [./broken.mjs]', /driver module .*broken\.mjs: broken: vendorInterfaces/],
  [
    'a rule that guards nothing',
    'auth: { rules: [{ method: reboot, role: admin }] }',
    /auth\.rules\[0\]\.method: "reboot"/,
  ],
])('reports %s as a start would, with status 1', async (_what, yaml, message) => {
  const { config, ...checked } = await check(yaml);
  expect(checked).toMatchObject({ status: 1, stdout: '' });
  expect(checked.stderr).toMatch(message);
  const started = await passthru(['serve', '--config', config], {
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_STORE: 'sqlite::memory:',
  });
  const reason = (stderr: string) => stderr.slice(stderr.indexOf('error: passthru cannot start:'));
  expect(reason(checked.stderr)).toBe(reason(started.stderr));
  expect(existsSync(join(directory, 'passthru.db'))).toBe(false);
});
