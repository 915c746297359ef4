import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { CommandFailure, EXIT_STATUS, explainFailure } from '../exitStatus.ts';

/** `passthru generate-key`. */
export function generateKeyCommand(): Command {
  return new Command('generate-key')
    .description('Print a new key for secrets.key_file, with its id')
    .addHelpText('after', GENERATE_HELP)
    .action(async () => {
      const { KEY_BYTES, keyIdOf } = await import('../../store/secretsCipher.ts');
      const key = randomBytes(KEY_BYTES);
      console.log(`# ${keyIdOf(key)}, created ${new Date().toISOString().slice(0, 10)}`);
      console.log(key.toString('base64'));
    });
}

/** `passthru rotate-key`. */
export function rotateKeyCommand(): Command {
  return new Command('rotate-key')
    .option('--config <file>', 'configuration file of the service (YAML)')
    .addHelpText('after', ROTATE_HELP)
    .action(async ({ config = null }: { config?: string | null }) => {
      console.log(await explainFailure('passthru cannot rotate the key', () => rotateKey(config)));
    });
}

/** Rotates the key; returns a summary in words. */
async function rotateKey(file: string | null): Promise<string> {
  const [{ loadConfig }, { readSecretsCipher }, { openMigrated }, { rotateSecrets }, { createServiceLog }] =
    await Promise.all([
      import('../../config/load.ts'),
      import('../../config/secretsSettings.ts'),
      import('../../store/open.ts'),
      import('../../store/secretsKeys.ts'),
      import('../../observe/log.ts'),
    ]);
  const config = loadConfig({ file, environment: process.env });
  const cipher = readSecretsCipher(config.secrets);
  if (cipher.keyId === null)
    throw new CommandFailure(EXIT_STATUS.failed, 'secrets.key_file is not set; a key is required');
  const database = await openMigrated(config.store, createServiceLog(config.log_level), cipher);
  try {
    const { changed, remaining } = await rotateSecrets(database, cipher);
    if (remaining > 0) {
      const advice =
        'a running service uses another key. Restart it with this key as the first one, then run this again.';
      const counts = `Nodes encrypted with key ${cipher.keyId}: ${changed}. Not encrypted with it: ${remaining}`;
      throw new CommandFailure(EXIT_STATUS.failed, `${counts}, because ${advice}`);
    }
    const others = cipher.keyIds.slice(1);
    const rest = others.length === 0 ? '' : ` The other keys (${others.join(', ')}) are no longer in use.`;
    return `Nodes re-encrypted: ${changed}. All secrets are encrypted with key ${cipher.keyId}.${rest}`;
  } finally {
    await database.close();
  }
}

const GENERATE_HELP = `
Examples:
  (umask 077; passthru generate-key > secrets.key)
  passthru generate-key >> secrets.key     (another key, for a rotation; see docs/security.md)`;

const ROTATE_HELP = `
Can be interrupted and run again. With PostgreSQL, run it beside the service, whose replicas must have the new key already.
With SQLite, stop the service first: the file is for one process.

Examples:
  passthru rotate-key --config passthru.yaml`;
