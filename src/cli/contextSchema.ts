import { z } from 'zod';
import { ConfigError } from '../config/problems.ts';
import { readYamlFile } from '../config/yamlFile.ts';
import type { ContextFile } from './contextFile.ts';
import { usageError } from './exitStatus.ts';

const text = z.string().min(1);

const schema = z.strictObject({
  current: text.optional(),
  contexts: z
    .record(
      z.string(),
      z.strictObject({
        server: text,
        token: text.optional(),
        user: text.optional(),
        password: text.optional(),
        ca_file: text.optional(),
        cert_file: text.optional(),
        key_file: text.optional(),
      }),
    )
    .default({}),
});

/**
 * Reads the client's configuration at `path`.
 * @throws CommandFailure for what is none, without repeating a value, which may be a secret
 */
export function parseContextFile(path: string): ContextFile {
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
