import { z } from 'zod';
import type { Caller } from '../core/caller.ts';
import type { Core, Nodes } from '../core/core.ts';
import { PassthruError } from '../core/errors.ts';
import { isJsonObject } from '../core/json.ts';
import type { Logger } from '../core/logger.ts';
import { isNodeName, isUuid } from '../core/node.ts';
import { ConfigError, showValue, suggestion } from './problems.ts';
import { readYamlFile } from './yamlFile.ts';

/** The caller that enrols and reserves the nodes, as shown by reservations. */
const CALLER: Caller = { name: 'nodes_file', role: 'admin' };

/** The allowed values of each key, in words. */
const ALLOWED = {
  uuid: 'a UUID',
  name: '1 to 255 letters, digits and - . _ ~; not a UUID and not a word of a REST route',
  driver: 'the name of a hardware type (required)',
  vendor_interface: 'the name of a vendor interface of the driver',
  driver_info: 'a mapping of keys to values',
  description: 'a string',
  extra: 'a mapping of keys to values',
  properties: 'a mapping of keys to values',
  reservation: 'a host name of 1 to 255 characters without control characters',
};

const jsonObject = z.record(z.string(), z.json());

const entrySchema = z.strictObject({
  uuid: z
    .string()
    .refine(isUuid)
    .transform((uuid) => uuid.toLowerCase())
    .optional(),
  name: z.string().refine(isNodeName).optional(),
  driver: z.string().min(1),
  vendor_interface: z.string().min(1).optional(),
  driver_info: jsonObject.optional(),
  description: z.string().optional(),
  extra: jsonObject.optional(),
  properties: jsonObject.optional(),
  reservation: z
    .string()
    .regex(/^\P{Cc}{1,255}$/u)
    .optional(),
} satisfies Record<keyof typeof ALLOWED, z.ZodType>);

/** An entry of the file. */
export type NodeEntry = z.output<typeof entrySchema>;

/**
 * Reads the nodes file at `path`.
 * @throws ConfigError with all problems: the entry, the key, the value unless it is a secret, and what is allowed
 */
export function readNodesFile(path: string): NodeEntry[] {
  const content = readYamlFile(path);
  if (!isJsonObject(content) || !Array.isArray(content.nodes)) {
    throw new ConfigError([`${path}: must have "nodes:" with a list of nodes`]);
  }
  const problems = Object.keys(content)
    .filter((key) => key !== 'nodes')
    .map((key) => `${path}: ${key}: unknown key; allowed: nodes`);
  const seen = new Map<string, number>();
  const entries = content.nodes.flatMap((raw, index) => {
    const place = `${path}: ${placeOf(raw, index)}`;
    const outcome = entrySchema.safeParse(raw);
    if (!outcome.success) {
      problems.push(
        ...outcome.error.issues.flatMap((issue) => describeIssue(issue, raw).map((text) => `${place}${text}`)),
      );
      return [];
    }
    problems.push(...checkIdents(outcome.data, index, seen).map((text) => `${place}${text}`));
    return [outcome.data];
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return entries;
}

/**
 * Enrols the nodes of the file at `path` that are not enrolled yet, and reserves those with a reservation. A node with
 * the entry's UUID or name counts as enrolled and is not changed.
 * @throws ConfigError when an entry is refused; the entries before it are enrolled
 */
export async function applyNodesFile(path: string, core: Core, log: Logger): Promise<void> {
  const entries = readNodesFile(path);
  checkDrivers(entries, path, core);
  const counts = { enrolled: 0, present: 0 };
  for (const [index, entry] of entries.entries()) {
    if (await isPresent(entry, core.nodes)) {
      counts.present++;
      continue;
    }
    try {
      await enrol(entry, core.nodes);
    } catch (error) {
      if (!(error instanceof PassthruError)) throw error;
      const { violations, message } = error;
      const reasons = violations.length === 0 ? [message] : violations.map((one) => `${one.field}: ${one.description}`);
      throw new ConfigError(reasons.map((text) => `${path}: ${placeOf(entry, index)}${text}`));
    }
    counts.enrolled++;
  }
  log.info({ file: path, ...counts }, 'nodes file applied');
}

/** Refuses unknown drivers in the words of this file; the core has Ironic's, for Ironic's clients. */
function checkDrivers(entries: readonly NodeEntry[], path: string, core: Core): void {
  const known = core.drivers.list().map(({ name }) => name);
  const problems = entries.flatMap((entry, index) => {
    const { driver } = entry;
    if (known.includes(driver)) return [];
    return [`${path}: ${placeOf(entry, index)}driver: unknown driver "${driver}"; ${suggestion(driver, known)}`];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

async function enrol(entry: NodeEntry, nodes: Nodes): Promise<void> {
  const node = await nodes.create(
    {
      uuid: entry.uuid,
      name: entry.name,
      driver: entry.driver,
      vendorInterface: entry.vendor_interface,
      driverInfo: entry.driver_info,
      description: entry.description,
      extra: entry.extra,
      properties: entry.properties,
    },
    CALLER,
  );
  if (entry.reservation === undefined) return;
  const signal = new AbortController().signal;
  await nodes.lock(node.uuid, { holder: entry.reservation, lockWait: 0, caller: CALLER, signal });
}

async function isPresent(entry: NodeEntry, nodes: Nodes): Promise<boolean> {
  for (const ident of [entry.uuid, entry.name]) {
    if (ident === undefined) continue;
    try {
      await nodes.get(ident);
      return true;
    } catch (error) {
      if (!(error instanceof PassthruError && error.kind === 'node_not_found')) throw error;
    }
  }
  return false;
}

/** Returns problems with an entry's UUID and name, including those already used by an earlier entry. */
function checkIdents({ uuid, name }: NodeEntry, index: number, seen: Map<string, number>): string[] {
  if (uuid === undefined && name === undefined) {
    return ['requires a name or a uuid; otherwise every start would enrol it again'];
  }
  return Object.entries({ uuid, name }).flatMap(([key, ident]) => {
    if (ident === undefined) return [];
    const first = seen.get(ident);
    seen.set(ident, first ?? index);
    return first === undefined ? [] : [`${key}: "${ident}" is already used by nodes[${first}]`];
  });
}

/** Returns the prefix of an entry's problems: `nodes[3] (rf-1): `. */
function placeOf(entry: unknown, index: number): string {
  const { name, uuid } = isJsonObject(entry) ? entry : {};
  const ident = typeof name === 'string' ? name : uuid;
  return `nodes[${index}]${typeof ident === 'string' ? ` (${ident.slice(0, 255)})` : ''}: `;
}

function describeIssue(issue: z.core.$ZodIssue, raw: unknown): string[] {
  const keys = Object.keys(ALLOWED);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${key}: unknown key; ${suggestion(key, keys)}`);
  }
  const [key] = issue.path as (keyof typeof ALLOWED)[];
  if (key === undefined) return [`must be a mapping with the keys ${keys.join(', ')}`];
  const value = issue.path.reduce<unknown>((group, part) => (group as Record<PropertyKey, unknown>)[part], raw);
  const allowed = issue.path.length > 1 ? 'any JSON value' : ALLOWED[key];
  return [`${issue.path.map(String).join('.')}: ${describeValue(issue.path, value)}; allowed: ${allowed}`];
}

function describeValue(path: readonly PropertyKey[], value: unknown): string {
  if (value === undefined) return 'missing';
  // The value may be a secret without a key.
  if (path.length === 1 && path[0] === 'driver_info') return 'the value is not allowed';
  return `${showValue(String(path.at(-1)), value)} is not allowed`;
}
