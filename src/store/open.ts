// The store: SQL on SQLite or PostgreSQL behind the interface `Store` of core.
import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Store } from '../core/store.ts';
import { skipLostPositions } from './changes.ts';
import type { Database } from './database.ts';
import { kyselyStore } from './kyselyStore.ts';
import { migrate } from './migrations.ts';
import { isPostgresUrl } from './postgres/url.ts';
import { PLAIN, type SecretsCipher } from './secretsCipher.ts';
import { checkSecretsKeys, countSecretsKeys } from './secretsKeys.ts';

export interface StoreOptions {
  log: Logger;
  /** Encrypts the secrets of nodes; without it they are kept in plain text. */
  cipher?: SecretsCipher;
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
  const { log, cipher = PLAIN, onUnavailable } = options;
  const database = await openMigrated(url, log, cipher);
  if (!database.shared) await skipLostPositions(database);
  const plain = cipher.keyId === null ? 0 : ((await countSecretsKeys(database)).get(null) ?? 0);
  if (plain > 0) log.warn({ nodes: plain }, 'secrets of nodes are stored unencrypted; run passthru rotate-key');
  return kyselyStore(database, cipher, onUnavailable);
}

/** Opens the database of `openStore`. */
export async function openMigrated(url: string, log: Logger, cipher: SecretsCipher): Promise<Database> {
  const database = await openDatabase(url, log);
  try {
    await migrate(database, log);
    await checkSecretsKeys(database, cipher);
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
