import { isJsonObject } from '../../core/json.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { linkPaths, optionalLinkPath, textOf } from '../links.ts';
import { getCollection } from './collection.ts';
import { confirmDiscovered, getServiceRoot } from './serviceRoot.ts';

/** A ComputerSystem (DSP2046) as far as it is used. A string or path is null where the BMC has none. */
export interface ComputerSystem {
  path: string;
  id: string | null;
  manufacturer: string | null;
  model: string | null;
  serialNumber: string | null;
  biosVersion: string | null;
  /** The collection of virtual media, where it is under the system (Redfish 2020.4 and newer). */
  virtualMedia: string | null;
  /** `Links.ManagedBy`. */
  managers: string[];
}

/** Returns the paths of the systems behind the BMC; empty when it has none. */
export async function listSystems(client: RedfishClient, options: RequestOptions): Promise<string[]> {
  const root = await getServiceRoot(client, options);
  if (root.systems === null) return [];
  return (await getCollection(client, root.systems, options)).members.map(({ path }) => path);
}

/**
 * Returns the path of the only system behind the BMC; requested once.
 * @throws kind `unsupported` when there is none, or more than one
 */
export async function findOnlySystem(client: RedfishClient, options: RequestOptions): Promise<string> {
  await confirmDiscovered(client, options);
  return client.discovered.get('only system', options.signal, async () => {
    const [only, ...others] = await listSystems(client, options);
    if (only === undefined) throw new RedfishError('unsupported', 'The BMC has no system', { url: client.origin });
    if (others.length === 0) return only;
    const message = `The BMC has several systems (${[only, ...others].join(', ')}); set redfish_system_id to one of them`;
    throw new RedfishError('unsupported', message, { url: client.origin });
  });
}

/** Reads the system at `path`. */
export async function getSystem(client: RedfishClient, path: string, options: RequestOptions): Promise<ComputerSystem> {
  const document = await client.get(path, options);
  const links = isJsonObject(document.Links) ? document.Links : {};
  return {
    path,
    id: textOf(document, 'Id'),
    manufacturer: textOf(document, 'Manufacturer'),
    model: textOf(document, 'Model'),
    serialNumber: textOf(document, 'SerialNumber'),
    biosVersion: textOf(document, 'BiosVersion'),
    virtualMedia: optionalLinkPath(document.VirtualMedia, client.origin),
    managers: linkPaths(links.ManagedBy, client.origin),
  };
}
