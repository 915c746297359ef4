import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { ConfigError } from '../../config/problems.ts';
import { readYamlFile } from '../../config/yamlFile.ts';
import { isJsonObject, type Json } from '../../core/json.ts';
import { CommandFailure, EXIT_STATUS, usageError } from '../exitStatus.ts';
import { visible } from '../print/output.ts';
import type { IronicNode } from './ironicNodes.ts';

/** Where the secrets come from that Ironic does not tell. */
export interface SecretSource {
  /** The value for `key` (`redfish_password`, or `a.b` for one further in) of `node`; null when there is none. */
  find(node: IronicNode, key: string): string | null;
  /** As `find`, and else asks whoever sits at the terminal; null when nobody does, or nothing was typed. */
  findOrAsk(node: IronicNode, key: string): Promise<string | null>;
}

/** The entry of a secrets file for nodes that have none of their own, or none of that key. */
const EVERY_NODE = '*';

/**
 * Secrets from a YAML file, by node (UUID or name, or `*` for every other) and key, and from the terminal.
 * @param file its path; null when there is none
 * @throws CommandFailure when the file cannot be read or is none, without repeating what it holds
 */
export function openSecrets(file: string | null): SecretSource {
  const entries = file === null ? new Map<string, Map<string, string>>() : readSecrets(file);
  const find = ({ uuid, name }: IronicNode, key: string) => {
    const found = [uuid, name ?? uuid, EVERY_NODE].map((entry) => entries.get(entry)?.get(key));
    return found.find((value) => value !== undefined) ?? null;
  };
  return {
    find,
    findOrAsk: async (node, key) => find(node, key) ?? (await ask(`${key} of ${node.name ?? node.uuid}: `)),
  };
}

function readSecrets(file: string): Map<string, Map<string, string>> {
  let value: unknown;
  try {
    value = readYamlFile(file);
  } catch (error) {
    if (error instanceof ConfigError) throw usageError(`--secrets: ${error.message}`);
    throw error;
  }
  if (!isJsonObject(value as Json)) throw usageError(`--secrets: ${file}: it is a map of nodes`);
  return new Map(
    Object.entries(value as Record<string, Json>).map(([node, secrets]) => {
      if (!isJsonObject(secrets)) throw usageError(`--secrets: ${file}: ${node}: it is a map of keys and texts`);
      return [node, new Map(Object.entries(secrets).map(([key, text]) => [key, checkText(file, node, key, text)]))];
    }),
  );
}

function checkText(file: string, node: string, key: string, text: Json): string {
  if (typeof text === 'string') return text;
  // A password of digits would lose its zeros.
  throw usageError(`--secrets: ${file}: ${node}: ${key}: it is no text; put it in quotes`);
}

/** Asks without showing what is typed; null without a terminal, and for nothing typed. */
function ask(question: string): Promise<string | null> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return Promise.resolve(null);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  process.stderr.write(visible(question));
  return new Promise<string | null>((resolve, reject) => {
    reader.once('SIGINT', () => reject(new CommandFailure(EXIT_STATUS.interrupted, 'interrupted')));
    // Ctrl-D.
    reader.once('close', () => resolve(null));
    reader.question('', (answer) => resolve(answer === '' ? null : answer));
  }).finally(() => {
    reader.close();
    process.stderr.write('\n');
  });
}
