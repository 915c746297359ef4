import { PassthruError } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Store } from '../core/store.ts';
import { kyselyStore } from './kyselyStore.ts';
import { migrate } from './migrations.ts';
import { openSqlite } from './sqlite.ts';

/**
 * Opens the store that the configuration's key `store` names, and brings its tables up to date.
 *
 * @param url `sqlite:PATH` (from the working directory when relative) or `sqlite::memory:`
 * @throws kind `invalid_argument` when `url` names no store, `not_served` for `postgres:`, `failed_precondition` when
 *   another process uses the database or a newer program has changed it, `store_unavailable` when it cannot be opened.
 *   The message is for the operator and holds no password.
 */
export async function openStore(url: string, options: { log: Logger }): Promise<Store> {
  const { log } = options;
  const database = openSqlite(sqlitePath(url), log);
  try {
    await migrate(database, log);
  } catch (error) {
    await database.close();
    throw database.toTrouble(error) ?? error;
  }
  return kyselyStore(database);
}

function sqlitePath(url: string): string {
  if (/^postgres(ql)?:/.test(url)) {
    throw new PassthruError('not_served', 'store: PostgreSQL is not served yet; use sqlite:PATH');
  }
  const path = url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : '';
  if (path === '' || path.includes('\0')) {
    throw new PassthruError('invalid_argument', 'store: must be sqlite:PATH, for example sqlite:./passthru.db');
  }
  return path;
}
