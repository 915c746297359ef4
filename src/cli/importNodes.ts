import { Command, Option } from 'commander';
import type { JsonObject } from '../core/json.ts';
import { type Connection, collectPages, withConnection } from './connection.ts';
import { CommandFailure, EXIT_STATUS, usageError } from './exitStatus.ts';
import { toCommandFailure } from './failure.ts';
import { openSecrets, type SecretSource } from './importSecrets.ts';
import { type IronicNode, maskedPaths, readIronicNodes } from './ironicNodes.ts';
import { readText } from './keyValues.ts';
import { addOutputOptions, type OutputOptions, printListing } from './output.ts';
import { requestRest } from './rest.ts';
import { basicCredentials, type Server, serverUrl } from './server.ts';

interface ImportOptions extends OutputOptions {
  from: string;
  osToken?: string;
  osUsername?: string;
  osPassword?: string;
  secrets?: string;
  dryRun?: boolean;
}

/** What became of a node, or would. */
interface Outcome {
  action: 'enrol' | 'enrolled' | 'left' | 'failed';
  details: string;
  /** True for a node that is not here in the end, or not as it was. */
  amiss: boolean;
}

/** What is here already, and what can be. */
interface Target {
  byUuid: Set<string>;
  /** The UUID of the node that has a name. */
  byName: Map<string, string>;
  /** The vendor interfaces of each driver. */
  drivers: Map<string, readonly string[]>;
}

/** `passthru import`. */
export function importCommand(): Command {
  const command = new Command('import')
    .description('Enrol the nodes of a running Ironic. Nodes that are here already are left as they are')
    .requiredOption('--from <url>', "Ironic's address")
    .addOption(new Option('--os-token <token>', 'a token that Ironic takes, or @FILE').env('OS_TOKEN'))
    .option('--os-username <name>', 'the user, for an Ironic with HTTP Basic')
    .option('--os-password <text>', 'the password of that user, or @FILE')
    .option('--secrets <file>', 'what Ironic does not tell (******): a YAML file, see below. Else it is asked for')
    .option('--dry-run', 'show what would be enrolled, and change nothing')
    .addHelpText('after', HELP);
  return addOutputOptions(command).action(async (options: ImportOptions) => {
    const secrets = openSecrets(options.secrets ?? null);
    const nodes = await readIronicNodes(sourceOf(options));
    const outcomes = await withConnection(command, async (connection, server) => {
      const target = await readTarget(connection);
      const done: Outcome[] = [];
      for (const node of nodes) {
        const why = whyNot(node, target);
        if (why !== null) done.push(why);
        else if (options.dryRun) done.push(plan(node, secrets));
        else done.push(await enrol(node, secrets, connection, server));
      }
      return done;
    });
    const columns = ['UUID', 'Name', 'Driver', 'Action', 'Details'];
    const rows = nodes.map(({ uuid, name, driver }, index) => {
      const { action, details } = outcomes[index]!;
      return [uuid, name, driver, action, details];
    });
    await printListing({ columns, rows }, options);
    const amiss = outcomes.filter((outcome) => outcome.amiss).length;
    if (amiss > 0) {
      const what = options.dryRun ? 'would not be enrolled as they are in Ironic' : 'are not enrolled as in Ironic';
      throw new CommandFailure(EXIT_STATUS.failed, `${amiss} of ${nodes.length} nodes ${what}`);
    }
  });
}

function sourceOf({ from, osToken, osUsername, osPassword }: ImportOptions): Server {
  const headers: Record<string, string> = {};
  if (osToken !== undefined) headers['x-auth-token'] = readText('--os-token', osToken);
  else if (osUsername !== undefined) {
    if (osPassword === undefined) throw usageError('--os-username: --os-password is wanted too');
    headers.authorization = basicCredentials(osUsername, readText('--os-password', osPassword));
  }
  // As people give it to Ironic's own clients.
  return { url: serverUrl(from, '--from').replace(/\/v1$/, ''), headers, tls: {} };
}

async function readTarget({ nodes, drivers }: Connection): Promise<Target> {
  const all = Number.POSITIVE_INFINITY;
  const enrolled = await collectPages(all, async (pageSize, pageToken) => {
    const page = await nodes.listNodes({ pageSize, pageToken });
    return { items: page.nodes, nextPageToken: page.nextPageToken };
  });
  const served = await collectPages(all, async (pageSize, pageToken) => {
    const page = await drivers.listDrivers({ pageSize, pageToken });
    return { items: page.drivers, nextPageToken: page.nextPageToken };
  });
  return {
    byUuid: new Set(enrolled.map(({ uuid }) => uuid)),
    byName: new Map(enrolled.filter(({ name }) => name !== '').map(({ name, uuid }) => [name, uuid])),
    drivers: new Map(served.map(({ name, enabledVendorInterfaces }) => [name, enabledVendorInterfaces])),
  };
}

/** Why `node` is left; null when it can be enrolled. */
function whyNot({ uuid, name, driver, vendorInterface }: IronicNode, target: Target): Outcome | null {
  const left = (details: string, amiss: boolean): Outcome => ({ action: 'left', details, amiss });
  if (target.byUuid.has(uuid)) return left('is here already', false);
  const other = name === null ? undefined : target.byName.get(name);
  if (other !== undefined) return left(`its name is that of ${other} here`, true);
  const interfaces = target.drivers.get(driver);
  if (interfaces === undefined) return left(`the driver ${driver} is not served here`, true);
  if (vendorInterface !== null && !interfaces.includes(vendorInterface)) {
    return left(`the vendor interface ${vendorInterface} of ${driver} is not served here`, true);
  }
  return null;
}

/** What would be enrolled, by its fields; secrets are not shown. */
function plan(node: IronicNode, secrets: SecretSource): Outcome {
  const missing = secretKeys(node).filter((key) => secrets.find(node, key) === null);
  const { driver_info: driverInfo = {}, uuid: _u, name: _n, driver: _d, ...others } = node.document;
  const fields = [
    ...Object.keys(driverInfo as JsonObject).map((key) => `driver_info.${key}`),
    ...Object.keys(others),
    ...(node.maintenance ? ['maintenance'] : []),
  ];
  const details = [
    `with ${fields.join(', ')}`,
    ...(node.reservation === null ? [] : [`held by ${node.reservation}`]),
    ...(missing.length === 0 ? [] : [`asks for ${missing.join(', ')}`]),
  ];
  return { action: 'enrol', details: details.join('; '), amiss: false };
}

async function enrol(node: IronicNode, secrets: SecretSource, { nodes }: Connection, server: Server): Promise<Outcome> {
  const { uuid, reservation, maintenance, maintenanceReason } = node;
  const document = structuredClone(node.document);
  for (const path of maskedPaths(document.driver_info ?? null)) {
    const key = path.join('.');
    const value = await secrets.findOrAsk(node, key);
    if (value === null) return { action: 'left', details: `${key} is wanted: --secrets names a file`, amiss: true };
    setMember(document.driver_info as JsonObject, path, value);
  }
  let enrolled = false;
  try {
    // By REST: it keeps fields that the contract's Node has not.
    await requestRest(server, 'POST', '/v1/nodes', document);
    enrolled = true;
    if (maintenance) {
      const body: JsonObject = maintenanceReason === null ? {} : { reason: maintenanceReason };
      await requestRest(server, 'PUT', `/v1/nodes/${uuid}/maintenance`, body);
    }
    if (reservation === null) return { action: 'enrolled', details: '', amiss: false };
    await nodes.lockNode({ node: uuid, holder: reservation, lockWait: { seconds: 0n, nanos: 0 } });
    return { action: 'enrolled', details: `held by ${reservation} until "passthru node unlock"`, amiss: false };
  } catch (error) {
    const { status, message } = toCommandFailure(error, server.url);
    // The others would fare no better.
    if (status === EXIT_STATUS.unreachable) throw error;
    return { action: enrolled ? 'enrolled' : 'failed', details: message, amiss: true };
  }
}

function secretKeys({ document }: IronicNode): string[] {
  return maskedPaths(document.driver_info ?? null).map((path) => path.join('.'));
}

/** Sets what stands at `path`, which is there. */
function setMember(target: JsonObject, path: readonly string[], value: string): void {
  let container = target;
  for (const key of path.slice(0, -1)) container = container[key] as JsonObject;
  container[path.at(-1)!] = value;
}

const HELP = `
What Ironic shows as ****** comes from the file of --secrets: by node (UUID or name, or "*" for every other), the keys of
driver_info and their values. What the file has not is asked for on a terminal; else the node is left.
  rf-7: { redfish_password: "…" }
  "*": { redfish_password: "…" }

A node that Ironic has reserved is held here likewise, until "passthru node unlock". The status is 1 when a node could not
be enrolled.

Examples:
  passthru import --from http://ironic.example:6385 --dry-run
  passthru import --from http://ironic.example:6385 --os-token @token.txt --secrets secrets.yaml`;
