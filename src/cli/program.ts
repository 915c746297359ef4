// The command line: the client, and the commands that run the service.
import { Command, CommanderError, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { whenNpmIsGone } from '../process/npmParent.ts';
import { visible } from '../process/terminalText.ts';
import { COMPLETE, completionCommand } from './completion/completion.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { timeoutOption } from './options.ts';
import { usageText } from './usageText.ts';

/** The top-level commands in the order of the help. */
const SUMMARIES = {
  node: 'Enrol, show, change and lock nodes, and call their vendor methods',
  driver: 'Show drivers (hardware types) and call their vendor methods',
  job: 'Show, watch and cancel jobs: runs of asynchronous methods',
  events: 'List and follow hardware events, and set their sources',
  apply: 'Enrol and update the nodes that a file names',
  context: 'Store servers and credentials under names, and choose the default one',
  import: 'Enrol the nodes of a running Ironic',
  completion: "Print a shell's completion script",
  probe: 'Read what a BMC shows: which methods will work on it, and a capture for passthru sim',
  serve: 'Run the service',
  'generate-key': 'Print a new key for secrets.key_file',
  user: 'List, add and remove the users of HTTP Basic in their file',
  'rotate-key': 'Encrypt the secrets of all nodes in the store with the first key of secrets.key_file',
  sim: 'Run simulated BMCs that speak Redfish, one port each',
};

/** Only the requested command is loaded, so that each starts quickly. */
const LOADERS: Readonly<Record<keyof typeof SUMMARIES, () => Promise<Command>>> = {
  node: async () => (await import('./node.ts')).nodeCommand(),
  driver: async () => (await import('./driver.ts')).driverCommand(),
  job: async () => (await import('./job.ts')).jobCommand(),
  events: async () => (await import('./events.ts')).eventsCommand(),
  apply: async () => (await import('./apply/applyNodes.ts')).applyCommand(),
  context: async () => (await import('./context.ts')).contextCommand(),
  import: async () => (await import('./import/importNodes.ts')).importCommand(),
  completion: async () => completionCommand(),
  probe: async () => (await import('./probe.ts')).probeCommand(),
  serve: async () => (await import('./service/serve.ts')).serveCommand(),
  'generate-key': async () => (await import('./service/keys.ts')).generateKeyCommand(),
  user: async () => (await import('./service/users.ts')).userCommand(),
  'rotate-key': async () => (await import('./service/keys.ts')).rotateKeyCommand(),
  sim: async () => (await import('../sim/command.ts')).simCommand(visible),
};

/** The commands that do not contact a service; their help omits the global options, and they may have others of these names. */
const LOCAL: ReadonlySet<string | undefined> = new Set([
  'completion',
  'probe',
  'serve',
  'generate-key',
  'rotate-key',
  'user',
  'sim',
]);

/**
 * The examples in the help of each command, by its words without `passthru`. Commands with a longer help text have their
 * examples there.
 */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  'node list': ['node list --driver redfish --long', 'node list -f value -c UUID -c Name'],
  'node show': ['node show rf-7', 'node show rf-7 -f json -c reservation -c lock -c last_error'],
  'node unset': ['node unset rf-7 --description --extra rack'],
  'node delete': ['node delete rf-7 rf-8'],
  'node maintenance set': ['node maintenance set rf-7 rf-8 --reason "fan replaced on Monday"'],
  'node maintenance unset': ['node maintenance unset rf-7 rf-8'],
  'node validate': ['node validate rf-7'],
  'node lock': [
    'node lock rf-7 --reason "firmware of rack 7" --for 15m --save-key rf-7.key',
    'node passthru call rf-7 eject_vmedia --reservation-key @rf-7.key --watch',
    'node unlock rf-7 --reservation-key @rf-7.key',
  ],
  'node renew': ['node renew rf-7 --for 15m --reservation-key @rf-7.key'],
  'node unlock': ['node unlock rf-7', 'node unlock rf-7 --reservation-key @rf-7.key'],
  'node watch': ['node watch', 'node watch rf-7 rf-8 -f json'],
  'node vmedia detach': ['node vmedia detach rf-7', 'node vmedia detach rf-7 cdrom --watch'],
  'node vmedia show': ['node vmedia show rf-7'],
  'node passthru list': ['node passthru list rf-7 --long', 'node passthru list rf-7 -f value -c Name'],
  'driver list': ['driver list'],
  'driver show': ['driver show redfish -f json'],
  'driver property list': ['driver property list redfish'],
  'driver passthru list': ['driver passthru list redfish --long'],
  'job list': ['job list --node rf-7', 'job list --state failed -f json'],
  'job show': ['job show 01a209ee-fdbc-7000-ade8-df848e828774 -f value -c state -c error'],
  'job watch': ['job watch 01a209ee-fdbc-7000-ade8-df848e828774', 'job watch --all --state failed -f json'],
  'job cancel': ['job cancel 01a209ee-fdbc-7000-ade8-df848e828774'],
  'job transcript': ['job transcript 01a209ee-fdbc-7000-ade8-df848e828774 > transcript.json'],
  'events list': [
    'events list --severity warning --since 2h',
    'events list --node rf-7 --message ResourceEvent -f json',
  ],
  'events sources': ['events sources', 'events sources --state degraded -f json'],
  'events source show': ['events source show rf-7'],
  'events source set': ['events source set rf-7 rf-8', 'events source set rf-7 --registry ResourceEvent'],
  'events source delete': ['events source delete rf-7'],
  'events test': ['events test rf-7'],
  'events follow': ['events follow', 'events follow --severity critical -f json'],
  'context list': ['context list'],
  'context show': ['context show', 'context show lab'],
  'context use': ['context use lab'],
  'context delete': ['context delete lab'],
  'user list': ['user list users'],
  'user delete': ['user delete users ann'],
};

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
  // The service stops in order; every other command ends.
  if (requestedWord(program.options, args) !== 'serve') whenNpmIsGone(() => process.kill(process.pid, 'SIGTERM'));
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommandFailure) {
      console.error(`error: ${visible(error.message)}`);
      return error.status;
    }
    if (!(error instanceof CommanderError)) throw error;
    // A command's own failure, or requested help; everything else is invalid usage.
    return error.code === 'commander.error' || error.exitCode === 0 ? error.exitCode : EXIT_STATUS.usage;
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
  const timeout = timeoutOption();
  const requested = requestedWord([...program.options, timeout], args);
  if (!LOCAL.has(requested)) program.addOption(timeout);
  for (const [name, load] of Object.entries(LOADERS)) {
    const command = name === requested ? await load() : new Command(name);
    if (command.description() === '') command.description(SUMMARIES[name as keyof typeof SUMMARIES]);
    program.addCommand(command);
  }
  prepare(program);
  if (!LOCAL.has(requested)) {
    const names = program.options.map(({ long }) => long).filter((long) => long !== '--version');
    for (const command of program.commands)
      addToHelp(command, `\nGlobal options, see passthru --help:\n  ${names.join(', ')}`);
  }
  return program;
}

/** Returns the first of `args` that is neither a global option nor its value. */
function requestedWord(options: readonly Option[], args: readonly string[]): string | undefined {
  const takesValue = new Set(options.filter(({ required }) => required).map(({ long }) => long));
  return args.find((arg, index) => !arg.startsWith('-') && !takesValue.has(args[index - 1]));
}

/**
 * Sets up error handling, help and examples of `command` and its subcommands.
 * @param path the words of the command, without `passthru`
 */
function prepare(command: Command, path: readonly string[] = []): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(usageText(text, path)) });
  const examples = EXAMPLES[path.join(' ')];
  if (examples !== undefined) {
    const lines = examples.map((words) => `\n  passthru ${words}`).join('');
    command.addHelpText('after', `\n${examples.length > 1 ? 'Examples' : 'Example'}:${lines}`);
  }
  for (const child of command.commands) prepare(child, [...path, child.name()]);
}

/** Adds `text` to the end of the help of `command` and its subcommands. */
function addToHelp(command: Command, text: string): void {
  command.addHelpText('after', text);
  for (const child of command.commands) addToHelp(child, text);
}
