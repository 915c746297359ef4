// The store: SQL on SQLite or PostgreSQL behind the interface `Store` of core.
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Store } from '../core/store.ts';
import { skipLostPositions } from './changeLog.ts';
import type { Database } from './database.ts';
import { FleetKeys } from './fleetKeys.ts';
import { kyselyStore } from './kyselyStore.ts';
import { migrate } from './migrations.ts';
import { isPostgresUrl } from './postgres/url.ts';
import { PLAIN, type SecretsCipher } from './secretsCipher.ts';
import { checkSecretsKeys, countSecretsKeys, rotateSecrets } from './secretsKeys.ts';

export interface StoreOptions {
  log: Logger;
  /** Encrypts the secrets of nodes; without it they are kept in plain text. */
  cipher?: SecretsCipher;
  /**
   * Makes a key, and returns the cipher with it. Called when there is none, the database is this process's alone, and it holds
   * no secret under another key.
   */
  makeKey?: () => SecretsCipher;
  /** Why there is no key, for the message when the store needs one. */
  noKey?: string;
  /** Called for each step that failed because the database is unavailable. */
  onUnavailable?: () => void;
}

/**
 * Opens the store of the configuration key `store` and brings its tables up to date.
 *
 * @param url `sqlite:PATH` (from the working directory when relative), `sqlite::memory:` or `postgres://USER@HOST/DATABASE`
 * @throws kind `invalid_argument` for an invalid `url`; `failed_precondition` when another process uses the SQLite file,
 *   PostgreSQL refuses the user, a newer program has changed the tables, or `cipher` lacks a key of stored secrets;
 *   `store_unavailable` when it cannot be opened or reached. The message is for the operator and holds no password.
 */
export async function openStore(url: string, options: StoreOptions): Promise<Store> {
  const { log, makeKey, noKey, onUnavailable } = options;
  let { cipher = PLAIN } = options;
  const database = await openMigrated(url, log, cipher, noKey);
  try {
    if (cipher.keyId === null && makeKey !== undefined && !database.shared) cipher = makeKey();
    const fleetKeys = new FleetKeys(database, cipher, log);
    if (database.shared) await fleetKeys.open();
    else {
      await encryptStored(database, cipher, log);
      await skipLostPositions(database);
    }
    return kyselyStore(database, { cipher, fleetKeys, onUnavailable });
  } catch (error) {
    await database.close();
    throw database.toStoreError(error) ?? error;
  }
}

/** Encrypts the secrets that an earlier start stored in plain text, before anybody uses the store. */
async function encryptStored(database: Database, cipher: SecretsCipher, log: Logger): Promise<void> {
  const plain = (await countSecretsKeys(database)).get(null) ?? 0;
  if (cipher.keyId === null) {
    if (plain > 0) log.warn({ nodes: plain }, 'secrets of nodes are stored unencrypted, as secrets.plain says');
    return;
  }
  if (plain === 0 && !(await database.isErasing())) return;
  const { changed } = await rotateSecrets(database, cipher);
  log.info({ nodes: changed, key: cipher.keyId }, 'encrypted the secrets that were stored in plain text');
}

/** Opens the database of `openStore`. */
export async function openMigrated(url: string, log: Logger, cipher: SecretsCipher, noKey?: string): Promise<Database> {
  const database = await openDatabase(url, log);
  try {
    await migrate(database, log);
    await checkSecretsKeys(database, cipher, noKey);
    return database;
  } catch (error) {
    await database.close();
    throw database.toStoreError(error) ?? error;
  }
}

/** Loads only the database driver in use, which saves memory. */
async function openDatabase(url: string, log: Logger): Promise<Database> {
  if (isPostgresUrl(url)) return (await import('./postgres/postgres.ts')).openPostgres(url, log);
  const path = sqlitePath(url);
  return (await import('./sqlite/sqlite.ts')).openSqlite(path, log);
}

function sqlitePath(url: string): string {
  const path = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : '';
  if (path === '' || path.includes('\0')) {
    throw new PassthruError(
      'invalid_argument',
      'store: must be sqlite:PATH, for example sqlite:./passthru.db, or postgres://USER@HOST/DATABASE',
    );
  }
  return path;
}
