import { isDeepStrictEqual } from 'node:util';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { isNodeName, isUuid } from '../../core/node.ts';
import { type Connection, collectPages } from '../connection.ts';
import { type IronicNode, maskedPaths } from './ironicNodes.ts';

/** The nodes and drivers of this service. */
export interface Target {
  byUuid: Map<string, Node>;
  /** The UUIDs of nodes by name. */
  byName: Map<string, string>;
  /** The vendor interfaces of each driver. */
  drivers: Map<string, readonly string[]>;
}

/** The reason why a node is not enrolled. */
interface SkipReason {
  details: string;
  /** False when the node is enrolled already. */
  failed: boolean;
}

export async function readTarget({ nodes, drivers }: Connection): Promise<Target> {
  const enrolled = await collectPages('nodes', (page) => nodes.listNodes(page));
  const served = await collectPages('drivers', (page) => drivers.listDrivers(page));
  return {
    byUuid: new Map(enrolled.map((node) => [node.uuid, node])),
    byName: new Map(enrolled.filter(({ name }) => name !== '').map(({ name, uuid }) => [name, uuid])),
    drivers: new Map(served.map(({ name, enabledVendorInterfaces }) => [name, enabledVendorInterfaces])),
  };
}

/** Returns why `node` is skipped; null when it can be enrolled. */
export function skipReason(node: IronicNode, target: Target): SkipReason | null {
  const { uuid, name, driver, vendorInterface } = node;
  const skip = (details: string): SkipReason => ({ details, failed: true });
  const enrolled = target.byUuid.get(uuid.toLowerCase());
  if (enrolled !== undefined) {
    const differences = differencesOf(node, enrolled);
    const details = differences.length === 0 ? '' : `; differs from Ironic in ${differences.join(', ')}`;
    return { details: `already enrolled${details}`, failed: false };
  }
  if (!isUuid(uuid)) return skip('invalid UUID');
  if (name !== null && !isNodeName(name)) return skip('invalid name');
  const other = name === null ? undefined : target.byName.get(name);
  if (other !== undefined) return skip(`its name is already used by node ${other}`);
  const interfaces = target.drivers.get(driver);
  if (interfaces === undefined) return skip(`unknown driver ${driver}`);
  if (vendorInterface !== null && !interfaces.includes(vendorInterface)) {
    return skip(`unknown vendor interface ${vendorInterface} of ${driver}`);
  }
  return null;
}

/** Returns the fields relevant to calls in which the enrolled node differs from `node`. Secrets are not compared. */
function differencesOf(node: IronicNode, enrolled: Node): string[] {
  const driverInfo = (node.document.driver_info ?? {}) as JsonObject;
  const masked = new Set(maskedPaths(driverInfo).map(([key]) => key!));
  const keys = new Set([...Object.keys(driverInfo), ...Object.keys(enrolled.driverInfo ?? {})]);
  const pairs: [string, Json | undefined, Json | undefined][] = [
    ['name', node.name, enrolled.name === '' ? null : enrolled.name],
    ['driver', node.driver, enrolled.driver],
    ['vendor_interface', node.vendorInterface ?? enrolled.vendorInterface, enrolled.vendorInterface],
    ['maintenance', node.maintenance, enrolled.maintenance],
    ['reservation', node.reservation, enrolled.reservation?.holder ?? null],
  ];
  for (const key of keys) {
    if (masked.has(key)) continue;
    pairs.push([`driver_info.${key}`, driverInfo[key], enrolled.driverInfo?.[key] as Json | undefined]);
  }
  return pairs.filter(([, theirs, ours]) => !isDeepStrictEqual(theirs, ours)).map(([field]) => field);
}
