// `passthru apply`: makes the nodes of a service what a file says.
import { Command } from 'commander';
import { type NodeEntry, readNodesFile } from '../../config/nodesFile.ts';
import { ConfigError, suggestion } from '../../config/problems.ts';
import { type Connection, collectPages, withConnection } from '../connection.ts';
import { unreadKeys } from '../driverKeys.ts';
import { CommandFailure, EXIT_STATUS, usageError } from '../exitStatus.ts';
import { toCommandFailure } from '../failure.ts';
import { nameNodes } from '../nodeNames.ts';
import { addOutputOptions, type OutputOptions, printListing } from '../print/output.ts';
import { changesOf, findNode } from './nodeChanges.ts';

interface ApplyOptions extends OutputOptions {
  file: string;
  dryRun?: boolean;
  prune?: boolean;
}

/** What happened to a node, or would happen to it. */
type Action =
  | ('created' | 'updated' | 'unchanged' | 'deleted')
  | ('create' | 'update' | 'delete')
  | ('failed' | 'not tried');

interface Outcome {
  node: string;
  /** Null for a node that is not enrolled. */
  uuid: string | null;
  action: Action;
  details: string;
  /** Of a failed node. */
  status?: number;
}

/** `passthru apply`. */
export function applyCommand(): Command {
  const command = new Command('apply')
    .description('Enrol and update the nodes that a file names, and leave all others alone')
    .requiredOption('-f, --file <file>', 'nodes file (YAML); - = standard input')
    .option('--dry-run', 'show what would be done without changing anything')
    .option('--prune', 'also delete the nodes that the file does not name, if no node of the file failed')
    .addHelpText('after', HELP);
  return addOutputOptions(command, 'table', '', '--format <format>').action(async (options: ApplyOptions) => {
    const entries = readEntries(options);
    const outcomes: Outcome[] = [];
    // The error that ended the work early; the nodes until then are still listed.
    let ended: CommandFailure | null = null;
    await withConnection(command, async (connection, server) => {
      const apply = await prepare(connection, options.dryRun === true);
      for (const entry of entries) {
        try {
          outcomes.push(await apply(entry));
        } catch (error) {
          const failure = await nameNodes(toCommandFailure(error, server), connection.nodes, []);
          outcomes.push({ ...identOf(entry), action: 'failed', details: briefly(failure), status: failure.status });
          if (failure.status !== EXIT_STATUS.unreachable && failure.status !== EXIT_STATUS.timedOut) continue;
          ended = failure;
          return;
        }
      }
      if (options.prune && outcomes.every(({ action }) => action !== 'failed')) {
        outcomes.push(...(await prune(connection, outcomes, options.dryRun === true)));
      }
    });
    for (const entry of entries.slice(outcomes.length)) {
      outcomes.push({ ...identOf(entry), action: 'not tried', details: '' });
    }
    const rows = outcomes.map(({ node, uuid, action, details }) => [node, uuid, action, details]);
    const columns = ['Node', 'UUID', 'Action', 'Details'];
    const narrow = ['Node', 'Action', 'Details', 'UUID'];
    await printListing({ columns, rows, narrow, empty: 'The file names no nodes.' }, options);
    console.error(summary(outcomes, options.dryRun === true));
    if (ended !== null) throw ended;
    const statuses = new Set(outcomes.flatMap(({ status }) => status ?? []));
    if (statuses.size === 0) return;
    const count = outcomes.filter(({ action }) => action === 'failed').length;
    const [status = EXIT_STATUS.failed] = statuses.size === 1 ? statuses : [];
    throw new CommandFailure(status, `${count} of ${outcomes.length} nodes could not be made what the file says`);
  });
}

/** Returns the message of `failure` and who holds a locked node, without advice, which is the same for every node. */
function briefly({ message }: CommandFailure): string {
  return message
    .split('\n')
    .slice(0, 2)
    .map((line) => line.trim())
    .join('; ');
}

/** @throws CommandFailure with all faults of the file */
function readEntries({ file, prune }: ApplyOptions): NodeEntry[] {
  let entries: NodeEntry[];
  try {
    entries = readNodesFile(file === '-' ? '/dev/stdin' : file);
  } catch (error) {
    if (error instanceof ConfigError) throw usageError(`--file: ${error.message}`);
    throw error;
  }
  if (prune && entries.length === 0) throw usageError('--prune: the file names no nodes; it would delete all');
  return entries;
}

function identOf({ name, uuid }: NodeEntry): Pick<Outcome, 'node' | 'uuid'> {
  return { node: name ?? uuid ?? '', uuid: uuid ?? null };
}

/** Returns the function that applies an entry. Asks for the drivers first, which fails if no request can succeed. */
async function prepare(connection: Connection, dryRun: boolean): Promise<(entry: NodeEntry) => Promise<Outcome>> {
  const drivers = await collectPages('drivers', (page) => connection.drivers.listDrivers(page));
  const keysOf = new Map(drivers.map(({ name, properties }) => [name, Object.keys(properties)]));
  const notesOn = ({ driver, driver_info: info = {} }: NodeEntry) =>
    unreadKeys(driver, keysOf.get(driver) ?? [], Object.keys(info));

  const applied = new Set<string>();
  return async (entry) => {
    if (!keysOf.has(entry.driver)) {
      const message = `unknown driver "${entry.driver}"; ${suggestion(entry.driver, [...keysOf.keys()])}`;
      throw new CommandFailure(EXIT_STATUS.failed, message);
    }
    const found = await findNode(connection, entry);
    if (found !== null && applied.has(found.uuid)) {
      throw new CommandFailure(EXIT_STATUS.failed, `another entry of the file is the same node, ${found.uuid}`);
    }
    if (found !== null) applied.add(found.uuid);
    const notes = notesOn(entry);
    if (found === null) {
      const { uuid } = dryRun ? { uuid: entry.uuid ?? null } : await createNode(connection, entry);
      return { ...identOf(entry), uuid, action: dryRun ? 'create' : 'created', details: notes.join('; ') };
    }
    const { paths, secrets, values, holder } = changesOf(entry, found);
    const node = found.name || found.uuid;
    const done = [...paths, ...(holder === null ? [] : ['reservation'])];
    const report = (action: Action, changed: string[], more: string[] = []): Outcome => {
      const details = [changed.join(', '), ...more, ...notes].filter((text) => text !== '');
      return { node, uuid: found.uuid, action, details: details.join('; ') };
    };
    const uncertain = secrets.map((path) => `${path} is not compared, as secrets are not shown`);
    if (dryRun) return report(done.length > 0 ? 'update' : 'unchanged', done, uncertain);
    const locked = found.reservation?.holder;
    if (paths.length === 0 && locked !== undefined && secrets.length > 0) {
      // Sending them to see whether they differ needs the lock.
      return report('unchanged', [], [`${secrets.join(', ')} not compared, as ${locked} holds the node`]);
    }
    if (paths.length + secrets.length > 0) {
      const request = { node: found.uuid, values, updateMask: { paths: [...paths, ...secrets] } };
      const { node: after } = await connection.nodes.updateNode(request);
      // An update that changes nothing leaves the time as it is.
      if (
        after?.updateTime?.seconds !== found.updateTime?.seconds ||
        after?.updateTime?.nanos !== found.updateTime?.nanos
      ) {
        if (paths.length === 0) done.push(...secrets);
      }
    }
    if (holder !== null) await lockNode(connection, found.uuid, holder);
    return report(done.length > 0 ? 'updated' : 'unchanged', done);
  };
}

async function createNode(connection: Connection, entry: NodeEntry): Promise<{ uuid: string }> {
  const { driver_info: driverInfo, vendor_interface: vendorInterface, reservation, ...fields } = entry;
  const { node } = await connection.nodes.createNode({ node: { ...fields, driverInfo, vendorInterface } });
  if (reservation !== undefined) await lockNode(connection, node!.uuid, reservation);
  return { uuid: node!.uuid };
}

async function lockNode({ nodes }: Connection, node: string, holder: string): Promise<void> {
  await nodes.lockNode({ node, holder, lockWait: { seconds: 0n, nanos: 0 } });
}

/** Deletes the nodes that are not among `kept`. */
async function prune(connection: Connection, kept: readonly Outcome[], dryRun: boolean): Promise<Outcome[]> {
  const uuids = new Set(kept.map(({ uuid }) => uuid));
  const all = await collectPages('nodes', (page) => connection.nodes.listNodes(page));
  const outcomes: Outcome[] = [];
  for (const { uuid, name } of all.filter((node) => !uuids.has(node.uuid))) {
    if (!dryRun) await connection.nodes.deleteNode({ node: uuid });
    outcomes.push({ node: name || uuid, uuid, action: dryRun ? 'delete' : 'deleted', details: 'not in the file' });
  }
  return outcomes;
}

/** Returns `3 nodes: 1 created, 2 unchanged`. */
function summary(outcomes: readonly Outcome[], dryRun: boolean): string {
  const counts = new Map<Action, number>();
  for (const { action } of outcomes) counts.set(action, (counts.get(action) ?? 0) + 1);
  const parts = [...counts].map(
    ([action, count]) => `${count} ${dryRun && action !== 'unchanged' ? `to ${action}` : action}`,
  );
  return `${outcomes.length} nodes: ${parts.join(', ')}${dryRun ? '; nothing was changed' : ''}`;
}

const HELP = `
The file has the format of the service's nodes_file:
  nodes:
    - name: rf-7
      driver: redfish
      driver_info: { redfish_address: https://bmc-7.example, redfish_username: operator, redfish_password: "…" }
      description: rack 7, unit 12

A node is found by its uuid, else by its name, and enrolled if there is none. Of an enrolled node only what the file names is
changed: other fields, and other keys of driver_info, extra and properties, stay. Applying a file again changes nothing.

Examples:
  passthru apply -f nodes.yaml --dry-run
  passthru apply -f nodes.yaml
  sops decrypt nodes.yaml | passthru apply -f - --format json

Exit status: 0 all nodes are as the file says, or with --dry-run would be; otherwise that of the failures if they agree, as 4 when
nodes are locked, else 1; 2 the file is invalid, and nothing was changed.`;
