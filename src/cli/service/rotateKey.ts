import { Command } from 'commander';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';

/** `passthru rotate-key`. */
export function rotateKeyCommand(): Command {
  return new Command('rotate-key')
    .description('Encrypt the secrets of all nodes in the store with the first key of secrets.key_file')
    .option('--config <file>', 'configuration file of the service (YAML)')
    .addHelpText('after', HELP)
    .action(async ({ config }: { config?: string }) => {
      console.log(await rotateKey(config ?? null));
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
  try {
    const config = loadConfig({ file, environment: process.env });
    const cipher = readSecretsCipher(config.secrets);
    if (cipher.keyId === null) throw failure('secrets.key_file is not set; a key is required');
    const database = await openMigrated(config.store, createServiceLog(config.log_level), cipher);
    try {
      const { changed, left } = await rotateSecrets(database, cipher);
      if (left > 0) {
        throw failure(
          `Nodes encrypted with key ${cipher.keyId}: ${changed}. Not encrypted with it: ${left}, because a running service uses another key. Restart it with this key as the first one, then run this again.`,
        );
      }
      const others = cipher.keyIds.slice(1);
      const rest = others.length === 0 ? '' : ` The other keys (${others.join(', ')}) are no longer in use.`;
      return `Nodes re-encrypted: ${changed}. All secrets are encrypted with key ${cipher.keyId}.${rest}`;
    } finally {
      await database.close();
    }
  } catch (error) {
    if (error instanceof Error && (error.name === 'ConfigError' || error.name === 'PassthruError')) {
      throw failure(`passthru cannot rotate the key:\n  ${error.message.replaceAll('\n', '\n  ')}`);
    }
    throw error;
  }
}

function failure(message: string): CommandFailure {
  return new CommandFailure(EXIT_STATUS.failed, message);
}

const HELP = `
Can be interrupted and run again. With PostgreSQL, run it beside the service, whose replicas must have the new key already.
With SQLite, stop the service first: the file is for one process.

Examples:
  passthru rotate-key --config passthru.yaml`;
