import { isJsonObject } from '../../core/json.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { isNotFound } from '../errors.ts';
import { linkPaths, optionalLinkPath, samePath, textOf } from '../links.ts';
import { getCollection } from './collection.ts';
import { getServiceRoot } from './serviceRoot.ts';
import type { ComputerSystem } from './system.ts';

/** A Manager (DSP2046) as far as it is used. */
export interface Manager {
  path: string;
  /** `BMC`, `ManagementController`, `EnclosureManager` and so on; null where unknown. */
  managerType: string | null;
  firmwareVersion: string | null;
  /** The collection of virtual media, where it is under the manager (deprecated in 2020.4). */
  virtualMedia: string | null;
  /** `Links.ManagerForServers`. */
  systems: string[];
}

/** Reads the manager at `path`. */
export async function getManager(client: RedfishClient, path: string, options: RequestOptions): Promise<Manager> {
  const document = await client.get(path, options);
  const links = isJsonObject(document.Links) ? document.Links : {};
  return {
    path,
    managerType: textOf(document, 'ManagerType'),
    firmwareVersion: textOf(document, 'FirmwareVersion'),
    virtualMedia: optionalLinkPath(document.VirtualMedia, client.origin),
    systems: linkPaths(links.ManagerForServers, client.origin),
  };
}

/**
 * Returns the managers of `system`: those it links to; where it links to none (the captured iDRAC 9), those that link to it,
 * and failing that the BMC's only one. Broken links are skipped.
 */
export async function managersOf(
  client: RedfishClient,
  system: ComputerSystem,
  options: RequestOptions,
): Promise<Manager[]> {
  const read = async (paths: string[]): Promise<Manager[]> => {
    const managers = await Promise.all(
      paths.map((path) =>
        getManager(client, path, options).catch((error: unknown) => {
          if (isNotFound(error)) return null;
          throw error;
        }),
      ),
    );
    return managers.filter((manager) => manager !== null);
  };
  if (system.managers.length > 0) return read(system.managers);
  const root = await getServiceRoot(client, options);
  if (root.managers === null) return [];
  const all = await read((await getCollection(client, root.managers, options)).members.map(({ path }) => path));
  const linking = all.filter(({ systems }) => systems.some((path) => samePath(path, system.path)));
  return linking.length > 0 || all.length > 1 ? linking : all;
}
