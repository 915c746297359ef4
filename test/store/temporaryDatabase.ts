import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A path for an SQLite file in a new directory, which `remove` removes with all that is in it. */
export function temporaryDatabase(): { path: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'passthru-store-'));
  return {
    path: join(directory, 'passthru.db'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
