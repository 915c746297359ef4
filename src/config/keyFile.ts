import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { createFault } from '../core/readFault.ts';
import { KEY_BYTES, keyIdOf } from '../store/secretsCipher.ts';

/** Returns the lines of a new key, as `secrets.key_file` has them. */
export function newKeyLines(): string {
  const key = randomBytes(KEY_BYTES);
  return `# ${keyIdOf(key)}, created ${new Date().toISOString().slice(0, 10)}\n${key.toString('base64')}\n`;
}

/**
 * Writes a new key to `path` with mode 0600, durably, unless the file exists: of several processes that do so at once, the
 * key of one is kept, whole. Returns whether it was this one's.
 * @param fault makes the error to throw from the reason, which names the file
 */
export function createKeyFile(path: string, fault: (reason: string) => Error): boolean {
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    if (existsSync(path)) return false;
    writeDurably(draft, newKeyLines());
    const created = nameOnce(draft, path);
    syncFolder(dirname(path));
    return created;
  } catch (error) {
    throw fault(`${path} cannot be created: ${createFault(error)}`);
  } finally {
    remove(draft);
  }
}

/** Removes further names of the key file, which a process had no time to remove that was killed while it made the file. */
export function removeDrafts(path: string): void {
  const { ino, nlink } = statSync(path);
  if (nlink === 1) return;
  for (const name of readdirSync(dirname(path))) {
    const draft = join(dirname(path), name);
    if (!name.startsWith(`${basename(path)}.`) || !DRAFT.test(name)) continue;
    if (statSync(draft, { throwIfNoEntry: false })?.ino === ino) remove(draft);
  }
}

/** Removes a file, unless that is refused, as in a folder that has become read-only. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It stays; nothing depends on it.
  }
}

/** How the name of a draft ends. */
const DRAFT = /\.[0-9a-f]{12}\.new$/;

function writeDurably(path: string, text: string): void {
  const file = openSync(path, 'wx', 0o600);
  try {
    // The umask may have taken bits.
    fchmodSync(file, 0o600);
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Gives `draft` the name `path`, which no other file may have. */
function nameOnce(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    // File systems without links, as of some container volumes.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EOPNOTSUPP') throw error;
    if (existsSync(path)) return false;
    renameSync(draft, path);
    return true;
  }
}

/** Makes the names in a folder survive a crash of the machine, where the system can. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } catch {
    // Some file systems refuse it.
  } finally {
    closeSync(folder);
  }
}
