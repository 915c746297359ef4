import { Command, Option } from 'commander';
import type { Json, JsonObject } from '../core/json.ts';
import { collectPages, forEachNode, printsListing, printsRecord, withConnection } from './connection.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { createCommand, maintenanceCommand, setCommand, unsetCommand } from './nodeFields.ts';
import { lockCommand, renewCommand, unlockCommand } from './nodeLock.ts';
import { NODE_UUID } from './nodeNames.ts';
import { nodeListing, nodeRecord } from './nodeRecord.ts';
import { limitOption } from './options.ts';
import { passthruCommand } from './passthru.ts';
import { addOutputOptions, Cell, type OutputOptions, printListing } from './print/output.ts';
import { serverOf } from './server.ts';
import { vmediaCommand } from './vmedia.ts';
import { watchAllNodes } from './watchMany.ts';

/** `passthru node …`. */
export function nodeCommand(): Command {
  return new Command('node')
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(createCommand())
    .addCommand(setCommand())
    .addCommand(unsetCommand())
    .addCommand(deleteCommand())
    .addCommand(maintenanceCommand())
    .addCommand(validateCommand())
    .addCommand(lockCommand())
    .addCommand(renewCommand())
    .addCommand(unlockCommand())
    .addCommand(vmediaCommand())
    .addCommand(watchCommand())
    .addCommand(passthruCommand('node'));
}

interface ListOptions {
  driver?: string;
  maintenance?: boolean;
  limit?: number;
  long?: boolean;
}

function listCommand(): Command {
  const command = new Command('list')
    .description('List nodes in order of enrolment')
    .option('--driver <driver>', 'only nodes with this driver')
    .option('--maintenance', 'only nodes in maintenance')
    .option('--no-maintenance', 'only nodes not in maintenance')
    .addOption(limitOption('nodes', 'all'))
    .option('--long', 'show all columns');
  return printsListing<ListOptions>(command, async ({ nodes }, _, { driver, maintenance, limit, long = false }) => {
    const found = await collectPages('nodes', (page) => nodes.listNodes({ ...page, driver, maintenance }), limit);
    const filter = [
      ...(driver === undefined ? [] : [`with driver ${driver}`]),
      ...(maintenance === undefined ? [] : [maintenance ? 'in maintenance' : 'not in maintenance']),
    ];
    return nodeListing(found, long, filter.length === 0 ? 'No nodes.' : `No nodes ${filter.join(', ')}.`);
  });
}

function showCommand(): Command {
  const command = new Command('show').description('Show a node').argument('<node>', 'UUID or name');
  return printsRecord(command, async ({ nodes }, node) => nodeRecord((await nodes.getNode({ node })).node!));
}

function deleteCommand(): Command {
  const command = new Command('delete').description('Remove nodes').argument('<node...>', 'UUIDs or names');
  return command.action(async (idents: string[]) => {
    await forEachNode(command, idents, async ({ nodes }, node) => {
      await nodes.deleteNode({ node });
      console.log(`Deleted node ${node}`);
    });
  });
}

function validateCommand(): Command {
  const command = new Command('validate')
    .description('Check whether the vendor interface can manage a node; exit status 1 if not')
    .argument('<node>', 'UUID or name');
  return addOutputOptions(command).action(async (node: string, options: OutputOptions) => {
    // The contract has no such RPC; Ironic's REST on the same port does. Loaded here, since other commands do not need it.
    const { requestRest } = await import('./rest.ts');
    const path = `/v1/nodes/${encodeURIComponent(node)}/validate`;
    const found = (await requestRest(await serverOf(command), 'GET', path)) as Record<string, JsonObject>;
    const interfaces = Object.entries(found);
    // The reason has the UUID, as that of Ironic does; tables say what the user said.
    const shown = (reason: Json) =>
      new Cell(typeof reason === 'string' ? reason.replaceAll(NODE_UUID, `node ${node}`) : 'None', reason);
    const rows = interfaces.map(([name, { result = null, reason = null }]) => [name, result, shown(reason)]);
    const columns = ['Interface', 'Result', 'Reason'];
    await printListing({ columns, rows, empty: `Node ${node} has no interfaces.` }, options);
    if (interfaces.some(([, { result }]) => result !== true)) {
      throw new CommandFailure(EXIT_STATUS.failed, `node ${node} is not valid`);
    }
  });
}

function watchCommand(): Command {
  const command = new Command('watch')
    .description('Print the current nodes, then every change, until Ctrl-C; with -f json, one JSON object a line')
    .argument('[nodes...]', 'only these nodes (UUIDs or names)')
    .option('--driver <driver>', 'only nodes with this driver')
    .addOption(new Option('-f, --format <format>', 'output format').choices(['text', 'json']).default('text'));
  return command.action(async (nodes: string[], { driver, format }: { driver?: string; format: string }) => {
    await withConnection(command, (connection) => watchAllNodes(connection, { nodes, driver }, format === 'json'));
  });
}
