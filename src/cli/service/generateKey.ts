import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { KEY_BYTES, keyIdOf } from '../../store/secretsCipher.ts';

/** `passthru generate-key`. */
export function generateKeyCommand(): Command {
  return new Command('generate-key')
    .description('Print a new key for secrets.key_file, with its id')
    .addHelpText('after', HELP)
    .action(() => {
      const key = randomBytes(KEY_BYTES);
      console.log(`# ${keyIdOf(key)}, created ${new Date().toISOString().slice(0, 10)}`);
      console.log(key.toString('base64'));
    });
}

const HELP = `
Examples:
  (umask 077; passthru generate-key > secrets.key)
  passthru generate-key >> secrets.key     (another key, for a rotation; see docs/security.md)`;
