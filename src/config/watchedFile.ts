import { readFileSync, type Stats, unwatchFile, watchFile } from 'node:fs';
import { readFault } from '../core/readFault.ts';

/** The polling interval in ms. */
const INTERVAL = 1000;

/**
 * Calls `changed` within about a second of a change to one of `files`. Polls, because secrets mounted by Kubernetes
 * change through a symlink elsewhere. Does not keep the process alive.
 * @returns a function that stops watching
 */
export function watchFiles(files: readonly string[], changed: () => void): () => void {
  const listener = (now: Stats, before: Stats) => {
    // Also called while a missing file stays missing.
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino || now.size !== before.size) changed();
  };
  for (const file of files) watchFile(file, { interval: INTERVAL, persistent: false }, listener);
  return () => {
    for (const file of files) unwatchFile(file, listener);
  };
}

/**
 * Reads the text of `file`.
 * @param fault makes the error to throw from the reason, which names the file
 */
export function readTextFile(file: string, fault: (reason: string) => Error): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw fault(`${file} cannot be read: ${readFault(error)}`);
  }
}
