import { isDeepStrictEqual } from 'node:util';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import type { Node, NodeSchema } from '../../../gen/passthru/v1/node_pb.ts';
import type { NodeEntry } from '../../config/nodesFile.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { MASK } from '../../core/secrets.ts';
import type { Connection } from '../connection.ts';
import { CommandFailure, EXIT_STATUS } from '../exitStatus.ts';

/** What makes a node what an entry of a file says. */
interface Changes {
  /** The paths that differ, for an update mask. */
  paths: string[];
  /** The paths of values that the service masks, so that only it can tell whether they differ. */
  secrets: string[];
  values: MessageInitShape<typeof NodeSchema>;
  /** Whom to lock the node for; null when it is locked for them, or the entry does not say. */
  holder: string | null;
}

/**
 * Returns the node that `entry` means, by its UUID, else by its name; null when it is not enrolled.
 * @throws CommandFailure when the name is that of a node with another UUID
 */
export async function findNode({ nodes }: Connection, { uuid, name }: NodeEntry): Promise<Node | null> {
  const byUuid = uuid === undefined ? null : await getNode(nodes, uuid);
  if (byUuid !== null || name === undefined) return byUuid;
  const byName = await getNode(nodes, name);
  if (byName === null || uuid === undefined) return byName;
  const message = `the name ${name} is that of node ${byName.uuid}, and the file gives uuid ${uuid}`;
  throw new CommandFailure(EXIT_STATUS.failed, message);
}

async function getNode(nodes: Connection['nodes'], ident: string): Promise<Node | null> {
  try {
    return (await nodes.getNode({ node: ident })).node ?? null;
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return null;
    throw error;
  }
}

/**
 * Compares `entry` with `node`. Fields and keys that it does not name are not compared.
 * @throws CommandFailure when another holds the node for which the entry has a holder
 */
export function changesOf(entry: NodeEntry, node: Node): Changes {
  const paths: string[] = [];
  const secrets: string[] = [];
  const fields: [path: string, wanted: string | undefined, actual: string][] = [
    ['name', entry.name, node.name],
    ['driver', entry.driver, node.driver],
    ['vendor_interface', entry.vendor_interface, node.vendorInterface],
    ['description', entry.description, node.description],
  ];
  for (const [path, wanted, actual] of fields) if (wanted !== undefined && wanted !== actual) paths.push(path);
  const objects: [path: string, wanted: JsonObject | undefined, actual: JsonObject | undefined][] = [
    ['driver_info', entry.driver_info as JsonObject | undefined, node.driverInfo as JsonObject | undefined],
    ['extra', entry.extra as JsonObject | undefined, node.extra as JsonObject | undefined],
    ['properties', entry.properties as JsonObject | undefined, node.properties as JsonObject | undefined],
  ];
  for (const [path, wanted = {}, actual = {}] of objects) {
    for (const [key, value] of Object.entries(wanted)) {
      const present = Object.hasOwn(actual, key) ? actual[key]! : undefined;
      if (present !== undefined && isMasked(present)) secrets.push(`${path}.${key}`);
      else if (!isDeepStrictEqual(value, present)) paths.push(`${path}.${key}`);
    }
  }
  return {
    paths,
    secrets,
    values: {
      name: entry.name,
      driver: entry.driver,
      vendorInterface: entry.vendor_interface,
      description: entry.description,
      driverInfo: entry.driver_info as JsonObject | undefined,
      extra: entry.extra as JsonObject | undefined,
      properties: entry.properties as JsonObject | undefined,
    },
    holder: missingHolder(entry, node),
  };
}

function missingHolder({ reservation: wanted }: NodeEntry, { reservation }: Node): string | null {
  if (wanted === undefined || wanted === reservation?.holder) return null;
  if (reservation === undefined) return wanted;
  const message = `it is held by ${reservation.holder}, not by ${wanted} as in the file; passthru node unlock releases it`;
  throw new CommandFailure(EXIT_STATUS.locked, message);
}

/** Whether `value` holds a secret, or a URL with one, that the service does not show. */
function isMasked(value: Json): boolean {
  return JSON.stringify(value).includes(MASK);
}
