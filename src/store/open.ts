import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Store } from '../core/store.ts';
import type { Database } from './database.ts';
import { kyselyStore } from './kyselyStore.ts';
import { migrate } from './migrations.ts';
import { isPostgresUrl } from './postgres/url.ts';
import { PLAIN, type SecretsCipher } from './secretsCipher.ts';
import { checkSecretsKeys, countSecretsKeys } from './secretsKeys.ts';

export interface StoreOptions {
  log: Logger;
  /** Encrypts the secrets of nodes; without it they are kept plain. */
  cipher?: SecretsCipher;
  /** Called for each step that failed because the database is unavailable. */
  onUnavailable?: () => void;
}

/**
 * Opens the store that the configuration's key `store` names, and brings its tables up to date.
 *
 * @param url `sqlite:PATH` (from the working directory when relative), `sqlite::memory:` or `postgres://USER@HOST/DATABASE`
 * @throws kind `invalid_argument` when `url` names no store, `failed_precondition` when the database is not for us as it is:
 *   another process uses the SQLite file, PostgreSQL refuses the user, a newer program has changed the tables, secrets are
 *   encrypted with a key that `cipher` does not have;
 *   `store_unavailable` when it cannot be opened or reached. The message is for the operator and holds no password.
 */
export async function openStore(url: string, options: StoreOptions): Promise<Store> {
  const { log, cipher = PLAIN, onUnavailable } = options;
  const database = await openMigrated(url, log, cipher);
  const plain = cipher.keyId === null ? 0 : ((await countSecretsKeys(database)).get(null) ?? 0);
  if (plain > 0) log.warn({ nodes: plain }, 'secrets of nodes are stored unencrypted; run passthru rotate-key');
  return kyselyStore(database, cipher, onUnavailable);
}

/** As `openStore`, as far as the database. */
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

/** Loads only the driver in use; the other would occupy memory. */
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
