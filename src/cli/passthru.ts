import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import type { Attachment, CallNodeMethodResponse, Recording, VendorMethod } from '../../gen/passthru/v1/passthru_pb.ts';
import { nearest } from '../config/problems.ts';
import { typesOf } from '../core/argumentTypes.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { visible } from '../process/terminalText.ts';
import { type Connection, printsListing, withConnection } from './connection.ts';
import { CommandFailure, EXIT_STATUS, usageError } from './exitStatus.ts';
import { transcriptLine } from './failure.ts';
import { endWithJob, jobRecord, valueToJson } from './jobRecord.ts';
import { readArguments } from './keyValues.ts';
import { listedArguments, missingArguments, requiredArguments } from './methodArguments.ts';
import {
  type DurationMessage,
  lockWaitOption,
  repeatedOption,
  reservationKeyOf,
  reservationKeyOption,
} from './options.ts';
import {
  addOutputOptions,
  Cell,
  type Listing,
  type OutputOptions,
  orNull,
  printRecord,
  printValue,
} from './print/output.ts';
import { recordOption } from './recordOption.ts';
import { watchJob } from './watch.ts';

interface CallOptions extends Partial<OutputOptions> {
  arg?: string[];
  httpMethod?: string;
  idempotencyKey?: string;
  lockWait?: DurationMessage;
  output?: string;
  reservationKey?: string;
  record?: Recording;
  watch?: boolean;
}

/** A call of the contract without its target. */
interface CallMessage {
  method: string;
  arguments: JsonObject;
  httpMethod?: string;
  idempotencyKey?: string;
  lockWait?: DurationMessage;
  reservationKey?: string;
  recording?: Recording;
}

/** The commands and RPCs for the vendor methods of a node or of a driver. */
interface Target {
  argument: string;
  list: string;
  call: string;
  help: string;
  listMethods(connection: Connection, ident: string): Promise<{ methods: VendorMethod[] }>;
  callMethod(
    connection: Connection,
    ident: string,
    call: CallMessage,
  ): Promise<Pick<CallNodeMethodResponse, 'outcome' | 'transcriptId'>>;
}

const TARGETS: Readonly<Record<'node' | 'driver', Target>> = {
  node: {
    argument: 'UUID or name',
    list: "List the vendor methods of a node's vendor interface",
    call: 'Call a vendor method on a node',
    help: `
Arguments have the types of the method's schema: strings are taken as they are; numbers, booleans, lists and objects are
parsed as JSON. @FILE stands for the content of a file.

Examples:
  passthru node passthru call rf-1 get_all_subscriptions
  passthru node passthru call rf-1 create_subscription --arg Destination=https://listener.example/events
  passthru node passthru call rf-1 get_subscription --arg id=1
  passthru node passthru call rf-1 eject_vmedia --watch
  passthru node passthru call fake-1 second_method --arg bar=kazoo --lock-wait 30`,
    listMethods: ({ passthru }, node) => passthru.listNodeMethods({ node }),
    callMethod: ({ passthru }, node, call) => passthru.callNodeMethod({ node, ...call }),
  },
  driver: {
    argument: 'driver name',
    list: 'List the vendor methods of a driver',
    call: 'Call a vendor method of a driver, without a node',
    help: `
Example:
  passthru driver passthru call redfish discover --arg address=https://bmc-7.example \\
    --arg username=operator --arg password=@password.txt`,
    listMethods: ({ passthru }, driver) => passthru.listDriverMethods({ driver }),
    callMethod: ({ passthru }, driver, { lockWait: _, reservationKey: __, ...call }) =>
      passthru.callDriverMethod({ driver, ...call }),
  },
};

/** `passthru node passthru list|call` or `passthru driver passthru list|call`. */
export function passthruCommand(kind: 'node' | 'driver'): Command {
  const target = TARGETS[kind];
  const list = new Command('list')
    .description(target.list)
    .argument(`<${kind}>`, target.argument)
    .option('--long', 'show arguments too; * = required');
  printsListing<{ long?: boolean }>(list, async (connection, ident, { long }) =>
    methodListing((await target.listMethods(connection, ident)).methods, long),
  );
  const call = new Command('call')
    .description(target.call)
    .argument(`<${kind}>`, target.argument)
    .argument('<method>', 'method name')
    .addOption(repeatedOption('--arg <key=value>', 'an argument of the method; repeatable'))
    .option('--http-method <verb>', 'the HTTP method; required only if the vendor method has several')
    .option('--watch', 'follow the job of an asynchronous method until it ends')
    .option('--idempotency-key <key>', 'run the call only once if repeated with this key within a day')
    .addOption(recordOption())
    .option('--output <file>', 'file for an attachment (default: standard output)');
  addOutputOptions(call, null, 'json for a result, table for a job')
    .addHelpText('after', target.help)
    .action((ident: string, method: string, options: CallOptions) =>
      withConnection(call, (connection) => runCall(connection, target, { ident, method, options })),
    );
  if (kind === 'node') call.addOption(lockWaitOption()).addOption(reservationKeyOption());
  return new Command('passthru')
    .description(`List and call the vendor methods of a ${kind}`)
    .addCommand(list)
    .addCommand(call);
}

/** Calls a method and prints the outcome. */
async function runCall(
  connection: Connection,
  target: Target,
  { ident, method, options }: { ident: string; method: string; options: CallOptions },
): Promise<void> {
  const { methods } = await target.listMethods(connection, ident);
  const found = methods.find(({ name }) => name === method);
  if (found === undefined) throw unknownMethod(method, methods);
  const { arg = [], record: recording, httpMethod, idempotencyKey, lockWait } = options;
  const args = readArguments(arg, found.argumentsSchema);
  const missing = missingArguments(found.argumentsSchema ?? {}, args);
  if (missing.length > 0) {
    const needed = missing.map((key) => `--arg ${key}=VALUE`).join(' ');
    throw usageError(`${method} requires ${missing.join(', ')}: add ${needed}`);
  }
  const reservationKey = reservationKeyOf(options.reservationKey);
  const call = { method, arguments: args, httpMethod, idempotencyKey, lockWait, reservationKey, recording };
  checkOutput(found, options);

  const { outcome, transcriptId } = await announced(
    `${method} on ${ident}`,
    target.callMethod(connection, ident, call),
  );
  if (transcriptId !== '') console.error(transcriptLine(transcriptId));
  switch (outcome.case) {
    case 'attachment':
      return writeAttachment(outcome.value, options.output);
    case 'job': {
      if (!options.watch) return printRecord(jobRecord(outcome.value), { format: 'table', ...options });
      const job = await watchJob(connection, outcome.value.id, outcome.value);
      await printRecord(jobRecord(job), { format: 'table', ...options });
      return endWithJob(job, options);
    }
    default: {
      const result: Json = outcome.case === 'result' ? valueToJson(outcome.value) : null;
      // A person sees nothing in null; programs get it.
      if (result === null && options.format === undefined && process.stdout.isTTY) {
        console.error(`${visible(method)} succeeded; it returns nothing.`);
        return;
      }
      return printValue(result, { format: 'json', ...options });
    }
  }
}

/** How long a call may be silent on a terminal, in ms. */
const PATIENCE = 3000;

/** Waits for `call`; says so on a terminal when it takes long. */
async function announced<T>(what: string, call: Promise<T>): Promise<T> {
  const note = () => console.error(visible(`Waiting for ${what}; --timeout sets a limit.`));
  const timer = process.stderr.isTTY ? setTimeout(note, PATIENCE) : undefined;
  try {
    return await call;
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the error for an unknown method; it lists the allowed ones. */
function unknownMethod(method: string, methods: readonly VendorMethod[]): CommandFailure {
  const names = methods.map(({ name }) => name);
  const near = nearest(method, names);
  const guess = near === null ? '' : ` Did you mean ${near}?`;
  const allowed = names.length === 0 ? 'there are none' : `allowed: ${names.join(', ')}`;
  return new CommandFailure(EXIT_STATUS.failed, `unknown method ${method}; ${allowed}.${guess}`);
}

/** Checks, before the call, that its output can be shown. */
function checkOutput(method: VendorMethod, { output }: CallOptions): void {
  if (output !== undefined && !method.attach) {
    throw usageError(`--output: ${method.name} does not return an attachment`);
  }
  if (output === undefined && method.attach && process.stdout.isTTY) {
    throw usageError(`${method.name} returns an attachment: use --output FILE or redirect standard output`);
  }
}

async function writeAttachment({ data, mediaType }: Attachment, output: string | undefined): Promise<void> {
  if (output === undefined) {
    process.stdout.write(data);
    return;
  }
  try {
    await writeFile(output, data);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandFailure(EXIT_STATUS.failed, `the call succeeded, but writing ${output} failed: ${code}`);
  }
  console.error(`${output}: ${data.length} bytes of ${visible(mediaType)}`);
}

/**
 * Lists `methods` under the columns of Ironic's `baremetal node passthru list`, and the role that each requires.
 * @param long also lists arguments: one line each in tables, their JSON Schema in JSON and YAML
 */
function methodListing(methods: readonly VendorMethod[], long = false): Listing {
  const shown = ['Name', 'Supported HTTP methods', 'Async', 'Description', 'Response is attachment', 'Role'];
  const columns = [...shown, 'Arguments'];
  return {
    columns,
    shown: long ? columns : shown,
    narrow: long
      ? ['Name', 'Arguments', 'Supported HTTP methods', 'Description', 'Async', 'Role']
      : ['Name', 'Supported HTTP methods', 'Async', 'Description', 'Role'],
    empty: 'No vendor methods.',
    rows: methods.map(({ name, httpMethods, async, description, attach, role, argumentsSchema }) => [
      name,
      [...httpMethods].sort().join(', '),
      async,
      description,
      attach,
      orNull(role),
      new Cell(argumentLines(argumentsSchema ?? {}), argumentsSchema ?? null),
    ]),
  };
}

/** Formats arguments as `Destination* string`, one per line, with the allowed values where the schema lists them. */
function argumentLines(schema: JsonObject): string {
  const mandatory = new Set(requiredArguments(schema));
  return listedArguments(schema)
    .map(([key, schema]) => {
      const listed =
        isJsonObject(schema) && Array.isArray(schema.enum) ? schema.enum.filter((one) => one !== null) : null;
      const values = listed?.map(String) ?? typesOf(schema);
      return `${key}${mandatory.has(key) ? '*' : ''} ${values.join('|')}`.trimEnd();
    })
    .join('\n');
}
