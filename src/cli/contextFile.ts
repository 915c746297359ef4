import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { ConfigError } from '../config/problems.ts';
import { usageError } from './exitStatus.ts';

/** Loads zod and describes the client's configuration. */
async function loadSchema() {
  const { z } = await import('zod');
  const text = z.string().min(1);
  const context = z.strictObject({
    /** The service's URL. */
    server: text,
    /** A token, or `@FILE`: each command then reads the file again. */
    token: text.optional(),
    /** The user of HTTP Basic; its `password` may be `@FILE` too. */
    user: text.optional(),
    password: text.optional(),
    /** The CA bundle for verifying the server, in PEM. */
    ca_file: text.optional(),
    /** The client certificate and its key, in PEM. */
    cert_file: text.optional(),
    key_file: text.optional(),
  });
  /** `current` is the context of commands that name none. */
  return z.strictObject({ current: text.optional(), contexts: z.record(z.string(), context).default({}) });
}

/** The client's configuration. */
type ContextFile = z.output<Awaited<ReturnType<typeof loadSchema>>>;

/** A service and the credentials for it. */
export type Context = ContextFile['contexts'][string];

/** Returns the path of the client's configuration: `passthru/config.yaml` in XDG_CONFIG_HOME or ~/.config. */
export function contextPath(): string {
  return join(process.env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'passthru', 'config.yaml');
}

/**
 * Reads the client's configuration; returns an empty one when there is no file.
 * @throws CommandFailure when the file is invalid; repeats no value, which may be a secret
 */
export async function readContexts(): Promise<ContextFile> {
  const path = contextPath();
  // Loading the parser and validator takes time, and most users have no file.
  if (!existsSync(path)) return { contexts: {} };
  const [{ readYamlFile }, schema] = await Promise.all([import('../config/yamlFile.ts'), loadSchema()]);
  let value: unknown;
  try {
    value = readYamlFile(path) ?? {};
  } catch (error) {
    if (error instanceof ConfigError) throw usageError(error.message);
    throw error;
  }
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const faults = error.issues.map(({ path: keys, message }) => `${keys.join('.') || 'the file'}: ${message}`);
  throw usageError(`${path}: ${faults.join('; ')}`);
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
