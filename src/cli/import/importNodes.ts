// The import of nodes: reads those of a running Ironic and enrols them here.
import { Command } from 'commander';
import type { JsonObject } from '../../core/json.ts';
import { type Connection, withConnection } from '../connection.ts';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';
import { toCommandFailure } from '../failure.ts';
import { addOutputOptions, type OutputOptions, printListing } from '../print/output.ts';
import { requestRest } from '../rest.ts';
import type { Server } from '../server.ts';
import { openSecrets, type SecretSource } from './importSecrets.ts';
import { readTarget, skipReason, type Target } from './importTarget.ts';
import { type IronicNode, maskedPaths, readIronicNodes } from './ironicNodes.ts';
import { addSourceOptions, openSource } from './ironicSource.ts';

interface ImportOptions extends OutputOptions {
  secrets?: string;
  dryRun?: boolean;
}

/** The outcome for a node, actual or predicted. */
interface Outcome {
  action: 'enrol' | 'enrolled' | 'skipped' | 'failed' | 'not tried';
  details: string;
  /** Whether the node is not enrolled in the end, or not as it is in Ironic. */
  failed: boolean;
}

/** `passthru import`. */
export function importCommand(): Command {
  const command = addSourceOptions(
    new Command('import').description(
      'Enrol the nodes of a running Ironic. Nodes that are already enrolled are not changed',
    ),
  )
    .option(
      '--secrets <file>',
      'YAML file with the secrets that Ironic masks (******), see below; prompts for missing ones',
    )
    .option('--dry-run', 'show what would be enrolled without changing anything')
    .addHelpText('after', HELP);
  return addOutputOptions(command).action(async (options: ImportOptions) => {
    const secrets = openSecrets(options.secrets ?? null);
    const nodes = await readIronicNodes(await openSource(command));
    const outcomes: Outcome[] = [];
    // The error that ended the import early; the nodes until then are still listed.
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
          outcomes.push({ action: 'failed', details: ended.message.split('\n')[0]!, failed: true });
          return;
        }
      }
    });
    const columns = ['UUID', 'Name', 'Driver', 'Action', 'Details'];
    const rows = nodes.map(({ uuid, name, driver }, index) => {
      const { action, details } = outcomes[index] ?? NOT_TRIED;
      return [uuid, name, driver, action, details];
    });
    const narrow = ['UUID', 'Action', 'Details', 'Name', 'Driver'];
    await printListing({ columns, rows, narrow, empty: 'Ironic has no nodes.' }, options);
    if (ended !== null) throw ended;
    const failures = outcomes.filter((outcome) => outcome.failed).length;
    if (failures > 0) {
      const verb = options.dryRun ? 'would not be' : 'are not';
      const message = `${failures} of ${nodes.length} nodes ${verb} enrolled as they are in Ironic`;
      throw new CommandFailure(EXIT_STATUS.failed, message);
    }
  });
}

const NOT_TRIED: Outcome = { action: 'not tried', details: '', failed: true };

interface Work {
  secrets: SecretSource;
  connection: Connection;
  server: Server;
  dryRun: boolean;
}

/** @throws CommandFailure when the other nodes would fail too, or on Ctrl-C */
async function importNode(node: IronicNode, target: Target, work: Work): Promise<Outcome> {
  const reason = skipReason(node, target);
  if (reason !== null) return { action: 'skipped', ...reason };
  return work.dryRun ? plan(node, work.secrets) : enrol(node, work);
}

/** Describes what would be enrolled by its fields, without secrets. */
function plan(node: IronicNode, secrets: SecretSource): Outcome {
  const masked = maskedPaths(node.document.driver_info ?? null).map((path) => path.join('.'));
  const missing = masked.filter((key) => secrets.find(node, key) === null);
  const { driver_info: driverInfo = {}, uuid: _u, name: _n, driver: _d, ...others } = node.document;
  const fields = [
    ...Object.keys(driverInfo as JsonObject).map((key) => `driver_info.${key}`),
    ...Object.keys(others),
    ...(node.maintenance ? ['maintenance'] : []),
  ];
  const details = [
    `with ${fields.join(', ')}`,
    ...(node.reservation === null ? [] : [`held by ${node.reservation}`]),
    ...(missing.length === 0 ? [] : [`prompts for ${missing.join(', ')}`]),
  ];
  return { action: 'enrol', details: details.join('; '), failed: false };
}

async function enrol(node: IronicNode, { secrets, connection: { nodes }, server }: Work): Promise<Outcome> {
  const { uuid, reservation, maintenance, maintenanceReason } = node;
  const document = structuredClone(node.document);
  for (const path of maskedPaths(document.driver_info ?? null)) {
    const key = path.join('.');
    const value = await secrets.findOrPrompt(node, key);
    if (value === null)
      return { action: 'skipped', details: `missing ${key}; provide it with --secrets FILE`, failed: true };
    setMember(document.driver_info as JsonObject, path, value);
  }
  let enrolled = false;
  try {
    // By REST, which keeps fields that the contract's Node lacks.
    await requestRest(server, 'POST', '/v1/nodes', document);
    enrolled = true;
    if (maintenance) {
      const body: JsonObject = maintenanceReason === null ? {} : { reason: maintenanceReason };
      await requestRest(server, 'PUT', `/v1/nodes/${uuid}/maintenance`, body);
    }
    if (reservation === null) return { action: 'enrolled', details: '', failed: false };
    await nodes.lockNode({ node: uuid, holder: reservation, lockWait: { seconds: 0n, nanos: 0 } });
    return { action: 'enrolled', details: `held by ${reservation} until "passthru node unlock"`, failed: false };
  } catch (error) {
    const { status, message } = toCommandFailure(error, server);
    if (status === EXIT_STATUS.unreachable) throw error;
    return { action: enrolled ? 'enrolled' : 'failed', details: message, failed: true };
  }
}

/** Sets the existing member at `path`. */
function setMember(target: JsonObject, path: readonly string[], value: string): void {
  let container = target;
  for (const key of path.slice(0, -1)) container = container[key] as JsonObject;
  container[path.at(-1)!] = value;
}

const HELP = `
Secrets that Ironic shows as ****** are taken from the file of --secrets: for each node (UUID or name, or "*" for all
others) the keys of driver_info and their values. On a terminal, missing ones are prompted for; otherwise the node is
skipped.
  rf-7: { redfish_password: "…" }
  "*": { redfish_password: "…" }

A node that is reserved in Ironic is locked here by the same holder, until "passthru node unlock". The exit status is 1
when a node could not be enrolled.

Credentials for Ironic are given as to OpenStack's clients; an openrc file works.

Examples:
  passthru import --from http://ironic.example:6385 --dry-run
  passthru import --from https://ironic.example:6385 --os-cacert ca.pem --os-token @token.txt --secrets secrets.yaml
  . openrc; passthru import --from https://ironic.example:6385 --secrets secrets.yaml`;
