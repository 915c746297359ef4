import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { COMPLETE, completionCommand } from './completion/completion.ts';
import { EXAMPLES } from './examples.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { visible } from './print/output.ts';

interface Group {
  name: string;
  summary: string;
  /** Whether its commands talk to no service: the options that say to which one are not theirs. */
  alone?: true;
  load(): Promise<Command>;
}

/** The commands at the top; each is loaded only when it is asked for, so that every one of them starts quickly. */
const GROUPS: readonly Group[] = [
  {
    name: 'node',
    summary: 'Enrol, show, change and lock nodes, and call their vendor methods',
    load: async () => (await import('./node.ts')).nodeCommand(),
  },
  {
    name: 'driver',
    summary: 'Show drivers (hardware types) and call their methods',
    load: async () => (await import('./driver.ts')).driverCommand(),
  },
  {
    name: 'job',
    summary: 'Show, watch and cancel the runs of asynchronous methods',
    load: async () => (await import('./job.ts')).jobCommand(),
  },
  {
    name: 'context',
    summary: 'Name services and what proves who you are, and choose between them',
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

Exit status: 0 done, 1 failed or refused, 2 wrong usage, 3 not found, 4 locked, 5 service unreachable.`;

/** Runs the command line `args` and answers the exit status. */
export async function runCommand(args: readonly string[]): Promise<number> {
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    // EPIPE: nobody reads on, as in `passthru node list | head -1`.
    if (code !== 'EPIPE') console.error(`error: standard output cannot be written: ${code}`);
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
      new Option('--server <url>', 'the service to talk to').env('PASSTHRU_SERVER').default('http://127.0.0.1:6385'),
    )
    .addOption(new Option('--context <context>', 'the context to take the service from').env('PASSTHRU_CONTEXT'))
    .addOption(new Option('--token <token>', 'a token that proves who you are, or @FILE').env('PASSTHRU_TOKEN'))
    .addOption(
      new Option('--user <name>', 'your name for HTTP Basic; PASSTHRU_PASSWORD is your password').env('PASSTHRU_USER'),
    )
    .addOption(new Option('--password-file <file>', 'a file with that password'))
    .addOption(
      new Option('--ca-file <file>', "the authorities that the service's certificate may be of, PEM").env(
        'PASSTHRU_CA_FILE',
      ),
    )
    .addOption(new Option('--cert-file <file>', 'a client certificate, PEM'))
    .addOption(new Option('--key-file <file>', 'its private key, PEM'))
    .addHelpText('after', HELP);
  const wanted = wantedGroup(program, args);
  for (const group of GROUPS) {
    const command = group === wanted ? await group.load() : new Command(group.name).description(group.summary);
    program.addCommand(command);
  }
  prepare(program, wanted?.alone !== true);
  return program;
}

/** The group that the first word names which is neither an option of the program's own nor its value. */
function wantedGroup(program: Command, args: readonly string[]) {
  const takesValue = new Set(program.options.filter(({ required }) => required).map(({ long }) => long));
  const word = args.find((arg, index) => !arg.startsWith('-') && !takesValue.has(args[index - 1]));
  return GROUPS.find(({ name }) => name === word);
}

/**
 * What every command has alike.
 * @param showGlobalOptions whether its help shows the program's own options too
 * @param path the words that call it, without the program's
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
  // A command that failed of itself, or help that was asked for. Everything else is a fault of the command line.
  if (code === 'commander.error' || exitCode === 0) return exitCode;
  return EXIT_STATUS.usage;
}
