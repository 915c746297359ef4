import type { JsonObject } from '../core/json.ts';
import type { Discovered } from './discovered.ts';
import { objectOf, optionalLinkPath, ownLinkPath, textOf } from './links.ts';

/** The services and collections that a service root links to, as far as they are used. */
export const SERVICES = ['Systems', 'Managers', 'EventService', 'TaskService', 'JobService', 'Registries'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** The service root (DSP2046, ServiceRoot) as far as it is used. */
export interface ServiceRoot {
  /** The paths that it links to; others may exist without a link. See `findService`. */
  services: Partial<Record<ServiceName, string>>;
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

/** Returns the property of the service root that links to a service. */
export function rootKey(name: ServiceName): string {
  return name === 'TaskService' ? 'Tasks' : name;
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
  const linked = SERVICES.map((name) => [name, ownLinkPath(document[rootKey(name)], origin)] as const);
  return {
    services: Object.fromEntries(linked.filter(([, path]) => path !== null)),
    sessions,
    hasSessions: sessions !== null || optionalLinkPath(document.SessionService, origin) !== null,
    vendor: textOf(document, 'Vendor'),
    uuid: textOf(document, 'UUID'),
    etag: etag ?? textOf(document, '@odata.etag'),
    anonymous,
  };
}
