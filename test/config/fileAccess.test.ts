import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { warnOfConfigAccess, warnOfFileAccess } from '../../src/config/fileAccess.ts';
import { loadConfig } from '../../src/config/load.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { passthru } from '../cli/run.ts';

const FILES = {
  'secrets.key_file': 'PASSTHRU_SECRETS_KEY_FILE',
  nodes_file: 'PASSTHRU_NODES_FILE',
  'auth.http_basic_auth_user_file': 'PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE',
  'tls.key_file': 'PASSTHRU_TLS_KEY_FILE',
  'tls.cert_file': 'PASSTHRU_TLS_CERT_FILE',
  'tls.client_ca_file': 'PASSTHRU_TLS_CLIENT_CA_FILE',
  'auth.jwt.jwks_file': 'PASSTHRU_AUTH_JWT_JWKS_FILE',
  drivers: 'PASSTHRU_DRIVERS',
};
const SECRET = ['secrets.key_file', 'nodes_file', 'auth.http_basic_auth_user_file', 'tls.key_file'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'passthru-access-'));
  for (const key of Object.keys(FILES)) writeFileSync(join(folder, key), '');
  symlinkSync(join(folder, 'nodes_file'), join(folder, 'link'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Returns the keys that are warned about, with the files in `mode`. */
function warnedAt(mode: number, changes: NodeJS.ProcessEnv = {}): string[] {
  const environment: NodeJS.ProcessEnv = { PASSTHRU_AUTH_TYPE: 'jwt', PASSTHRU_AUTH_JWT_ISSUER: 'i' };
  environment.PASSTHRU_AUTH_JWT_AUDIENCE = 'a';
  for (const [key, variable] of Object.entries(FILES)) {
    environment[variable] = join(folder, key);
    chmodSync(join(folder, key), mode);
  }
  const warned: string[] = [];
  const warn = (fields: object) => warned.push((fields as { key: string }).key);
  warnOfFileAccess(loadConfig({ file: null, environment: { ...environment, ...changes } }), { ...silentLogger, warn });
  return warned;
}

test.each([0o600, 0o400, 0o640, 0o440])('mode %o is accepted', (mode) => {
  expect(warnedAt(mode)).toEqual([]);
});

test.each([0o644, 0o604, 0o601, 0o444])(
  'mode %o is warned about for each file with secrets, and for no other',
  (mode) => {
    expect(warnedAt(mode)).toEqual(SECRET);
  },
);

test.each([0o666, 0o622, 0o620, 0o602, 0o777])('mode %o is warned about for every file', (mode) => {
  expect(warnedAt(mode).sort()).toEqual(Object.keys(FILES).sort());
});

test('a link counts as the file that it leads to; a missing file is left to its reader', () => {
  expect(warnedAt(0o644, { PASSTHRU_NODES_FILE: join(folder, 'link') })).toContain('nodes_file');
  expect(warnedAt(0o644, { PASSTHRU_NODES_FILE: join(folder, 'absent') })).not.toContain('nodes_file');
});

test('the file of keys beside the database is one of them, without a setting', () => {
  const store = join(folder, 'own.db');
  writeFileSync(`${store}.key`, '');
  chmodSync(`${store}.key`, 0o640);
  const changes = { PASSTHRU_STORE: `sqlite:${store}`, PASSTHRU_SECRETS_KEY_FILE: '' };
  expect(warnedAt(0o600, changes)).toEqual([]);
  chmodSync(`${store}.key`, 0o644);
  expect(warnedAt(0o600, changes)).toEqual(['secrets.key_file']);
});

describe('the configuration file', () => {
  /** Returns the warning about a configuration file with `content` in `mode`; null without one. */
  function warnedOf(content: string, mode: number): object | null {
    const file = join(folder, 'passthru.yaml');
    writeFileSync(file, content);
    chmodSync(file, mode);
    let warned: object | null = null;
    const warn = (fields: object) => {
      warned = fields;
    };
    warnOfConfigAccess(file, { ...silentLogger, warn });
    return warned;
  }

  test.each([
    ['auth.keystone.password', 'auth: { keystone: { password: hunter2 } }'],
    ['secrets.encryption_keys', 'secrets: { encryption_keys: hunter2 }'],
    ['store', 'store: postgres://u:hunter2@h/db'],
    ['store', 'store: postgres://u@h/db?password=hunter2'],
    [
      'auth.keystone.password, secrets.encryption_keys',
      'auth: { keystone: { password: a } }\nsecrets: { encryption_keys: b }',
    ],
  ])('with %s is warned about when others can read it, and tells no secret', (key, content) => {
    const file = join(folder, 'passthru.yaml');
    for (const mode of [0o644, 0o604, 0o666]) {
      const expected = { key: '--config', file, mode: `0${mode.toString(8)}`, holds: key, advice: 'chmod 600' };
      expect(warnedOf(content, mode)).toEqual(expected);
    }
    for (const mode of [0o600, 0o640, 0o440]) expect(warnedOf(content, mode)).toBeNull();
  });

  test.each([
    '',
    'store: postgres://u@h/db',
    'auth: { type: none }\nsecrets: { key_file: k }',
    'store: null\nauth: null',
  ])('without a secret (%j) is warned about only when others can change it', (content) => {
    expect(warnedOf(content, 0o644)).toBeNull();
    expect(warnedOf(content, 0o664)).toMatchObject({ mode: '0664', advice: 'chmod go-w' });
  });

  test.each([[['serve', '--check']], [['serve']]])('passthru %j warns of it', async (args) => {
    const file = join(folder, 'passthru.yaml');
    // The start ends with an error, which stands after the warning.
    writeFileSync(file, 'listen: 127.0.0.1:0\nstore: postgres://u:hunter2@127.0.0.1:9/db\n');
    chmodSync(file, 0o644);
    const { stderr } = await passthru([...args, '--config', file]);
    expect(JSON.parse(stderr.split('\n')[0]!)).toMatchObject({ key: '--config', file, mode: '0644', holds: 'store' });
    expect(stderr).not.toContain('hunter2');
  });
});

test('a start warns of the file and its mode', async () => {
  const nodes = join(folder, 'nodes.yaml');
  writeFileSync(nodes, 'nodes: []', { mode: 0o644 });
  const { status, stderr } = await passthru(['serve', '--check'], { PASSTHRU_NODES_FILE: nodes });
  expect(status).toBe(0);
  expect(JSON.parse(stderr)).toMatchObject({ level: 'warn', key: 'nodes_file', file: nodes, mode: '0644' });
});
