import { existsSync, realpathSync } from 'node:fs';
import { z } from 'zod';
import type { Logger } from '../core/logger.ts';
import { createSecretsCipher, KEY_BYTES, PLAIN, type SecretsCipher } from '../store/secretsCipher.ts';
import { createKeyFile, removeDrafts } from './keyFile.ts';
import { ConfigError } from './problems.ts';
import { booleanSetting, optionalTextSetting } from './setting.ts';
import { readTextFile } from './watchedFile.ts';

/** The group `secrets`. */
export const secretsKeys = z.strictObject({
  key_file: optionalTextSetting({
    description:
      'The keys that encrypt the secrets of nodes in the store, one per line. The first one encrypts; the others only decrypt, until they are rotated out. With SQLite the file is made at the first start if it is missing; the default is the path of the database with `.key`. PostgreSQL needs one. See docs/security.md.',
    allowed: 'the path of a file with keys from `passthru generate-key`',
  }),
  encryption_keys: optionalTextSetting({
    description:
      'The keys themselves, separated by commas, for use in the environment. They take precedence over those of the file.',
    allowed: `keys of ${KEY_BYTES} bytes in base64 or hex, separated by commas`,
    isAllowed: areKeys,
  }),
  plain: booleanSetting('Whether secrets are stored in plain text, on purpose. It excludes the other two keys.'),
});

/** The validated group `secrets`. */
type SecretsConfig = z.output<typeof secretsKeys>;

/** Where the keys of a store come from. */
export interface SecretsSource {
  /** Without a key until `makeKey`, or for good. */
  cipher: SecretsCipher;
  /** Makes a key where there is none yet, once it is known that the store holds no secret under another. */
  makeKey?: () => SecretsCipher;
  /** Why there is no key, to go on with in a message about one that is missing. */
  noKey?: string;
}

/**
 * Returns the keys that the configuration names, or the file beside an SQLite database. Writes nothing,
 * and removes what a killed process left beside the file.
 * @throws ConfigError for each invalid line of the file, which it does not repeat, and for PostgreSQL without a key
 */
export function readSecretsSource(
  { store, secrets }: { store: string; secrets: SecretsConfig },
  log: Logger,
): SecretsSource {
  const { key_file: configured, encryption_keys: text, plain } = secrets;
  if (plain) {
    if (configured === null && text === null) return { cipher: PLAIN };
    throw new ConfigError(['secrets.plain: true excludes secrets.key_file and secrets.encryption_keys; remove one']);
  }
  const given = parseKeys(text?.split(',') ?? []).keys;
  const database = databaseFile(store);
  const file = keyFileOf({ store, secrets });
  if (file === null) {
    if (given.length === 0 && !store.startsWith('sqlite:')) throw new ConfigError([NO_KEY]);
    return { cipher: given.length === 0 ? PLAIN : createSecretsCipher(given) };
  }
  if (database !== undefined && given.length === 0 && !existsSync(file)) {
    const fault = (reason: string) => new ConfigError([`secrets.key_file: ${reason}; ${WHERE}`]);
    const makeKey = () => {
      const made = createKeyFile(file, fault);
      const cipher = createSecretsCipher(readKeyFile(file));
      const message =
        'made the key that encrypts the secrets in the database; keep a copy apart from backups of the database';
      if (made) log.info({ file, key: cipher.keyId }, message);
      return cipher;
    };
    return { cipher: PLAIN, makeKey, noKey: `its file ${file} is missing` };
  }
  const keys = readKeyFile(file);
  removeDrafts(file);
  return { cipher: createSecretsCipher([...given, ...keys]) };
}

/** Returns the path of the file with the keys, which need not be there yet; null without one. */
export function keyFileOf({ store, secrets }: { store: string; secrets: SecretsConfig }): string | null {
  if (secrets.key_file !== null || secrets.plain || secrets.encryption_keys !== null) return secrets.key_file;
  const database = databaseFile(store);
  return database === undefined ? null : `${realPath(database)}.key`;
}

function databaseFile(store: string): string | undefined {
  return /^sqlite:(?!:memory:)(.+)$/s.exec(store)?.[1];
}

const WHERE =
  'set secrets.key_file to a file in a folder that the service can write, or make the key before the start: passthru generate-key FILE';

const NO_KEY = `secrets.key_file: not set; PostgreSQL needs a key, which is the same for all replicas and encrypts the passwords of BMCs. Make one with "passthru generate-key secrets.key" and set secrets.key_file: ./secrets.key, or set secrets.plain: true to store them in plain text`;

/** Without symbolic links, so that one database has one key. */
function realPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : path;
}

function readKeyFile(file: string): Buffer[] {
  const { keys, faults } = parseKeys(
    readTextFile(file, (reason) => new ConfigError([`secrets.key_file: ${reason}`])).split('\n'),
  );
  if (faults.length === 0 && keys.length === 0) faults.push('contains no key; create one with "passthru generate-key"');
  if (faults.length > 0) throw new ConfigError(faults.map((fault) => `secrets.key_file: ${file}: ${fault}`));
  return keys;
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
