import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { readSecretsSource } from '../../src/config/secretsSettings.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { keyIdOf } from '../../src/store/secretsCipher.ts';

const [KEY, OTHER] = [randomBytes(32), randomBytes(32)];
const KEYS = 'keys of 32 bytes in base64 or hex, separated by commas';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-secrets-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Returns the ids of the keys in the group `secrets`, where `content` is that of the file `keys`. */
function keyIdsOf(
  secrets: string,
  content = '',
  environment: NodeJS.ProcessEnv = {},
  store = 'postgres://u@h/db',
): readonly string[] {
  const file = join(directory, 'passthru.yaml');
  writeFileSync(file, `store: ${JSON.stringify(store)}\nsecrets: ${secrets}\n`);
  writeFileSync(join(directory, 'keys'), content);
  return readSecretsSource(loadConfig({ file, environment }), silentLogger).cipher.keyIds;
}

function problemsOf(...given: Parameters<typeof keyIdsOf>): string[] {
  try {
    keyIdsOf(...given);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems.map((text) => text.replaceAll(`${directory}/`, '').replace('passthru.yaml: ', ''));
    }
    throw error;
  }
  return [];
}

test('reads keys from a file beside the configuration, in base64, base64url or hex, in order', () => {
  const content = `# made today\n${KEY.toString('base64')}\n\n  ${OTHER.toString('hex')}  \n`;
  expect(keyIdsOf('{ key_file: keys }', content)).toEqual([keyIdOf(KEY), keyIdOf(OTHER)]);
  expect(keyIdsOf('{ key_file: keys }', KEY.toString('base64url'))).toEqual([keyIdOf(KEY)]);
});

test('reads keys from the environment', () => {
  const environment = { PASSTHRU_SECRETS_ENCRYPTION_KEYS: `${KEY.toString('base64')},${OTHER.toString('hex')}` };
  expect(keyIdsOf('{}', '', environment)).toEqual([keyIdOf(KEY), keyIdOf(OTHER)]);
});

test('keys of the environment take precedence over those of the file', () => {
  const environment = { PASSTHRU_SECRETS_ENCRYPTION_KEYS: OTHER.toString('hex') };
  const ids = keyIdsOf('{ key_file: keys }', KEY.toString('hex'), environment);
  expect(ids).toEqual([keyIdOf(OTHER), keyIdOf(KEY)]);
});

test('with secrets.plain there is no key', () => {
  expect(keyIdsOf('{ plain: true }')).toEqual([]);
  expect(keyIdsOf('{}', '', { PASSTHRU_SECRETS_PLAIN: 'true' })).toEqual([]);
});

test('without a key a start on PostgreSQL is refused with the command that makes one', () => {
  expect(problemsOf('{}')).toEqual([
    expect.stringMatching(
      /^secrets.key_file: not set; PostgreSQL needs a key.*passthru generate-key secrets.key.*plain: true/,
    ),
  ]);
});

test('in memory there is no key', () => {
  expect(keyIdsOf('{}', '', {}, 'sqlite::memory:')).toEqual([]);
});

test('with SQLite nothing is made before the store is open', () => {
  expect(keyIdsOf('{}', '', {}, 'sqlite:./new.db')).toEqual([]);
  expect(existsSync(join(directory, 'new.db.key'))).toBe(false);
});

test('with SQLite the file beside the database is read, and so through a link to the database', () => {
  writeFileSync(join(directory, 'passthru.db'), '');
  writeFileSync(join(directory, 'passthru.db.key'), KEY.toString('hex'));
  symlinkSync(join(directory, 'passthru.db'), join(directory, 'link.db'));
  for (const name of ['passthru.db', 'link.db']) {
    expect(keyIdsOf('{}', '', {}, `sqlite:./${name}`)).toEqual([keyIdOf(KEY)]);
  }
  const environment = { PASSTHRU_SECRETS_ENCRYPTION_KEYS: OTHER.toString('hex') };
  expect(keyIdsOf('{}', '', environment, 'sqlite:./passthru.db')).toEqual([keyIdOf(OTHER)]);
});

const LINE = 'not a key of 32 bytes in base64 or hex; create one with "passthru generate-key"';
test.each<[what: string, problem: string, ...Parameters<typeof keyIdsOf>]>([
  ['no file', 'secrets.key_file: nope cannot be read: no such file', '{ key_file: nope }'],
  ['a folder', 'secrets.key_file: . cannot be read: is a directory', '{ key_file: . }'],
  [
    'an empty file',
    'secrets.key_file: keys: contains no key; create one with "passthru generate-key"',
    '{ key_file: keys }',
    '# none\n',
  ],
  ['a short key', `secrets.key_file: keys: line 2: ${LINE}`, '{ key_file: keys }', '\nMARKER\n'],
  ['a placeholder of zeros', `secrets.key_file: keys: line 1: ${LINE}`, '{ key_file: keys }', '0'.repeat(64)],
  [
    'an invalid key in the configuration',
    `secrets.encryption_keys: ****** is not allowed; allowed: ${KEYS}`,
    '{ encryption_keys: MARKER }',
  ],
  [
    'plain text beside a key',
    'secrets.plain: true excludes secrets.key_file and secrets.encryption_keys; remove one',
    '{ key_file: keys, plain: true }',
  ],
  ['plain that is no boolean', 'secrets.plain: "yes" is not allowed; allowed: true or false', '{ plain: "yes" }'],
  [
    'a misspelt key',
    'secrets.encryption_key: unknown key (value: ******); did you mean encryption_keys?',
    '{ encryption_key: MARKER }',
  ],
])('%s prevents the start, and shows no part of a key', (_what, problem, ...given) => {
  expect(problemsOf(...given).map((text) => text.replace(directory, '.'))).toEqual([problem]);
});
