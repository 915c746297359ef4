import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ContextFile } from './contextSchema.ts';

/** Returns the path of the client's configuration: `passthru/config.yaml` in XDG_CONFIG_HOME or ~/.config. */
export function contextPath(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'passthru', 'config.yaml');
}

/**
 * Reads the client's configuration; returns an empty one when there is no file.
 * @throws CommandFailure when the file is invalid; repeats no value
 */
export async function readContexts(): Promise<ContextFile> {
  const path = contextPath();
  // Loading the parser and validator takes time, and most users have no file.
  if (!existsSync(path)) return { contexts: {} };
  const { parseContextFile } = await import('./contextSchema.ts');
  return parseContextFile(path);
}

/** Writes the client's configuration with mode 0600, since it may hold secrets. */
export async function writeContexts(file: ContextFile): Promise<void> {
  const { stringify } = await import('yaml');
  const path = contextPath();
  const fresh = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(fresh, stringify(file), { mode: 0o600 });
  // Atomic, so that other commands never read a partial file.
  renameSync(fresh, path);
}
