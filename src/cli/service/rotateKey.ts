import { Command } from 'commander';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';

/** `passthru rotate-key`. */
export function rotateKeyCommand(): Command {
  return new Command('rotate-key')
    .description('Encrypt the secrets of all nodes in the store with the first key of secrets.key_file')
    .option('--config <file>', 'the configuration of the service, a YAML file')
    .addHelpText('after', HELP)
    .action(async ({ config }: { config?: string }) => {
      console.log(await rotateKey(config ?? null));
    });
}

/** What was done, in words. */
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
    if (cipher.keyId === null) throw failure('secrets.key_file is not set: there is no key to encrypt with');
    const database = await openMigrated(config.store, createServiceLog(config.log_level), cipher);
    try {
      const { changed, left } = await rotateSecrets(database, cipher);
      if (left > 0) {
        throw failure(
          `Nodes encrypted with the key ${cipher.keyId}: ${changed}. Still with secrets that are not: ${left}, for a running service encrypts with another key. Restart it with this key on the first line, then run this again.`,
        );
      }
      const others = cipher.keyIds.slice(1);
      const rest = others.length === 0 ? '' : ` The others (${others.join(', ')}) encrypt nothing any more.`;
      return `Nodes encrypted anew: ${changed}. All secrets are encrypted with the key ${cipher.keyId}.${rest}`;
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
It may be interrupted and run again. On PostgreSQL it runs beside the service, whose replicas must know the new key
before. An SQLite file is for one process: stop the service first.

Examples:
  passthru rotate-key --config passthru.yaml`;
