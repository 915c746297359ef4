import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Returns a path for an SQLite file in a new directory, which `remove` deletes with its contents. */
export function temporaryDatabase(): { path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'passthru-store-'));
  return {
    path: join(directory, 'passthru.db'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
