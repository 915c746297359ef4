import type { RedfishClient } from '../client.ts';
import { confirmDiscovered } from './serviceRoot.ts';
import { findOnlySystem } from './system.ts';
import { type MediaListing, MediaSearch, requireDevice } from './virtualMedia.ts';

/**
 * Returns the virtual media devices of the system at `systemPath`, or of the BMC's only system when that is null. A device that
 * is listed under the system and under its manager is returned once.
 * @throws kind `unsupported` when there are no virtual media; the BMC's words when none could be read
 */
export async function listMedia(client: RedfishClient, systemPath: string | null): Promise<MediaListing> {
  await confirmDiscovered(client);
  const system = systemPath ?? (await findOnlySystem(client));
  const listing = await new MediaSearch(client, system).all();
  requireDevice(client, listing, listing.devices, null);
  return listing;
}
