import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { enableCompileCache, flushCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keepScripts } from './scripts.ts';

/** For the modules that give the bundle's scripts their names. */
export { loadScript } from './scripts.ts';

/**
 * Has Node keep the compiled code of modules, which saves time and memory at the next start. Does nothing where no folder can be
 * used, as on a read-only file system; the folder of NODE_COMPILE_CACHE stays.
 * @param source the folder with `main.js`
 */
export function cacheCompiledCode(source: URL, environment: NodeJS.ProcessEnv = process.env): void {
  const folder = compileCacheFolder(source, environment);
  if (folder !== null) enableCompileCache(folder);
}

/** Writes the compiled code of what has been loaded, for the next start. */
export function keepCompiledCode(): void {
  flushCompileCache();
  keepScripts();
}

/** Makes the folder for compiled code; returns null when there is none that only this user can write to. */
export function compileCacheFolder(source: URL, environment: NodeJS.ProcessEnv): string | null {
  const folder = cacheFolder(fileURLToPath(source), environment);
  return folder !== null && isPrivate(folder) ? folder : null;
}

/**
 * Returns where the compiled code belongs: `node_modules/.cache/passthru` of a checkout; for the package, which may belong to
 * root, a folder of the user. Never the system's temporary folder, where others could plant code. Null when there is none.
 */
export function cacheFolder(source: string, environment: NodeJS.ProcessEnv): string | null {
  if (!/[\\/]dist[\\/]src[\\/]?$/.test(source)) return join(source, '..', 'node_modules', '.cache', 'passthru');
  // Of systemd's CacheDirectory=, which may name several.
  const [given] = (environment.CACHE_DIRECTORY ?? '').split(':');
  const base = [given, environment.XDG_CACHE_HOME, environment.LOCALAPPDATA].find((each) => each && isAbsolute(each));
  if (base !== undefined) return join(base, 'passthru');
  const home = environment.HOME ?? homedir();
  return isAbsolute(home) ? join(home, '.cache', 'passthru') : null;
}

/**
 * Makes `folder`, and says whether only this user can write to it and to the one above it, which could put another in its
 * place: Node runs the code in it.
 */
function isPrivate(folder: string): boolean {
  try {
    makeFolder(dirname(folder));
    makeFolder(folder);
    // systemd gives a unit with a dynamic user a link to the upper one.
    return [statSync(dirname(folder)), lstatSync(folder)].every(
      (status) =>
        status.isDirectory() &&
        (process.getuid === undefined || (status.uid === process.getuid() && (status.mode & 0o022) === 0)),
    );
  } catch {
    return false;
  }
}

/** Unlike `recursive`, which does not end where `mkdir` reports the parent as missing, as in /proc. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
