// Opens the store of its first argument as a start of the service does, and copies the folder of the database to its second
// argument before each step that may write, unless nothing has changed since the last copy. A copy is what a process leaves
// that is killed there. Prints the number of copies.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { dirname, join } from 'node:path';
import { DatabaseSync, StatementSync } from 'node:sqlite';

const [url = '', copies = ''] = process.argv.slice(2);
const folder = dirname(url.slice('sqlite:'.length));
let steps = 0;
let copied = '';
let copying = false;

function copyIfChanged(): void {
  const files = fs.readdirSync(folder).map((name) => {
    const { ino, size, mtimeNs, nlink } = fs.statSync(join(folder, name), { bigint: true });
    return { name, ino, state: `${name} ${ino} ${size} ${mtimeNs} ${nlink}` };
  });
  // The index of the log is made anew by the next process.
  const state = files.flatMap((file) => (file.name.endsWith('-shm') ? [] : [file.state])).join();
  if (state === copied) return;
  copied = state;
  const to = join(copies, String(steps++));
  fs.mkdirSync(to);
  const names = new Map<bigint, string>();
  for (const { name, ino } of files) {
    const first = names.get(ino);
    // Links stay links.
    if (first === undefined) fs.copyFileSync(join(folder, name), join(to, name));
    else fs.linkSync(join(to, first), join(to, name));
    names.set(ino, name);
  }
}

function copyBefore(owner: object, names: readonly string[]): void {
  const methods = owner as Record<string, (...args: unknown[]) => unknown>;
  for (const name of names) {
    const method = methods[name]!;
    methods[name] = function (this: unknown, ...args: unknown[]) {
      if (!copying) {
        copying = true;
        copyIfChanged();
        copying = false;
      }
      return method.apply(this, args);
    };
  }
}

copyBefore(fs, ['openSync', 'fchmodSync', 'writeSync', 'fsyncSync', 'closeSync', 'linkSync', 'rmSync']);
syncBuiltinESMExports();
copyBefore(DatabaseSync.prototype, ['exec']);
copyBefore(StatementSync.prototype, ['run', 'all']);

const { loadConfig } = await import('../../src/config/load.ts');
const { readSecretsSource } = await import('../../src/config/secretsSettings.ts');
const { silentLogger: log } = await import('../../src/core/logger.ts');
const { openStore } = await import('../../src/store/open.ts');
const config = loadConfig({ file: null, environment: { PASSTHRU_STORE: url } });
const store = await openStore(config.store, { log, ...readSecretsSource(config, log) });
await store.close();
console.log(steps);
