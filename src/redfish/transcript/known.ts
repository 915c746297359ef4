import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import type { RedfishError } from '../errors.ts';
import { rootKey, SERVICE_ROOT_KEY, type ServiceName, type ServiceRoot } from '../identity.ts';
import { EVENT_SERVICE_KEY, type EventService } from '../resources/eventService.ts';
import { type KnownMedia, knownMedia } from '../resources/knownMedia.ts';
import { knownService } from '../resources/serviceRoot.ts';
import { ONLY_SYSTEM_KEY } from '../resources/system.ts';

/**
 * Returns a function that describes what is known of a BMC now, whenever it is called: how to reach and to log in to it, and
 * what was discovered, as the documents from which a fresh client discovers the same. A call on a BMC that is known reads none
 * of them, so that its replay needs them.
 * @param systemPath the system that the call names; null for the BMC's only one
 */
export function describeKnown(client: RedfishClient, systemPath: string | null): () => JsonObject {
  const { origin, root, loginState: login, authType } = client;
  const discovered = client.discovered.snapshot();
  return () => {
    const { byPath: documents, unreadable } = documentsOf(discovered, root);
    return { origin, root, system: systemPath, auth_type: authType, login, documents, unreadable };
  };
}

/** Returns Redfish documents by path with what `discovered` holds of them. */
function documentsOf(discovered: ReadonlyMap<string, unknown>, rootPath: string): Documents {
  const documents = new Documents();
  const root = discovered.get(SERVICE_ROOT_KEY) as ServiceRoot | undefined;
  if (root === undefined) return documents;
  documents.add(rootPath, rootMembers(root));
  const events = discovered.get(EVENT_SERVICE_KEY) as EventService | undefined;
  if (events !== undefined) {
    const { path, subscriptions, enabled, eventTypes } = events;
    documents.add(path, { Subscriptions: link(subscriptions) });
    if (enabled === false) documents.add(path, { ServiceEnabled: false });
    if (eventTypes !== null) documents.add(path, { EventTypesForSubscription: eventTypes });
  }
  const only = discovered.get(ONLY_SYSTEM_KEY) as string | undefined;
  const systems = knownService(discovered, root, 'Systems');
  if (only !== undefined && systems !== null) {
    documents.add(systems, { Members: [link(only)] });
    documents.add(only, {});
  }
  const media = knownMedia(discovered);
  // None but those with media, so that no others are searched.
  if (media.length > 0) {
    documents.add(knownService(discovered, root, 'Managers') ?? `${rootPath}Managers`, { Members: [] });
  }
  for (const each of media) addMedia(documents, each);
  return documents;
}

function rootMembers({ services, sessions, hasSessions, vendor, uuid, etag }: ServiceRoot): JsonObject {
  const linked = Object.entries(services).map(([name, path]) => [rootKey(name as ServiceName), link(path)] as const);
  return {
    ...Object.fromEntries(linked),
    ...(sessions === null ? {} : { Links: { Sessions: link(sessions) } }),
    ...(hasSessions && sessions === null ? { SessionService: link('/redfish/v1/SessionService') } : {}),
    ...(vendor === null ? {} : { Vendor: vendor }),
    ...(uuid === null ? {} : { UUID: uuid }),
    ...(etag === null ? {} : { '@odata.etag': etag }),
  };
}

/** Adds the devices with the collections that hold them, the system, and the managers that a collection may be under. */
function addMedia(documents: Documents, { system, collections, slots, searched, unreadable }: KnownMedia): void {
  documents.add(system.path, {});
  const managers = searched ? [] : [...system.managers];
  for (const { path, owner } of collections) {
    if (owner === 'system') documents.add(system.path, { VirtualMedia: link(path) });
    else {
      // Its real path is not kept; it need only lead to its collection.
      const manager = path.replace(/\/[^/]+\/?$/, '');
      documents.add(manager, { VirtualMedia: link(path) });
      managers.push(manager);
    }
    const members = slots.filter((slot) => slot.collection === path);
    const entries = members.map(({ path: at, id, mediaTypes, inline }) => {
      const device = { '@odata.id': at, Id: id, MediaTypes: mediaTypes, Inserted: false };
      if (!inline) documents.add(at, device);
      return inline ? device : link(at);
    });
    const closed = unreadable.filter((part) => part.path.startsWith(`${path.replace(/\/$/, '')}/`));
    documents.add(path, { Members: [...entries, ...closed.map((part) => link(part.path))] });
  }
  for (const { path, error } of unreadable) {
    documents.fail(path, error);
    if (!collections.some((place) => path.startsWith(place.path))) managers.push(path);
  }
  if (managers.length > 0) documents.add(system.path, { Links: { ManagedBy: [...new Set(managers)].map(link) } });
}

class Documents {
  readonly byPath: { [path: string]: JsonObject } = {};
  /** The status and the body of what the BMC does not return, by path. */
  readonly unreadable: { [path: string]: JsonObject } = {};

  /** Adds members to the document at `path`. */
  add(path: string, members: JsonObject): void {
    this.byPath[path] = { '@odata.id': path, ...this.byPath[path], ...members };
  }

  fail(path: string, { status, extendedInfo }: RedfishError): void {
    if (status < 400) return;
    this.unreadable[path] = { status, body: { error: { '@Message.ExtendedInfo': extendedInfo } } };
  }
}

function link(path: string): JsonObject {
  return { '@odata.id': path };
}
