import { resolve } from 'node:path';
import { Command } from 'commander';
import { MASK } from '../core/secrets.ts';
import { type Context, contextPath, readContexts, writeContexts } from './contextFile.ts';
import { usageError } from './exitStatus.ts';
import { addOutputOptions, type OutputOptions, printListing, printRecord } from './print/output.ts';
import { DEFAULT_SERVER, findContext, type ServerOptions, serverUrl, unknownContext } from './server.ts';

/** `passthru context …`. */
export function contextCommand(): Command {
  return new Command('context')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(useCommand())
    .addCommand(setCommand())
    .addCommand(deleteCommand());
}

function listCommand(): Command {
  const command = new Command('list').description('List the contexts, without secrets');
  return addOutputOptions(command).action(async (options: OutputOptions) => {
    const { current, contexts } = await readContexts();
    const rows = Object.entries(contexts)
      .sort(([first], [second]) => (first < second ? -1 : 1))
      .map(([name, context]) => [name, name === current, context.server, describeCredentials(context)]);
    const empty = 'No contexts; passthru context set stores one.';
    await printListing({ columns: ['Name', 'Current', 'Server', 'Credentials'], rows, empty }, options);
  });
}

function showCommand(): Command {
  const command = new Command('show')
    .description('Show a context without its secrets; by default what commands use')
    .argument('[context]', 'name of the context');
  return addOutputOptions(command).action(async (name: string | undefined, options: OutputOptions) => {
    const globals = command.optsWithGlobals<ServerOptions>();
    const { current, contexts } = await readContexts();
    if (name !== undefined && !Object.hasOwn(contexts, name)) throw unknownContext(name, Object.keys(contexts));
    const found = name === undefined ? await findContext(command, globals) : { name, context: contexts[name]! };
    const context: Partial<Context> = found?.context ?? {};
    await printRecord(
      {
        name: found?.name ?? null,
        current: found !== null && found.name === current,
        server: context.server ?? serverUrl(globals.server),
        token: shownSecret(context.token),
        user: context.user ?? null,
        password: shownSecret(context.password),
        ca_file: context.ca_file ?? null,
        cert_file: context.cert_file ?? null,
        key_file: context.key_file ?? null,
      },
      options,
    );
  });
}

/** Returns the file that a secret is read from, or the mask. */
function shownSecret(text: string | undefined): string | null {
  if (text === undefined) return null;
  return text.startsWith('@') && !text.startsWith('@@') ? text : MASK;
}

function useCommand(): Command {
  return new Command('use')
    .description('Set the default context')
    .argument('<context>', 'name of the context')
    .action(async (name: string) => {
      const file = await readContexts();
      if (!Object.hasOwn(file.contexts, name)) throw unknownContext(name, Object.keys(file.contexts));
      await writeContexts({ ...file, current: name });
      console.log(`Using context ${name}`);
    });
}

function setCommand(): Command {
  const command = new Command('set')
    .description(
      'Create or change a context: --server, --ca-file, and --token, --user or --cert-file. The first context becomes the default',
    )
    .argument('<context>', 'name of the context')
    .option('--password <text>', "the user's password; @FILE is read again by each command")
    .addHelpText('after', SET_HELP);
  return command.action(async (name: string, options: { password?: string }) => {
    const file = await readContexts();
    const before: Partial<Context> = Object.hasOwn(file.contexts, name) ? file.contexts[name]! : {};
    const { server, token, user, caFile, certFile, keyFile, passwordFile } = explicitOptions(command);
    const context = {
      ...before,
      ...(server === undefined ? {} : { server: serverUrl(server) }),
      // A token replaces a user, and vice versa.
      ...(token === undefined ? {} : { token: absolute(token), user: undefined, password: undefined }),
      ...(user === undefined ? {} : { user, token: undefined }),
      ...(passwordFile === undefined ? {} : { password: absolute(`@${passwordFile}`) }),
      ...(options.password === undefined ? {} : { password: absolute(options.password) }),
      ...(caFile === undefined ? {} : { ca_file: resolve(caFile) }),
      ...(certFile === undefined ? {} : { cert_file: resolve(certFile) }),
      ...(keyFile === undefined ? {} : { key_file: resolve(keyFile) }),
    };
    if (context.server === undefined) throw usageError(`--server: required for a new context`);
    const contexts = { ...file.contexts, [name]: { ...context, server: context.server } };
    await writeContexts({ current: file.current ?? name, contexts });
    console.log(`Set context ${name} in ${contextPath()}`);
  });
}

function deleteCommand(): Command {
  return new Command('delete')
    .description('Delete a context')
    .argument('<context>', 'name of the context')
    .action(async (name: string) => {
      const { current, contexts } = await readContexts();
      if (!Object.hasOwn(contexts, name)) throw unknownContext(name, Object.keys(contexts));
      const { [name]: _, ...others } = contexts;
      await writeContexts({ ...(current === name ? {} : { current }), contexts: others });
      console.log(`Deleted context ${name}`);
      if (current !== name) return;
      const left = Object.keys(others).sort().join(', ');
      const next = left === '' ? '' : `; passthru context use sets another default: ${left}`;
      console.error(`It was the default: commands now use ${DEFAULT_SERVER}${next}`);
    });
}

/** Returns the global options given on the command line; those of the environment are not stored. */
function explicitOptions(command: Command): Partial<ServerOptions> {
  const options = Object.entries(command.optsWithGlobals<Partial<ServerOptions>>());
  return Object.fromEntries(options.filter(([name]) => command.getOptionValueSourceWithGlobals(name) === 'cli'));
}

/** Makes the path of `@FILE` absolute. */
function absolute(text: string): string {
  return text.startsWith('@') && !text.startsWith('@@') ? `@${resolve(text.slice(1))}` : text;
}

function describeCredentials({ token, user, cert_file }: Context): string {
  if (token !== undefined) return 'token';
  if (user !== undefined) return `user ${user}`;
  return cert_file === undefined ? 'nothing' : 'certificate';
}

const SET_HELP = `
Examples:
  passthru context set lab --server https://passthru.lab.example:6385 --token @token.txt
  passthru context set site --server https://passthru.example --user anna --password @password.txt
  passthru context use site`;
