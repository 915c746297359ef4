import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RedfishClient, RequestOptions } from './client.ts';
import { optionalLinkPath } from './paths.ts';

/** What is used of the service root (DSP2046, ServiceRoot). A path is null where the BMC has no such resource. */
export interface ServiceRoot {
  systems: string | null;
  managers: string | null;
  eventService: string | null;
  /** The session collection. */
  sessions: string | null;
  vendor: string | null;
}

/** Under this key a conversation knows its service root. */
export const SERVICE_ROOT_KEY = 'service root';

/** The service root; asked once, as a rule by the log-in. */
export async function getServiceRoot(client: RedfishClient, options: RequestOptions): Promise<ServiceRoot> {
  await client.logIn(options.signal);
  return client.known.get(SERVICE_ROOT_KEY, options.signal, async () =>
    readServiceRoot(await client.get(client.root, options), client.origin),
  );
}

/** Reads a service root's document. */
export function readServiceRoot(document: JsonObject, origin: string): ServiceRoot {
  const links = isJsonObject(document.Links) ? document.Links : {};
  return {
    systems: optionalLinkPath(document.Systems, origin),
    managers: optionalLinkPath(document.Managers, origin),
    eventService: optionalLinkPath(document.EventService, origin),
    sessions: optionalLinkPath(links.Sessions, origin),
    vendor: typeof document.Vendor === 'string' ? document.Vendor : null,
  };
}
