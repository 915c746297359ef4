import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { createSecretsCipher, KEY_BYTES, PLAIN, type SecretsCipher } from '../store/secretsCipher.ts';
import { ConfigError } from './problems.ts';
import { optionalTextSetting } from './setting.ts';
import { readFault } from './watchedFile.ts';

/** The group `secrets`. */
export const secretsKeys = z.strictObject({
  key_file: optionalTextSetting({
    description:
      'The keys that secrets of nodes are encrypted with in the store, one a line; the first encrypts, the others read what is not rotated yet. Without keys they are kept in the clear. See docs/security.md.',
    allowed: 'the path of a file of lines as `passthru generate-key` prints them',
  }),
  encryption_keys: optionalTextSetting(
    {
      description: 'Such keys themselves, parted by commas, for the environment. They go before those of the file.',
      allowed: `keys of ${KEY_BYTES} bytes in base64 or hex, parted by commas`,
    },
    areKeys,
  ),
});

/** The group `secrets`, checked. */
export type SecretsConfig = z.output<typeof secretsKeys>;

/**
 * What encrypts the secrets of nodes by the configuration.
 * @throws ConfigError that tells what is wrong with the file, and repeats no part of it
 */
export function readSecretsCipher({ key_file: file, encryption_keys: text }: SecretsConfig): SecretsCipher {
  const given = parseKeys(text?.split(',') ?? []).keys;
  if (file === null) return given.length === 0 ? PLAIN : createSecretsCipher(given);
  const { keys, faults } = parseKeys(readLines(file));
  if (faults.length === 0 && keys.length === 0) faults.push('holds no key; "passthru generate-key" makes one');
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `secrets.key_file: ${file}: ${fault}`));
  return createSecretsCipher([...given, ...keys]);
}

/** Whether `text` is at least one key, and nothing else. */
function areKeys(text: string): boolean {
  const { keys, faults } = parseKeys(text.split(','));
  return keys.length > 0 && faults.length === 0;
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw new ConfigError([`secrets.key_file: ${file} cannot be read: ${readFault(error)}`]);
  }
}

/** A key a line; empty lines, and those that begin with #, are skipped. */
function parseKeys(lines: readonly string[]): { keys: Buffer[]; faults: string[] } {
  const keys: Buffer[] = [];
  const faults: string[] = [];
  for (const [index, line] of lines.entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const key = parseKey(text);
    if (key === null) {
      faults.push(
        `line ${index + 1}: is no key of ${KEY_BYTES} bytes in base64 or hex; "passthru generate-key" makes one`,
      );
    } else keys.push(key);
  }
  return { keys, faults };
}

function parseKey(text: string): Buffer | null {
  const encoding = /^[0-9a-f]{64}$/i.test(text) ? 'hex' : /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? 'base64' : null;
  const key = encoding === null ? null : Buffer.from(text, encoding);
  // One of the same byte throughout is a blank that somebody was to fill in.
  return key !== null && new Set(key).size > 1 ? key : null;
}
