import { Command } from 'commander';
import { CommandFailure, EXIT_STATUS, explainFailure } from '../exitStatus.ts';

/** `passthru generate-key`. */
export function generateKeyCommand(): Command {
  return new Command('generate-key')
    .description('Make a new key for secrets.key_file, with its id')
    .argument('[file]', 'a new file for the key, which only its user can read; without it the key is printed')
    .addHelpText('after', GENERATE_HELP)
    .action(async (file?: string) => {
      const { newKeyLines, createKeyFile } = await import('../../config/keyFile.ts');
      if (file === undefined) {
        process.stdout.write(newKeyLines());
        return;
      }
      const fault = (reason: string) => new CommandFailure(EXIT_STATUS.failed, reason);
      if (!createKeyFile(file, fault)) {
        throw fault(
          `${file} exists and is left as it is; to rotate the key, insert the output of passthru generate-key above it`,
        );
      }
    });
}

/** `passthru rotate-key`. */
export function rotateKeyCommand(): Command {
  return new Command('rotate-key')
    .option('--config <file>', 'configuration file of the service (YAML)')
    .option('--force', 'encrypt even though replicas lack the key, which then cannot read the nodes')
    .addHelpText('after', ROTATE_HELP)
    .action(async ({ config = null, force = false }: { config?: string | null; force?: boolean }) => {
      console.log(await explainFailure('passthru cannot rotate the key', () => rotateKey(config, force)));
    });
}

/** Rotates the key; returns a summary in words. */
async function rotateKey(file: string | null, force: boolean): Promise<string> {
  const [
    { loadConfig },
    { readSecretsSource },
    { openMigrated },
    { rotateSecrets },
    { livingHostsWithout },
    { createServiceLog },
  ] = await Promise.all([
    import('../../config/load.ts'),
    import('../../config/secretsSettings.ts'),
    import('../../store/open.ts'),
    import('../../store/secretsKeys.ts'),
    import('../../store/fleetKeys.ts'),
    import('../../observe/log.ts'),
  ]);
  const config = loadConfig({ file, environment: process.env });
  const log = createServiceLog(config.log_level);
  const { cipher, noKey } = readSecretsSource(config, log);
  if (cipher.keyId === null) {
    const why = config.secrets.plain ? 'secrets.plain is true' : (noKey ?? 'secrets.key_file is not set');
    throw new CommandFailure(EXIT_STATUS.failed, `${why}; a key is required`);
  }
  const database = await openMigrated(config.store, log, cipher);
  try {
    const behind = database.shared && !force ? await livingHostsWithout(database, cipher.keyId) : [];
    if (behind.length > 0) {
      throw new CommandFailure(
        EXIT_STATUS.failed,
        `these replicas do not have the key ${cipher.keyId}: ${behind.join(', ')}. Restart them with it first; nothing was changed. With --force they could no longer read the nodes`,
      );
    }
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
  passthru generate-key secrets.key
  passthru generate-key     (print another key, for a rotation; see docs/security.md)`;

const ROTATE_HELP = `
Can be interrupted and run again. With PostgreSQL, run it beside the service: it refuses while replicas lack the new key.
With SQLite, stop the service first: the file is for one process.

Examples:
  passthru rotate-key --config passthru.yaml`;
