import { isJsonObject, type JsonObject } from '../core/json.ts';
import type { KnownPaths } from './discovered.ts';
import { optionalLinkPath, textOf } from './links.ts';

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
  /** Whether it was read without credentials; some BMCs show strangers less. */
  asStranger: boolean;
}

/** Under this key a conversation knows its service root. */
export const SERVICE_ROOT_KEY = 'service root';

/** Keeps a service root that was read just now; drops what is known when it shows another BMC, or another firmware. */
export function noteServiceRoot(known: KnownPaths, root: ServiceRoot): void {
  const before = known.peek<ServiceRoot>(SERVICE_ROOT_KEY);
  if (before !== undefined && isOther(before, root)) known.forget();
  known.set(SERVICE_ROOT_KEY, root);
  known.holds();
}

/** Another UUID, or a changed ETag; what is not told to both readers says nothing. */
function isOther(before: ServiceRoot, now: ServiceRoot): boolean {
  if (before.asStranger === now.asStranger) return before.uuid !== now.uuid || before.etag !== now.etag;
  return before.uuid !== null && now.uuid !== null && before.uuid !== now.uuid;
}

/**
 * Reads a service root's document.
 * @param etag of the header; null when there was none
 * @param asStranger whether it was read without credentials
 */
export function readServiceRoot(
  document: JsonObject,
  etag: string | null,
  origin: string,
  asStranger: boolean,
): ServiceRoot {
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
    asStranger,
  };
}
