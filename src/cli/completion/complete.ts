import type { Command, Option } from 'commander';
import { isJsonObject, type Json } from '../../core/json.ts';
import { visible } from '../../process/terminalText.ts';
import { type Connection, withConnection } from '../connection.ts';
import { readContexts } from '../contextFile.ts';
import { UNUSED_PROPERTY } from '../driverKeys.ts';
import { listedArguments } from '../methodArguments.ts';

/** A candidate for a word, with a description. */
interface Candidate {
  value: string;
  about: string;
}

/** The parsed words before the one to complete. */
interface Typed {
  command: Command;
  /** The command's arguments so far. */
  operands: string[];
  /** The value of `--driver`. */
  driver?: string;
  /** The option whose value is completed; null when it is not a value. */
  pending: Option | null;
}

/** Timeout of the service in ms: a person waits for the completion. */
const TIMEOUT = 2000;

/** Maximum number of nodes and drivers offered. */
const MAX_CANDIDATES = 1000;

/**
 * Prints the candidates for the last of `words`, one per line: the word, a tab, its description. Prints nothing when they
 * cannot be determined. Returns the exit status.
 */
export async function complete(program: Command, words: readonly string[]): Promise<number> {
  const last = words.at(-1) ?? '';
  const typed = parseWords(program, words.slice(0, -1));
  const candidates = await candidatesOf(typed, last).catch(() => []);
  const lines = candidates
    .filter(({ value }) => value.startsWith(last))
    // Names given by others must not control the terminal or break lines.
    .map(({ value, about }) => `${value}\t${about}`.replace(/[^\t\P{Cc}]/gu, ' '))
    .map(visible);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return 0;
}

function parseWords(program: Command, words: readonly string[]): Typed {
  for (const option of program.options) {
    const value = option.envVar === undefined ? undefined : process.env[option.envVar];
    if (value) program.setOptionValueWithSource(option.attributeName(), value, 'env');
  }
  const typed: Typed = { command: program, operands: [], pending: null };
  for (const word of words) {
    if (typed.pending !== null) {
      if (program.options.includes(typed.pending)) {
        program.setOptionValueWithSource(typed.pending.attributeName(), word, 'cli');
      }
      if (typed.pending.long === '--driver') typed.driver = word;
      typed.pending = null;
    } else if (word.startsWith('-')) {
      const option = optionsOf(typed.command).find(({ long, short }) => word === long || word === short);
      if (option?.required) typed.pending = option;
    } else {
      const child = typed.operands.length === 0 ? typed.command.commands.find((one) => one.name() === word) : undefined;
      if (child !== undefined) typed.command = child;
      else typed.operands.push(word);
    }
  }
  return typed;
}

/** Returns the options of `command` and of its parents. */
function optionsOf(command: Command): Option[] {
  return [...command.options, ...(command.parent === null ? [] : optionsOf(command.parent))];
}

async function candidatesOf(typed: Typed, last: string): Promise<Candidate[]> {
  const { command, operands, pending } = typed;
  if (pending !== null) {
    if (pending.argChoices !== undefined) return pending.argChoices.map(plain);
    if (pending.long === '--arg') return argumentWords(typed, last);
    if (pending.long === '--driver-info') return driverInfoWords(typed, pending);
    return valuesOf(placeholder(pending.flags), typed, last);
  }
  if (last.startsWith('-')) {
    return optionsOf(command).map(({ long, description }) => ({ value: long ?? '', about: description }));
  }
  if (command.commands.length > 0) {
    return command.commands.map((child) => ({ value: child.name(), about: child.description() }));
  }
  const expected = command.registeredArguments;
  const argument = expected[operands.length] ?? (expected.at(-1)?.variadic ? expected.at(-1) : undefined);
  if (argument === undefined) return [];
  return argument.argChoices?.map(plain) ?? valuesOf(argument.name(), typed, last);
}

/** Returns `node` for `--node <node>`. */
function placeholder(flags: string): string {
  return /[<[]([^\]>.]+)/.exec(flags)?.[1] ?? '';
}

/** Returns the values of a kind, named as the argument or the option's value. */
async function valuesOf(kind: string, typed: Typed, last: string): Promise<Candidate[]> {
  const { command, operands } = typed;
  switch (kind) {
    case 'node':
      return nodes(command, last);
    case 'driver':
      return request(command, async ({ drivers }) => {
        const { drivers: found } = await drivers.listDrivers({ pageSize: MAX_CANDIDATES });
        return found.map(({ name }) => ({ value: name, about: 'driver' }));
      });
    case 'method':
      return (await methods(command, operands[0])).map(({ name, description }) => ({
        value: name,
        about: description,
      }));
    case 'job':
      return request(command, async ({ jobs }) => {
        const { jobs: found } = await jobs.listJobs({ pageSize: 100 });
        return found.map(({ id, method, nodeName, driver }) => ({
          value: id,
          about: `${method} ${nodeName || driver}`,
        }));
      });
    case 'context': {
      const { contexts } = await readContexts();
      return Object.entries(contexts).map(([value, { server }]) => ({ value, about: server }));
    }
    default:
      return [];
  }
}

/** Returns names, and UUIDs of nodes without a name or when the word begins one. */
async function nodes(command: Command, last: string): Promise<Candidate[]> {
  return request(command, async (connection) => {
    const { nodes: found } = await connection.nodes.listNodes({ pageSize: MAX_CANDIDATES });
    return found.flatMap(({ uuid, name, driver }) => {
      const byUuid = name === '' || (last !== '' && uuid.startsWith(last));
      return [
        ...(name === '' ? [] : [{ value: name, about: driver }]),
        ...(byUuid ? [{ value: uuid, about: name || driver }] : []),
      ];
    });
  });
}

/** Returns the methods of the node or driver in the words. */
async function methods(command: Command, ident: string | undefined) {
  if (ident === undefined) return [];
  return request(command, async ({ passthru }) => {
    const ofDriver = command.parent?.parent?.name() === 'driver';
    const found = ofDriver ? passthru.listDriverMethods({ driver: ident }) : passthru.listNodeMethods({ node: ident });
    return (await found).methods;
  });
}

/** Returns the keys of `--arg` with `=`, or the values of a key if it has few. */
async function argumentWords({ command, operands: [ident, method] }: Typed, last: string): Promise<Candidate[]> {
  const described = (await methods(command, ident)).find(({ name }) => name === method);
  const properties = described?.argumentsSchema?.properties;
  if (!isJsonObject(properties)) return [];
  const key = /^(.+?)=/.exec(last)?.[1];
  if (key !== undefined) {
    const values = Object.hasOwn(properties, key) ? fewValues(properties[key]) : [];
    return values.map((value) => plain(`${key}=${value}`));
  }
  return listedArguments(described?.argumentsSchema ?? {}).map(([key, schema]) => {
    const about = isJsonObject(schema) && typeof schema.description === 'string' ? schema.description : 'argument';
    return { value: `${key}=`, about };
  });
}

/** Returns the keys of driver_info that the driver of the words, or of their node, reads; with `=` where a value follows. */
async function driverInfoWords(
  { command, operands: [ident], driver: given }: Typed,
  option: Option,
): Promise<Candidate[]> {
  return request(command, async ({ drivers, nodes }) => {
    const name = given ?? (ident === undefined ? undefined : (await nodes.getNode({ node: ident })).node?.driver);
    if (name === undefined) return [];
    const { driver } = await drivers.getDriver({ driver: name });
    const end = option.flags.includes('=') ? '=' : '';
    return Object.entries(driver?.properties ?? {})
      .filter(([, about]) => about !== UNUSED_PROPERTY)
      .map(([key, about]) => ({ value: `${key}${end}`, about }));
  });
}

/** Returns the strings that `schema` lists. */
function fewValues(schema: Json | undefined): string[] {
  if (!isJsonObject(schema)) return [];
  if (schema.type === 'boolean') return ['true', 'false'];
  return Array.isArray(schema.enum) ? schema.enum.filter((value) => typeof value === 'string') : [];
}

function request<T>(command: Command, work: (connection: Connection) => Promise<T>): Promise<T> {
  return withConnection(command, work, TIMEOUT);
}

function plain(value: string): Candidate {
  return { value, about: '' };
}
