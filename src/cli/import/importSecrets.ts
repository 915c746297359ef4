import { ConfigError } from '../../config/problems.ts';
import { readYamlFile } from '../../config/yamlFile.ts';
import { isJsonObject, type Json } from '../../core/json.ts';
import { usageError } from '../exitStatus.ts';
import { prompt } from '../print/prompt.ts';
import type { IronicNode } from './ironicNodes.ts';

/** The source of secrets that Ironic masks. */
export interface SecretSource {
  /** Returns the value of `key` (`redfish_password`, or `a.b` when nested) for `node`; null when there is none. */
  find(node: IronicNode, key: string): string | null;
  /** As `find`, but prompts on a terminal; null without a terminal or input. */
  findOrPrompt(node: IronicNode, key: string): Promise<string | null>;
}

/** The entry for nodes, or keys of nodes, without their own. */
const EVERY_NODE = '*';

/**
 * Opens the secrets of a YAML file, by node (UUID, name, or `*` for all others) and key, and of the terminal.
 * @param file its path; null when there is none
 * @throws CommandFailure when the file is unreadable or invalid; repeats no part of it
 */
export function openSecrets(file: string | null): SecretSource {
  const entries = file === null ? new Map<string, Map<string, string>>() : readSecrets(file);
  const find = ({ uuid, name }: IronicNode, key: string) => {
    const found = [uuid, name ?? uuid, EVERY_NODE].map((entry) => entries.get(entry)?.get(key));
    return found.find((value) => value !== undefined) ?? null;
  };
  return {
    find,
    findOrPrompt: async (node, key) => find(node, key) ?? (await prompt(`${key} of ${node.name ?? node.uuid}: `)),
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
  if (!isJsonObject(value as Json)) throw usageError(`--secrets: ${file}: must be a mapping of nodes to secrets`);
  return new Map(
    Object.entries(value as Record<string, Json>).map(([node, secrets]) => {
      if (!isJsonObject(secrets)) throw usageError(`--secrets: ${file}: ${node}: must be a mapping of keys to strings`);
      return [node, new Map(Object.entries(secrets).map(([key, text]) => [key, checkText(file, node, key, text)]))];
    }),
  );
}

function checkText(file: string, node: string, key: string, text: Json): string {
  if (typeof text === 'string') return text;
  // As a number, a password of digits would lose leading zeros.
  throw usageError(`--secrets: ${file}: ${node}: ${key}: not a string; put it in quotes`);
}
