import type { MessageInitShape } from '@bufbuild/protobuf';
import { Command } from 'commander';
import type { Node, NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import { type Connection, forEachNode, printsRecord, withConnection } from './connection.ts';
import { unreadKeys } from './driverKeys.ts';
import { usageError } from './exitStatus.ts';
import { readAttributes } from './keyValues.ts';
import { nodeRecord } from './nodeRecord.ts';
import { repeatedOption } from './options.ts';

/** The options for a node's fields. */
interface FieldOptions {
  name?: string;
  driver?: string;
  vendorInterface?: string;
  description?: string;
  driverInfo?: string[];
  extra?: string[];
  property?: string[];
}

/** `passthru node create`. */
export function createCommand(): Command {
  const command = addFieldOptions(
    new Command('create')
      .description('Enrol a node')
      .requiredOption('--driver <driver>', 'hardware type, such as redfish')
      .option('--uuid <uuid>', 'UUID (default: a new one)'),
  ).addHelpText('after', CREATE_HELP);
  return printsRecord<FieldOptions & { uuid?: string }>(command, async (connection, _, { uuid, ...options }) => {
    const response = await connection.nodes.createNode({ node: { uuid, ...readFields(options) } });
    await warnOfDriverInfo(connection, response.node!, options.driverInfo ?? []);
    return nodeRecord(response.node!);
  });
}

/** `passthru node set`. */
export function setCommand(): Command {
  const command = addFieldOptions(
    new Command('set')
      .description("Change a node's fields")
      .argument('<node>', 'UUID or name')
      .option('--driver <driver>', 'hardware type'),
  ).addHelpText('after', SET_HELP);
  return command.action(async (node: string, options: FieldOptions) => {
    const values = readFields(options);
    checkChanges(pathsOf(values));
    await withConnection(command, async (connection) => {
      const request = { node, values, updateMask: { paths: pathsOf(values) } };
      const updated = await connection.nodes.updateNode(request);
      await warnOfDriverInfo(connection, updated.node!, options.driverInfo ?? []);
    });
  });
}

/** `passthru node unset`. */
export function unsetCommand(): Command {
  const command = new Command('unset')
    .description("Remove a node's fields")
    .argument('<node>', 'UUID or name')
    .option('--name', 'the name')
    .option('--description', 'the description')
    .option('--vendor-interface', "reset the vendor interface to the driver's default")
    .addOption(repeatedOption('--driver-info <key>', 'a key of driver_info; repeatable'))
    .addOption(repeatedOption('--extra <key>', 'a key of extra; repeatable'))
    .addOption(repeatedOption('--property <key>', 'a key of properties; repeatable'));
  return command.action(async (node: string, options: { readonly [field: string]: true | string[] }) => {
    await update(command, [node], {}, pathsOf(options));
  });
}

/** `passthru node maintenance set|unset`. */
export function maintenanceCommand(): Command {
  const paths = ['maintenance', 'maintenance_reason'];
  const set = new Command('set')
    .description('Put nodes into maintenance')
    .argument('<node...>', 'UUIDs or names')
    .option('--reason <text>', 'reason');
  set.action((idents: string[], { reason }: { reason?: string }) =>
    update(set, idents, { maintenance: true, maintenanceReason: reason }, paths),
  );
  const unset = new Command('unset')
    .description('Take nodes out of maintenance')
    .argument('<node...>', 'UUIDs or names');
  unset.action((idents: string[]) => update(unset, idents, { maintenance: false }, paths));
  return new Command('maintenance')
    .description('Put nodes into maintenance, or take them out of it')
    .addCommand(set)
    .addCommand(unset);
}

async function update(
  command: Command,
  idents: string[],
  values: MessageInitShape<typeof NodeSchema>,
  paths: string[],
): Promise<void> {
  checkChanges(paths);
  await forEachNode(command, idents, async ({ nodes }, node) => {
    await nodes.updateNode({ node, values, updateMask: { paths } });
  });
}

function checkChanges(paths: readonly string[]): void {
  if (paths.length === 0) throw usageError('nothing to change: give at least one field');
}

/** Prints warnings for the keys of driver_info in `pairs` that the driver of `node` does not read. */
async function warnOfDriverInfo({ drivers }: Connection, node: Node, pairs: readonly string[]): Promise<void> {
  if (pairs.length === 0) return;
  const { driver } = await drivers.getDriver({ driver: node.driver });
  const given = pairs.map((pair) => pair.slice(0, pair.indexOf('=')));
  for (const warning of unreadKeys(node.driver, Object.keys(driver?.properties ?? {}), given)) {
    console.error(`warning: ${warning}`);
  }
}

function addFieldOptions(command: Command): Command {
  return command
    .option('--name <name>', 'unique name')
    .option('--vendor-interface <interface>', "vendor interface (default: the driver's default)")
    .option('--description <text>', 'description of the node')
    .addOption(repeatedOption('--driver-info <key=value>', 'connection settings for the driver; repeatable'))
    .addOption(repeatedOption('--extra <key=value>', 'additional data about the node; repeatable'))
    .addOption(repeatedOption('--property <key=value>', 'property of the machine; repeatable'));
}

function readFields({ driverInfo, extra, property, name, driver, vendorInterface, description }: FieldOptions) {
  return {
    name,
    driver,
    vendorInterface,
    description,
    driverInfo: readAttributes('--driver-info', driverInfo ?? []),
    extra: readAttributes('--extra', extra ?? []),
    properties: readAttributes('--property', property ?? []),
  };
}

/** The path in an update mask of each field, named as the contract or the option names it. */
const PATHS = new Map([
  ['name', 'name'],
  ['driver', 'driver'],
  ['vendorInterface', 'vendor_interface'],
  ['description', 'description'],
  ['driverInfo', 'driver_info'],
  ['extra', 'extra'],
  ['properties', 'properties'],
  ['property', 'properties'],
]);

/** Returns the paths of `fields`: for an object or a list of keys one for each key. */
function pathsOf(fields: { readonly [field: string]: unknown }): string[] {
  return Object.entries(fields).flatMap(([field, value]) => {
    const path = PATHS.get(field)!;
    if (typeof value !== 'object') return value === undefined ? [] : [path];
    const keys = Array.isArray(value) ? value : Object.keys(value as object);
    return keys.map((key) => `${path}.${key}`);
  });
}

const CREATE_HELP = `
A value is parsed as JSON if valid; secrets are always strings. @FILE stands for the content of a file, which keeps
passwords out of the process list.

Example:
  passthru node create --driver redfish --name rf-7 --driver-info redfish_address=https://bmc-7.example \\
    --driver-info redfish_username=operator --driver-info redfish_password=@password.txt`;

const SET_HELP = `
Example:
  passthru node set rf-7 --driver-info redfish_verify_ca=false --description 'rack 7, unit 12'`;
