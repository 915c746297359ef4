import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Attachment, CallNodeMethodResponse, VendorMethod } from '../../gen/passthru/v1/passthru_pb.ts';
import { nearest } from '../config/problems.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { type Connection, withConnection } from './connection.ts';
import { CommandFailure, EXIT_STATUS, usageError } from './exitStatus.ts';
import { endWithJob, jobRecord, valueToJson } from './jobRecord.ts';
import { readArguments } from './keyValues.ts';
import { repeatedOption } from './options.ts';
import { addOutputOptions, type OutputOptions, printRecord, printValue } from './print/output.ts';
import { watchJob } from './watch.ts';

/** The options that `node passthru call` and `driver passthru call` share. */
export interface CallOptions extends Partial<OutputOptions> {
  arg?: string[];
  httpMethod?: string;
  idempotencyKey?: string;
  output?: string;
  watch?: boolean;
}

/** A call of the contract without its target. */
interface CallMessage {
  method: string;
  arguments: JsonObject;
  httpMethod?: string;
  idempotencyKey?: string;
}

/** The RPCs of a target: a node or a driver. */
interface Target {
  list(connection: Connection): Promise<{ methods: VendorMethod[] }>;
  call(connection: Connection, call: CallMessage): Promise<Pick<CallNodeMethodResponse, 'outcome'>>;
}

export function addCallOptions(command: Command): Command {
  command
    .addOption(repeatedOption('--arg <key=value>', 'an argument of the method; repeatable'))
    .option('--http-method <verb>', 'the HTTP method; required only if the vendor method has several')
    .option('--watch', 'follow the job of an asynchronous method until it ends')
    .option('--idempotency-key <key>', 'run the call only once if repeated with this key within a day')
    .option('--output <file>', 'file for an attachment (default: standard output)');
  return addOutputOptions(command, null);
}

/** Calls `method` of `target` and prints the outcome. */
export async function runCall(command: Command, method: string, options: CallOptions, target: Target): Promise<void> {
  await withConnection(command, async (connection) => {
    const { methods } = await target.list(connection);
    const known = methods.find(({ name }) => name === method);
    if (known === undefined) throw unknownMethod(method, methods);
    const { httpMethod, idempotencyKey } = options;
    const call = {
      method,
      arguments: readArguments(options.arg ?? [], known.argumentsSchema),
      httpMethod,
      idempotencyKey,
    };
    checkOutput(known, options);

    const { outcome } = await target.call(connection, call);
    switch (outcome.case) {
      case 'attachment':
        return writeAttachment(outcome.value, options.output);
      case 'job': {
        if (!options.watch) return printRecord(jobRecord(outcome.value), { format: 'table', ...options });
        const job = await watchJob(connection, outcome.value.id, outcome.value);
        await printRecord(jobRecord(job), { format: 'table', ...options });
        return endWithJob(job);
      }
      default: {
        const result: Json = outcome.case === 'result' ? valueToJson(outcome.value) : null;
        return printValue(result, { format: 'json', ...options });
      }
    }
  });
}

/** Returns the error for an unknown method, with the known ones. */
function unknownMethod(method: string, methods: readonly VendorMethod[]): CommandFailure {
  const names = methods.map(({ name }) => name);
  const near = nearest(method, names);
  const guess = near === null ? '' : ` Did you mean ${near}?`;
  const known = names.length === 0 ? 'there are none' : `allowed: ${names.join(', ')}`;
  return new CommandFailure(EXIT_STATUS.failed, `unknown method ${method}; ${known}.${guess}`);
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
  console.error(`${output}: ${data.length} bytes of ${mediaType}`);
}
