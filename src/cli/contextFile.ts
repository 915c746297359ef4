import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { ContextFile } from './contextSchema.ts';

/** Where the client's configuration is: `passthru/config.yaml` under XDG_CONFIG_HOME or ~/.config. */
export function contextPath(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'passthru', 'config.yaml');
}

/**
 * The client's configuration; an empty one when there is no file.
 * @throws CommandFailure for a file that is no such configuration, without repeating what it holds
 */
export async function readContexts(): Promise<ContextFile> {
  const path = contextPath();
  // Most have none, and need not wait for what reads and checks it.
  if (!existsSync(path)) return { contexts: {} };
  const { parseContextFile } = await import('./contextSchema.ts');
  return parseContextFile(path);
}

/** Writes the client's configuration, for its owner alone (mode 0600): it may hold secrets. */
export async function writeContexts(file: ContextFile): Promise<void> {
  const { stringify } = await import('yaml');
  const path = contextPath();
  const fresh = `${path}.${process.pid}`;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  writeFileSync(fresh, stringify(file), { mode: 0o600 });
  // At once, so that another command never reads half of it.
  renameSync(fresh, path);
}
