import { Command } from 'commander';
import type { JsonObject } from '../../core/json.ts';
import { type Connection, withConnection } from '../connection.ts';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';
import { toCommandFailure } from '../failure.ts';
import { addOutputOptions, type OutputOptions, printListing } from '../print/output.ts';
import { requestRest } from '../rest.ts';
import type { Server } from '../server.ts';
import { openSecrets, type SecretSource } from './importSecrets.ts';
import { readTarget, type Target, whyLeft } from './importTarget.ts';
import { type IronicNode, maskedPaths, readIronicNodes } from './ironicNodes.ts';
import { addSourceOptions, openSource } from './ironicSource.ts';

interface ImportOptions extends OutputOptions {
  secrets?: string;
  dryRun?: boolean;
}

/** What became of a node, or would. */
interface Outcome {
  action: 'enrol' | 'enrolled' | 'left' | 'failed' | 'not tried';
  details: string;
  /** True for a node that is not here in the end, or not as it was. */
  amiss: boolean;
}

/** `passthru import`. */
export function importCommand(): Command {
  const command = addSourceOptions(
    new Command('import').description(
      'Enrol the nodes of a running Ironic. Nodes that are here already are left as they are',
    ),
  )
    .option('--secrets <file>', 'what Ironic does not tell (******): a YAML file, see below. Else it is asked for')
    .option('--dry-run', 'show what would be enrolled, and change nothing')
    .addHelpText('after', HELP);
  return addOutputOptions(command).action(async (options: ImportOptions) => {
    const secrets = openSecrets(options.secrets ?? null);
    const nodes = await readIronicNodes(await openSource(command));
    const outcomes: Outcome[] = [];
    // What ended it before the last node; what was done until then is told all the same.
    let ended: CommandFailure | null = null;
    await withConnection(command, async (connection, server) => {
      const target = await readTarget(connection);
      for (const node of nodes) {
        try {
          outcomes.push(
            await importNode(node, target, { secrets, connection, server, dryRun: options.dryRun === true }),
          );
        } catch (error) {
          ended = toCommandFailure(error, server);
          outcomes.push({ action: 'failed', details: ended.message.split('\n')[0]!, amiss: true });
          return;
        }
      }
    });
    const columns = ['UUID', 'Name', 'Driver', 'Action', 'Details'];
    const rows = nodes.map(({ uuid, name, driver }, index) => {
      const { action, details } = outcomes[index] ?? NOT_TRIED;
      return [uuid, name, driver, action, details];
    });
    await printListing({ columns, rows }, options);
    if (ended !== null) throw ended;
    const amiss = outcomes.filter((outcome) => outcome.amiss).length;
    if (amiss > 0) {
      const what = options.dryRun ? 'would not be enrolled as they are in Ironic' : 'are not enrolled as in Ironic';
      throw new CommandFailure(EXIT_STATUS.failed, `${amiss} of ${nodes.length} nodes ${what}`);
    }
  });
}

const NOT_TRIED: Outcome = { action: 'not tried', details: '', amiss: true };

interface Work {
  secrets: SecretSource;
  connection: Connection;
  server: Server;
  dryRun: boolean;
}

/** @throws CommandFailure when the other nodes would fare no better, or somebody has had enough */
async function importNode(node: IronicNode, target: Target, work: Work): Promise<Outcome> {
  const left = whyLeft(node, target);
  if (left !== null) return { action: 'left', ...left };
  return work.dryRun ? plan(node, work.secrets) : enrol(node, work);
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

async function enrol(node: IronicNode, { secrets, connection: { nodes }, server }: Work): Promise<Outcome> {
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
    const { status, message } = toCommandFailure(error, server);
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

Who asks Ironic is said as OpenStack's clients have it, so that an openrc file will do.

Examples:
  passthru import --from http://ironic.example:6385 --dry-run
  passthru import --from https://ironic.example:6385 --os-cacert ca.pem --os-token @token.txt --secrets secrets.yaml
  . openrc; passthru import --from https://ironic.example:6385 --secrets secrets.yaml`;
