import type { JsonObject } from '../core/json.ts';
import type { Discovered } from './discovered.ts';
import { objectOf, optionalLinkPath, textOf } from './links.ts';

/** The service root (DSP2046, ServiceRoot) as far as it is used. A path is null where the BMC has no such resource. */
export interface ServiceRoot {
  systems: string | null;
  managers: string | null;
  eventService: string | null;
  /** The session collection. */
  sessions: string | null;
  /** Whether sessions are linked, directly or by a SessionService. */
  hasSessions: boolean;
  vendor: string | null;
  uuid: string | null;
  /** Null where the BMC sends none. */
  etag: string | null;
  /** Whether it was read without credentials; some BMCs show less then. */
  anonymous: boolean;
}

/** The key of the service root in `Discovered`. */
export const SERVICE_ROOT_KEY = 'service root';

/** Stores the current service root; drops everything else when it shows another BMC or another firmware. */
export function recordServiceRoot(discovered: Discovered, root: ServiceRoot): void {
  const before = discovered.peek<ServiceRoot>(SERVICE_ROOT_KEY);
  if (before !== undefined && hasChanged(before, root)) discovered.forget();
  discovered.set(SERVICE_ROOT_KEY, root);
  discovered.confirmed();
}

/** Whether the UUID or the ETag has changed, of which only what both readers see is compared. */
function hasChanged(before: ServiceRoot, now: ServiceRoot): boolean {
  if (before.anonymous === now.anonymous) return before.uuid !== now.uuid || before.etag !== now.etag;
  return before.uuid !== null && now.uuid !== null && before.uuid !== now.uuid;
}

/**
 * Reads a service root's document.
 * @param etag of the header; null when there was none
 * @param anonymous whether it was read without credentials
 */
export function readServiceRoot(
  document: JsonObject,
  etag: string | null,
  origin: string,
  anonymous: boolean,
): ServiceRoot {
  const sessions = optionalLinkPath(objectOf(document, 'Links').Sessions, origin);
  return {
    systems: optionalLinkPath(document.Systems, origin),
    managers: optionalLinkPath(document.Managers, origin),
    eventService: optionalLinkPath(document.EventService, origin),
    sessions,
    hasSessions: sessions !== null || optionalLinkPath(document.SessionService, origin) !== null,
    vendor: textOf(document, 'Vendor'),
    uuid: textOf(document, 'UUID'),
    etag: etag ?? textOf(document, '@odata.etag'),
    anonymous,
  };
}
