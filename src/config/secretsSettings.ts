import { z } from 'zod';
import { createSecretsCipher, KEY_BYTES, PLAIN, type SecretsCipher } from '../store/secretsCipher.ts';
import { ConfigError } from './problems.ts';
import { optionalTextSetting } from './setting.ts';
import { readTextFile } from './watchedFile.ts';

/** The group `secrets`. */
export const secretsKeys = z.strictObject({
  key_file: optionalTextSetting({
    description:
      'The keys that encrypt the secrets of nodes in the store, one per line. The first one encrypts; the others only decrypt, until they are rotated out. Without keys, secrets are stored unencrypted. See docs/security.md.',
    allowed: 'the path of a file with keys from `passthru generate-key`',
  }),
  encryption_keys: optionalTextSetting({
    description:
      'The keys themselves, separated by commas, for use in the environment. They take precedence over those of the file.',
    allowed: `keys of ${KEY_BYTES} bytes in base64 or hex, separated by commas`,
    isAllowed: areKeys,
  }),
});

/** The validated group `secrets`. */
type SecretsConfig = z.output<typeof secretsKeys>;

/**
 * Returns the cipher for the secrets of nodes.
 * @throws ConfigError for each invalid line of the file; repeats no part of it
 */
export function readSecretsCipher({ key_file: file, encryption_keys: text }: SecretsConfig): SecretsCipher {
  const first = parseKeys(text?.split(',') ?? []).keys;
  if (file === null) return first.length === 0 ? PLAIN : createSecretsCipher(first);
  const { keys, faults } = parseKeys(
    readTextFile(file, (reason) => new ConfigError([`secrets.key_file: ${reason}`])).split('\n'),
  );
  if (faults.length === 0 && keys.length === 0) faults.push('contains no key; create one with "passthru generate-key"');
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `secrets.key_file: ${file}: ${fault}`));
  return createSecretsCipher([...first, ...keys]);
}

/** Whether `text` is a list of one or more keys. */
function areKeys(text: string): boolean {
  const { keys, faults } = parseKeys(text.split(','));
  return keys.length > 0 && faults.length === 0;
}

/** Parses one key per line; skips empty lines and those that begin with #. */
function parseKeys(lines: readonly string[]): { keys: Buffer[]; faults: string[] } {
  const keys: Buffer[] = [];
  const faults: string[] = [];
  for (const [index, line] of lines.entries()) {
    const text = line.trim();
    if (text === '' || text.startsWith('#')) continue;
    const key = parseKey(text);
    if (key === null) {
      faults.push(
        `line ${index + 1}: not a key of ${KEY_BYTES} bytes in base64 or hex; create one with "passthru generate-key"`,
      );
    } else keys.push(key);
  }
  return { keys, faults };
}

function parseKey(text: string): Buffer | null {
  const encoding = /^[0-9a-f]{64}$/i.test(text) ? 'hex' : /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? 'base64' : null;
  const key = encoding === null ? null : Buffer.from(text, encoding);
  // A key of one repeated byte is a placeholder that was never filled in.
  return key !== null && new Set(key).size > 1 ? key : null;
}
