import { readFileSync } from 'node:fs';
import type { Interceptor } from '@connectrpc/connect';
import { type Command, Option } from 'commander';
import { usageError } from './exitStatus.ts';

/** How the client proves who it is, as its options and the environment say. */
interface ProofOptions {
  token?: string;
  user?: string;
  passwordFile?: string;
  certFile?: string;
  keyFile?: string;
}

/** Adds the options that say who calls; without any of them nobody does. */
export function addProofOptions(program: Command): Command {
  return program
    .addOption(new Option('--token <token>', 'a token of Keystone, or a JWT').env('PASSTHRU_TOKEN'))
    .addOption(new Option('--user <name>', 'a user of HTTP Basic').env('PASSTHRU_USER'))
    .addOption(new Option('--password-file <file>', "a file with that user's password; else PASSTHRU_PASSWORD has it"))
    .addOption(new Option('--cert-file <file>', 'a client certificate, PEM'))
    .addOption(new Option('--key-file <file>', 'its private key, PEM'));
}

/**
 * What `command`'s options prove: headers for each call, and a certificate for the connection.
 * @throws CommandFailure for options that do not fit together and files that cannot be read
 */
export function readProof(command: Command): { interceptor: Interceptor; tls: { cert?: string; key?: string } } {
  const { token, user, passwordFile, certFile, keyFile } = command.optsWithGlobals<ProofOptions>();
  const headers = new Map<string, string>();
  if (user !== undefined) {
    if (token !== undefined) throw usageError('--token and --user: one of them says who calls');
    const password =
      passwordFile === undefined ? process.env.PASSTHRU_PASSWORD : readText('--password-file', passwordFile);
    if (password === undefined) throw usageError('--user: its password is in --password-file or PASSTHRU_PASSWORD');
    if (user.includes(':')) throw usageError('--user: a user of HTTP Basic has no colon in its name');
    headers.set(
      'Authorization',
      `Basic ${Buffer.from(`${user}:${password.replace(/\r?\n$/, '')}`).toString('base64')}`,
    );
  }
  if (token !== undefined) {
    if (!/^[\x21-\x7e]+$/.test(token)) throw usageError('--token: it is visible ASCII without blanks');
    // The service takes one of them, which one its auth.type says.
    headers.set('X-Auth-Token', token).set('Authorization', `Bearer ${token}`);
  }
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw usageError('--cert-file and --key-file: neither does without the other');
  }
  return {
    interceptor: (next) => (request) => {
      for (const [name, value] of headers) request.header.set(name, value);
      return next(request);
    },
    tls:
      certFile === undefined || keyFile === undefined
        ? {}
        : { cert: readText('--cert-file', certFile), key: readText('--key-file', keyFile) },
  };
}

function readText(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw usageError(`${option}: ${file} cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
