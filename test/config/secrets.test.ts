import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { ConfigError } from '../../src/config/problems.ts';
import { readSecretsCipher } from '../../src/config/secretsSettings.ts';
import { keyIdOf } from '../../src/store/secretsCipher.ts';

const [KEY, OTHER] = [randomBytes(32), randomBytes(32)];
const KEYS = 'keys of 32 bytes in base64 or hex, separated by commas';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'passthru-secrets-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Returns the ids of the keys in the group `secrets`, where `content` is that of the file `keys`. */
function keyIdsOf(secrets: string, content = '', environment: NodeJS.ProcessEnv = {}): readonly string[] {
  const file = join(directory, 'passthru.yaml');
  writeFileSync(file, `secrets: ${secrets}\n`);
  writeFileSync(join(directory, 'keys'), content);
  return readSecretsCipher(loadConfig({ file, environment }).secrets).keyIds;
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

test('without either there is no key', () => {
  expect(keyIdsOf('{}')).toEqual([]);
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
    'a misspelt key',
    'secrets.encryption_key: unknown key (value: ******); did you mean encryption_keys?',
    '{ encryption_key: MARKER }',
  ],
])('%s prevents the start, and shows no part of a key', (_what, problem, ...given) => {
  expect(problemsOf(...given).map((text) => text.replace(directory, '.'))).toEqual([problem]);
});
