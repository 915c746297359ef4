import { z } from 'zod';
import { ConfigError } from '../config/problems.ts';
import { readYamlFile } from '../config/yamlFile.ts';
import { usageError } from './exitStatus.ts';

const text = z.string().min(1);

const schema = z.strictObject({
  /** The context of commands that name none. */
  current: text.optional(),
  contexts: z
    .record(
      z.string(),
      z.strictObject({
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
      }),
    )
    .default({}),
});

/** The client's configuration. */
export type ContextFile = z.output<typeof schema>;

/** A service and the credentials for it. */
export type Context = ContextFile['contexts'][string];

/**
 * Reads the client's configuration at `path`.
 * @throws CommandFailure when it is invalid; repeats no value, which may be a secret
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
