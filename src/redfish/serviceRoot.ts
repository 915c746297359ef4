import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { RedfishClient, RequestOptions } from './client.ts';
import { optionalLinkPath } from './paths.ts';
import { textOf } from './system.ts';

/** What is used of the service root (DSP2046, ServiceRoot). A path is null where the BMC has no such resource. */
export interface ServiceRoot {
  systems: string | null;
  managers: string | null;
  eventService: string | null;
  /** The session collection. */
  sessions: string | null;
  /** Whether sessions are linked at all, directly or by a SessionService. */
  hasSessions: boolean;
  vendor: string | null;
  uuid: string | null;
  /** Of the document that was read; null where the BMC gives none. */
  etag: string | null;
}

/** Under this key a conversation knows its service root. */
export const SERVICE_ROOT_KEY = 'service root';

/** The service root; asked once, as a rule by the log-in. */
export async function getServiceRoot(client: RedfishClient, options: RequestOptions): Promise<ServiceRoot> {
  await client.logIn(options.signal);
  return client.known.get(SERVICE_ROOT_KEY, options.signal, async () => {
    const { document, headers } = await client.getAnswer(client.root, options);
    return readServiceRoot(document, headers.etag ?? null, client.origin);
  });
}

/** Whether `now` shows another BMC, or another firmware, than `before`: another UUID, or a changed ETag. */
export function isOtherRoot(before: ServiceRoot, now: ServiceRoot): boolean {
  return before.uuid !== now.uuid || before.etag !== now.etag;
}

/**
 * Reads a service root's document.
 * @param etag of the header; null when there was none
 */
export function readServiceRoot(document: JsonObject, etag: string | null, origin: string): ServiceRoot {
  const links = isJsonObject(document.Links) ? document.Links : {};
  const sessions = optionalLinkPath(links.Sessions, origin);
  return {
    systems: optionalLinkPath(document.Systems, origin),
    managers: optionalLinkPath(document.Managers, origin),
    eventService: optionalLinkPath(document.EventService, origin),
    sessions,
    hasSessions: sessions !== null || optionalLinkPath(document.SessionService, origin) !== null,
    vendor: textOf(document, 'Vendor'),
    uuid: textOf(document, 'UUID'),
    etag: etag ?? textOf(document, '@odata.etag'),
  };
}
