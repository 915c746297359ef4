import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { linkPaths, objectOf, ownLinkPath, samePath, textOf } from '../links.ts';
import { type Collection, getCollection } from './collection.ts';
import { confirmDiscovered, findService } from './serviceRoot.ts';
import { asUnreadable, type Parts, patientFor, readParts } from './unreadable.ts';

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
export async function listSystems(client: RedfishClient): Promise<Parts<string>> {
  const { members = [], unreadable = [] } = (await systemCollection(client)) ?? {};
  return { values: members.map(({ path }) => path), unreadable };
}

/**
 * Returns the path of the only system behind the BMC; requested once.
 * @throws kind `unsupported` when there is none, or more than one
 */
export async function findOnlySystem(client: RedfishClient): Promise<string> {
  await confirmDiscovered(client);
  return client.discovered.get(ONLY_SYSTEM_KEY, client.signal, async () => {
    const systems = await systemCollection(client);
    const [only, ...others] = systems?.members ?? [];
    const [unreadable] = systems?.unreadable ?? [];
    if (only === undefined && unreadable !== undefined) throw unreadable.error;
    if (only === undefined) throw new RedfishError('unsupported', 'The BMC has no system', { url: client.origin });
    if (others.length === 0 && systems?.complete) return only.path;
    const paths = [only, ...others].map(({ path }) => path);
    const message = `The BMC has several systems (${paths.join(', ')}); set redfish_system_id to one of them`;
    throw new RedfishError('unsupported', message, { url: client.origin });
  });
}

async function systemCollection(client: RedfishClient): Promise<Collection | null> {
  const path = await findService(client, 'Systems');
  return path === null ? null : getCollection(client, path);
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
    virtualMedia: ownLinkPath(document.VirtualMedia, client.origin),
    managers: linkPaths(objectOf(document, 'Links').ManagedBy, client.origin),
  };
}

async function getManager(client: RedfishClient, path: string): Promise<Manager> {
  const document = await client.get(path);
  return {
    path,
    firmwareVersion: textOf(document, 'FirmwareVersion'),
    virtualMedia: ownLinkPath(document.VirtualMedia, client.origin),
    systems: linkPaths(objectOf(document, 'Links').ManagerForServers, client.origin),
  };
}

/**
 * Returns the managers of `system`: those it links to; where it links to none (the captured iDRAC 9), those that link to it,
 * and failing that the BMC's only one. Broken links are skipped.
 * @param needed whether nothing can be done without any; see `readParts`
 */
export async function managersOf(
  client: RedfishClient,
  system: ComputerSystem,
  needed: boolean,
): Promise<Parts<Manager>> {
  if (system.managers.length > 0) return readManagers(client, system.managers, needed);
  let place = `${client.root}Managers`;
  try {
    const reader = needed ? client : patientFor(client);
    const path = await findService(reader, 'Managers');
    if (path === null) return { values: [], unreadable: [] };
    place = path;
    const { members, unreadable: links } = await getCollection(reader, path);
    const paths = members.map((member) => member.path);
    const { values, unreadable } = await readManagers(client, paths, needed);
    const linking = values.filter(({ systems }) => systems.some((one) => samePath(one, system.path)));
    const only = values.length + unreadable.length === 1 ? values : [];
    return { values: linking.length > 0 ? linking : only, unreadable: [...links, ...unreadable] };
  } catch (error) {
    return { values: [], unreadable: [asUnreadable(client, place, error)] };
  }
}

async function readManagers(client: RedfishClient, paths: string[], needed: boolean): Promise<Parts<Manager>> {
  const distinct = paths.filter((path, index) => paths.findIndex((other) => samePath(path, other)) === index);
  const { values, unreadable } = await readParts(client, distinct, (path) => path, getManager, needed);
  return { values, unreadable: unreadable.filter(({ error }) => !isNotFound(error)) };
}
