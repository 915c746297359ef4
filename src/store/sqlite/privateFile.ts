import { closeSync, openSync } from 'node:fs';

/**
 * Makes the file at `path`, empty and for its owner alone (mode 0600), when it is not there yet. Never opens one that
 * is: closing it again would end the locks that this process has on it (POSIX `fcntl`).
 *
 * @throws the system's error when it cannot be made
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
