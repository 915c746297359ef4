import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { text as readStream } from 'node:stream/consumers';
import { Command } from 'commander';
import { MAX_PASSWORD_BYTES, parseHtpasswd, withoutUser, withUser } from '../../auth/htpasswd.ts';
import { readTextFile } from '../../config/watchedFile.ts';
import { createFault } from '../../core/readFault.ts';
import { CommandFailure, EXIT_STATUS, usageError } from '../exitStatus.ts';
import { visibleValue } from '../keyValues.ts';
import { addOutputOptions, type OutputOptions, printListing } from '../print/output.ts';
import { prompt } from '../print/prompt.ts';

/** The cost of new hashes: about 0.1 s per check, after which the service remembers the password for a minute. */
const COST = 10;

/** `passthru user …`: the file of auth.http_basic_auth_user_file. */
export function userCommand(): Command {
  return new Command('user').addCommand(listCommand()).addCommand(setCommand()).addCommand(deleteCommand());
}

function listCommand(): Command {
  const command = new Command('list').description('List the users of a file').argument('<file>', 'users file');
  return addOutputOptions(command).action(async (file: string, options: OutputOptions) => {
    const rows = [...parseHtpasswd(read(file)).hashes.keys()].map((name) => [name]);
    await printListing({ columns: ['Name'], rows, empty: `${file} has no users.` }, options);
  });
}

function setCommand(): Command {
  return new Command('set')
    .description('Add a user to a file, or change its password, which is prompted for or read from standard input')
    .argument('<file>', 'users file; made if missing, with mode 0600')
    .argument('<name>', 'name of the user')
    .addHelpText('after', SET_HELP)
    .action(async (file: string, name: string) => {
      checkName(name);
      // Reports an invalid file before a password is typed.
      read(file, true);
      const password = await readPassword(name);
      const { hashSync } = await import('bcryptjs');
      const hash = hashSync(password, COST);
      let isNew = true;
      replace(file, () => {
        const before = read(file, true);
        isNew = !parseHtpasswd(before).hashes.has(name);
        return withUser(before, name, hash);
      });
      console.error(isNew ? `Added ${name} to ${file}.` : `Changed the password of ${name} in ${file}.`);
    });
}

function deleteCommand(): Command {
  return new Command('delete')
    .description('Remove a user from a file')
    .argument('<file>', 'users file')
    .argument('<name>', 'name of the user')
    .action((file: string, name: string) => {
      read(file);
      replace(file, () => {
        const before = read(file);
        if (!parseHtpasswd(before).hashes.has(name)) {
          throw new CommandFailure(EXIT_STATUS.notFound, `${visibleValue(name)} is not a user of ${file}`);
        }
        return withoutUser(before, name);
      });
    });
}

function checkName(name: string): void {
  // A line of the file is USER:HASH, and begins with # if it is a comment.
  if (/^[^\s:#\p{C}](?:[^:\p{C}]*[^\s:\p{C}])?$/u.test(name)) return;
  throw usageError(
    `name: ${visibleValue(name)} cannot be a user; a name has no colon or control character, and begins with neither # nor a space`,
  );
}

async function readPassword(name: string): Promise<string> {
  const typed = process.stdin.isTTY;
  const given = typed
    ? await prompt(`New password of ${name}: `)
    : (await readStream(process.stdin)).replace(/\r?\n$/, '');
  if (!given) throw usageError('the password is empty; type one, or pass one on standard input');
  if (/[\n\r\0]/.test(given)) throw usageError('the password has more than one line, or a NUL');
  const length = Buffer.byteLength(given);
  if (length > MAX_PASSWORD_BYTES) {
    throw usageError(`the password has ${length} bytes; bcrypt reads at most ${MAX_PASSWORD_BYTES}`);
  }
  if (typed && (await prompt('The same again: ')) !== given)
    throw usageError('the two passwords differ; nothing was changed');
  return given;
}

/** Reads a users file. @param mayLack whether a missing file is an empty one */
function read(file: string, mayLack = false): string {
  if (mayLack && statSync(file, { throwIfNoEntry: false }) === undefined) return '';
  const text = readTextFile(file, (reason) => new CommandFailure(EXIT_STATUS.failed, reason));
  const [fault] = parseHtpasswd(text).faults;
  // The service refuses to start with it.
  if (fault !== undefined) throw new CommandFailure(EXIT_STATUS.failed, `${file}: ${fault}`);
  return text;
}

/**
 * Replaces a file at once, so that the service never reads a part of it; a new one has mode 0600, another keeps its mode.
 * @param makeText reads the file and returns its new text, while no other command can change it
 */
function replace(file: string, makeText: () => string): void {
  const known = statSync(file, { throwIfNoEntry: false });
  const path = known === undefined ? file : realpathSync(file);
  // Its name is the same for all, so that of two commands at once one does not undo the other's change.
  const draft = `${path}.new`;
  let isMine = false;
  try {
    const opened = openSync(draft, 'wx', 0o600);
    isMine = true;
    try {
      chmodSync(draft, known === undefined ? 0o600 : known.mode & 0o777);
      // All of it, which `writeSync` does not promise on a full disk.
      writeFileSync(opened, makeText());
      fsyncSync(opened);
    } finally {
      closeSync(opened);
    }
    renameSync(draft, path);
  } catch (error) {
    if (isMine) rmSync(draft, { force: true });
    if (error instanceof CommandFailure) throw error;
    const isBusy = (error as NodeJS.ErrnoException).code === 'EEXIST';
    const why = isBusy
      ? `${draft} exists: another command is changing the file, or was killed; remove it if none is`
      : `cannot be written: ${createFault(error)}`;
    throw new CommandFailure(EXIT_STATUS.failed, `${file}: ${why}; nothing was changed`);
  }
}

const SET_HELP = `
The file is that of auth.http_basic_auth_user_file; a running service reads it again. Give the user a role by auth.roles.

Examples:
  passthru user set users ann
  passthru user set users monitoring < password.txt`;
