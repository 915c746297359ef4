import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { COMPLETE, completionCommand } from './completion/completion.ts';
import { EXAMPLES } from './examples.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { visible } from './print/output.ts';

interface Group {
  name: string;
  summary: string;
  /** Whether its commands do not contact a service; the help then omits the global options. */
  alone?: true;
  load(): Promise<Command>;
}

/** The top-level commands; only the requested one is loaded, so that each starts quickly. */
const GROUPS: readonly Group[] = [
  {
    name: 'node',
    summary: 'Enrol, show, change and lock nodes, and call their vendor methods',
    load: async () => (await import('./node.ts')).nodeCommand(),
  },
  {
    name: 'driver',
    summary: 'Show drivers (hardware types) and call their vendor methods',
    load: async () => (await import('./driver.ts')).driverCommand(),
  },
  {
    name: 'job',
    summary: 'Show, watch and cancel jobs: runs of asynchronous methods',
    load: async () => (await import('./job.ts')).jobCommand(),
  },
  {
    name: 'context',
    summary: 'Store servers and credentials under names, and choose the default one',
    load: async () => (await import('./context.ts')).contextCommand(),
  },
  {
    name: 'import',
    summary: 'Enrol the nodes of a running Ironic',
    load: async () => (await import('./import/importNodes.ts')).importCommand(),
  },
  {
    name: 'completion',
    summary: "Print a shell's completion script",
    alone: true,
    load: async () => completionCommand(),
  },
  {
    name: 'serve',
    summary: 'Run the service',
    alone: true,
    load: async () => (await import('./service/serve.ts')).serveCommand(),
  },
  {
    name: 'generate-key',
    summary: 'Print a new key for secrets.key_file',
    alone: true,
    load: async () => (await import('./service/generateKey.ts')).generateKeyCommand(),
  },
  {
    name: 'rotate-key',
    summary: 'Encrypt the secrets of all nodes in the store with the first key of secrets.key_file',
    alone: true,
    load: async () => (await import('./service/rotateKey.ts')).rotateKeyCommand(),
  },
  {
    name: 'sim',
    summary: 'Run simulated BMCs that speak Redfish, one port each',
    alone: true,
    load: async () => (await import('../sim/command.ts')).simCommand(),
  },
];

const HELP = `
Examples:
  passthru serve --config passthru.yaml
  passthru node list
  passthru node passthru list rf-1
  passthru node passthru call rf-1 eject_vmedia --watch
  passthru job list --state failed -f json
  passthru context set lab --server https://passthru.lab.example --token @token.txt

Exit status: 0 success, 1 failed or refused, 2 invalid usage, 3 not found, 4 locked, 5 service unreachable.`;

/** Runs the command line `args`; returns the exit status. */
export async function runCommand(args: readonly string[]): Promise<number> {
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    // EPIPE: the reader is gone, as in `passthru node list | head -1`.
    if (code !== 'EPIPE') console.error(`error: cannot write to standard output: ${code}`);
    process.exit(EXIT_STATUS.failed);
  });
  const [first, ...words] = args;
  if (first === COMPLETE) {
    const { complete } = await import('./completion/complete.ts');
    return complete(await createProgram(words), words);
  }
  const program = await createProgram(args);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommandFailure) {
      console.error(`error: ${visible(error.message)}`);
      return error.status;
    }
    if (error instanceof CommanderError) return commanderStatus(error);
    throw error;
  }
}

async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('passthru')
    .description('Vendor passthru for bare-metal nodes: the service, and a client for it')
    .version(packageJson.version)
    .addOption(
      new Option('--server <url>', 'URL of the service').env('PASSTHRU_SERVER').default('http://127.0.0.1:6385'),
    )
    .addOption(new Option('--context <context>', 'context with server and credentials').env('PASSTHRU_CONTEXT'))
    .addOption(new Option('--token <token>', 'authentication token, or @FILE').env('PASSTHRU_TOKEN'))
    .addOption(
      new Option('--user <name>', 'user for HTTP Basic; the password is in PASSTHRU_PASSWORD').env('PASSTHRU_USER'),
    )
    .addOption(new Option('--password-file <file>', 'file with that password'))
    .addOption(new Option('--ca-file <file>', 'CA bundle for verifying the server (PEM)').env('PASSTHRU_CA_FILE'))
    .addOption(new Option('--cert-file <file>', 'client certificate (PEM)'))
    .addOption(new Option('--key-file <file>', 'private key of the client certificate (PEM)'))
    .addHelpText('after', HELP);
  const requested = requestedGroup(program, args);
  for (const group of GROUPS) {
    const command = group === requested ? await group.load() : new Command(group.name).description(group.summary);
    program.addCommand(command);
  }
  prepare(program, requested?.alone !== true);
  return program;
}

/** Returns the group named by the first word that is neither a global option nor its value. */
function requestedGroup(program: Command, args: readonly string[]) {
  const takesValue = new Set(program.options.filter(({ required }) => required).map(({ long }) => long));
  const word = args.find((arg, index) => !arg.startsWith('-') && !takesValue.has(args[index - 1]));
  return GROUPS.find(({ name }) => name === word);
}

/**
 * Sets up error handling, help and examples of `command` and its subcommands.
 * @param showGlobalOptions whether the help lists the global options
 * @param path the words of the command, without `passthru`
 */
function prepare(command: Command, showGlobalOptions: boolean, path: readonly string[] = []): void {
  command.exitOverride().configureHelp({ showGlobalOptions }).showSuggestionAfterError();
  const examples = EXAMPLES[path.join(' ')];
  if (examples !== undefined) {
    const lines = examples.map((words) => `\n  passthru ${words}`).join('');
    command.addHelpText('after', `\n${examples.length > 1 ? 'Examples' : 'Example'}:${lines}`);
  }
  for (const child of command.commands) prepare(child, showGlobalOptions, [...path, child.name()]);
}

function commanderStatus({ code, exitCode }: CommanderError): number {
  // A command's own failure, or requested help; everything else is invalid usage.
  if (code === 'commander.error' || exitCode === 0) return exitCode;
  return EXIT_STATUS.usage;
}
