import type { RedfishClient } from '../client.ts';
import { ifFound, RedfishError } from '../errors.ts';
import { linkPaths, objectOf, optionalLinkPath, samePath, textOf } from '../links.ts';
import { getCollection } from './collection.ts';
import { confirmDiscovered, getServiceRoot } from './serviceRoot.ts';

/** The key of the BMC's only system in `Discovered`. */
export const ONLY_SYSTEM_KEY = 'only system';

/** A ComputerSystem (DSP2046) as far as it is used. A string or path is null where the BMC has none. */
export interface ComputerSystem {
  path: string;
  manufacturer: string | null;
  model: string | null;
  serialNumber: string | null;
  biosVersion: string | null;
  /** The collection of virtual media, where it is under the system (Redfish 2020.4 and newer). */
  virtualMedia: string | null;
  /** `Links.ManagedBy`. */
  managers: string[];
}

/** A Manager (DSP2046) as far as it is used. */
export interface Manager {
  path: string;
  firmwareVersion: string | null;
  /** The collection of virtual media, where it is under the manager (deprecated in 2020.4). */
  virtualMedia: string | null;
  /** `Links.ManagerForServers`. */
  systems: string[];
}

/** Returns the paths of the systems behind the BMC; empty when it has none. */
export async function listSystems(client: RedfishClient): Promise<string[]> {
  const root = await getServiceRoot(client);
  if (root.systems === null) return [];
  return (await getCollection(client, root.systems)).members.map(({ path }) => path);
}

/**
 * Returns the path of the only system behind the BMC; requested once.
 * @throws kind `unsupported` when there is none, or more than one
 */
export async function findOnlySystem(client: RedfishClient): Promise<string> {
  await confirmDiscovered(client);
  return client.discovered.get(ONLY_SYSTEM_KEY, client.signal, async () => {
    const [only, ...others] = await listSystems(client);
    if (only === undefined) throw new RedfishError('unsupported', 'The BMC has no system', { url: client.origin });
    if (others.length === 0) return only;
    const message = `The BMC has several systems (${[only, ...others].join(', ')}); set redfish_system_id to one of them`;
    throw new RedfishError('unsupported', message, { url: client.origin });
  });
}

/** Reads the system at `path`. */
export async function getSystem(client: RedfishClient, path: string): Promise<ComputerSystem> {
  const document = await client.get(path);
  return {
    path,
    manufacturer: textOf(document, 'Manufacturer'),
    model: textOf(document, 'Model'),
    serialNumber: textOf(document, 'SerialNumber'),
    biosVersion: textOf(document, 'BiosVersion'),
    virtualMedia: optionalLinkPath(document.VirtualMedia, client.origin),
    managers: linkPaths(objectOf(document, 'Links').ManagedBy, client.origin),
  };
}

async function getManager(client: RedfishClient, path: string): Promise<Manager> {
  const document = await client.get(path);
  return {
    path,
    firmwareVersion: textOf(document, 'FirmwareVersion'),
    virtualMedia: optionalLinkPath(document.VirtualMedia, client.origin),
    systems: linkPaths(objectOf(document, 'Links').ManagerForServers, client.origin),
  };
}

/**
 * Returns the managers of `system`: those it links to; where it links to none (the captured iDRAC 9), those that link to it,
 * and failing that the BMC's only one. Broken links are skipped.
 */
export async function managersOf(client: RedfishClient, system: ComputerSystem): Promise<Manager[]> {
  const read = async (paths: string[]): Promise<Manager[]> => {
    const managers = await Promise.all(paths.map((path) => ifFound(getManager(client, path))));
    return managers.filter((manager) => manager !== null);
  };
  if (system.managers.length > 0) return read(system.managers);
  const root = await getServiceRoot(client);
  if (root.managers === null) return [];
  const all = await read((await getCollection(client, root.managers)).members.map(({ path }) => path));
  const linking = all.filter(({ systems }) => systems.some((path) => samePath(path, system.path)));
  return linking.length > 0 || all.length > 1 ? linking : all;
}
