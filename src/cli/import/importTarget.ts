import { isDeepStrictEqual } from 'node:util';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import type { Json, JsonObject } from '../../core/json.ts';
import { isNodeName, isUuid } from '../../core/node.ts';
import { type Connection, collectPages } from '../connection.ts';
import { type IronicNode, maskedPaths } from './ironicNodes.ts';

/** What is here already, and what can be. */
export interface Target {
  byUuid: Map<string, Node>;
  /** The UUID of the node that has a name. */
  byName: Map<string, string>;
  /** The vendor interfaces of each driver. */
  drivers: Map<string, readonly string[]>;
}

/** Why a node is not enrolled. */
export interface Left {
  details: string;
  /** True unless the node is here already. */
  amiss: boolean;
}

export async function readTarget({ nodes, drivers }: Connection): Promise<Target> {
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
    byUuid: new Map(enrolled.map((node) => [node.uuid, node])),
    byName: new Map(enrolled.filter(({ name }) => name !== '').map(({ name, uuid }) => [name, uuid])),
    drivers: new Map(served.map(({ name, enabledVendorInterfaces }) => [name, enabledVendorInterfaces])),
  };
}

/** Why `node` is left; null when it can be enrolled. */
export function whyLeft(node: IronicNode, target: Target): Left | null {
  const { uuid, name, driver, vendorInterface } = node;
  const left = (details: string): Left => ({ details, amiss: true });
  const here = target.byUuid.get(uuid.toLowerCase());
  if (here !== undefined) {
    const differences = differencesOf(node, here);
    const details = differences.length === 0 ? '' : `; not as in Ironic: ${differences.join(', ')}`;
    return { details: `is here already${details}`, amiss: false };
  }
  if (!isUuid(uuid)) return left('its UUID is none');
  if (name !== null && !isNodeName(name)) return left('its name cannot be one here');
  const other = name === null ? undefined : target.byName.get(name);
  if (other !== undefined) return left(`its name is that of ${other} here`);
  const interfaces = target.drivers.get(driver);
  if (interfaces === undefined) return left(`the driver ${driver} is not served here`);
  if (vendorInterface !== null && !interfaces.includes(vendorInterface)) {
    return left(`the vendor interface ${vendorInterface} of ${driver} is not served here`);
  }
  return null;
}

/** The fields, of those that calls depend on, in which the node that is here is another than `node`. Secrets are not compared. */
function differencesOf(node: IronicNode, here: Node): string[] {
  const driverInfo = (node.document.driver_info ?? {}) as JsonObject;
  const masked = new Set(maskedPaths(driverInfo).map(([key]) => key!));
  const keys = new Set([...Object.keys(driverInfo), ...Object.keys(here.driverInfo ?? {})]);
  const pairs: [string, Json | undefined, Json | undefined][] = [
    ['name', node.name, here.name === '' ? null : here.name],
    ['driver', node.driver, here.driver],
    ['vendor_interface', node.vendorInterface ?? here.vendorInterface, here.vendorInterface],
    ['maintenance', node.maintenance, here.maintenance],
    ['reservation', node.reservation, here.reservation?.holder ?? null],
    ...[...keys]
      .filter((key) => !masked.has(key))
      .map((key): [string, Json | undefined, Json | undefined] => {
        return [`driver_info.${key}`, driverInfo[key], here.driverInfo?.[key] as Json | undefined];
      }),
  ];
  return pairs.filter(([, there, own]) => !isDeepStrictEqual(there, own)).map(([field]) => field);
}
