import { type Stats, unwatchFile, watchFile } from 'node:fs';

/** How often a file is looked at, in milliseconds. */
const INTERVAL = 1000;

/**
 * Calls `changed` after one of `files` has changed, within a second or so. Looks instead of being told, for secrets that
 * Kubernetes mounts change by a link elsewhere. Keeps no process alive.
 * @returns ends the watch
 */
export function watchFiles(files: readonly string[], changed: () => void): () => void {
  const listener = (now: Stats, before: Stats) => {
    // It is also called when a file that was not there is still not there.
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) changed();
  };
  for (const file of files) watchFile(file, { interval: INTERVAL, persistent: false }, listener);
  return () => {
    for (const file of files) unwatchFile(file, listener);
  };
}

/** Why a file cannot be read, in words. */
export function readFault(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return code ?? 'unknown error';
}
