import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { Profile, Quirk } from './bmc.ts';
import { type Blueprint, type OfferedAction, ROOT } from './bmc.ts';
import type { Documents, RedfishDocument } from './documents.ts';
import { documentPath, documentType, isInline, lastSegment, linkPath, membersOf, parentPath } from './documents.ts';
import { collection } from './profiles/documentParts.ts';

/**
 * Makes the blueprint of a fleet: completes the profile's documents, applies the quirks, and finds the services.
 * It adds what captures often lack: documents of members that are inline in their collection, links to services
 * and virtual media, and empty collections of sessions and subscriptions.
 * @param sessionTimeout in milliseconds
 * @param added quirks besides those of the profile
 */
export function makeBlueprint(profile: Profile, sessionTimeout: number, added: readonly Quirk[] = []): Blueprint {
  const quirks = [...(profile.quirks ?? []), ...added];
  const documents = new Map(profile.documents);
  for (const document of profile.documents.values()) addInlineMembers(documents, document);
  for (const quirk of quirks) quirk.changeDocuments?.(documents);
  if (!profile.verbatim) for (const path of [...documents.keys()]) addLink(documents, path);

  const eventService = findByType(documents, 'EventService');
  // A capture has no document of an event service that was closed to the account.
  const subscriptions = eventService
    ? (linkPath(documents.get(eventService)?.Subscriptions) ?? `${eventService}/Subscriptions`)
    : findByType(documents, 'EventDestinationCollection');
  if (subscriptions && !documents.has(subscriptions)) {
    documents.set(...collection(subscriptions, 'EventDestination', 'Event Subscriptions Collection', []));
  }

  const sessionService = findByType(documents, 'SessionService');
  const links = documents.get(ROOT)?.Links;
  const sessions =
    (isJsonObject(links) ? linkPath(links.Sessions) : null) ??
    (sessionService && linkPath(documents.get(sessionService)?.Sessions));
  if (sessions && !documents.has(sessions)) {
    documents.set(...collection(sessions, 'Session', 'Session Collection', []));
  }
  if (sessionService) {
    const document = documents.get(sessionService);
    documents.set(sessionService, { ...document, SessionTimeout: Math.max(1, Math.round(sessionTimeout / 1000)) });
  }

  const actions = new Map<string, OfferedAction>();
  for (const [path, document] of documents) addActions(actions, path, document);
  return { profile, quirks, documents, actions, sessions, eventService, subscriptions };
}

function addInlineMembers(documents: Map<string, RedfishDocument>, collection: RedfishDocument): void {
  for (const member of membersOf(collection)) {
    const path = linkPath(member);
    if (path && isInline(member) && !documents.has(path)) documents.set(path, member);
  }
}

/** Documents that the document above links under their own name. */
const LINKED_BY_NAME = new Set(['EventService', 'SessionService', 'VirtualMedia']);

function addLink(documents: Map<string, RedfishDocument>, path: string): void {
  const name = lastSegment(path);
  const above = documents.get(parentPath(path));
  if (!LINKED_BY_NAME.has(name) || !above || name in above || Array.isArray(above.Members)) return;
  documents.set(parentPath(path), { ...above, [name]: { '@odata.id': path } });
}

/** By type, because a capture may lack the document that links to a service. */
function findByType(documents: Documents, type: string): string | null {
  for (const [path, document] of documents) if (documentType(document) === type) return path;
  return null;
}

/** An action is any `#Name` with a target: under `Actions`, or deeper or under `Oem` (vendors, iLO). */
function addActions(actions: Map<string, OfferedAction>, resource: string, value: Json | RedfishDocument): void {
  if (Array.isArray(value)) {
    for (const item of value) if (!isInline(item) || !('@odata.id' in item)) addActions(actions, resource, item);
  } else if (isJsonObject(value)) {
    for (const [key, entry] of Object.entries(value)) {
      const target =
        key.startsWith('#') && isJsonObject(entry) && typeof entry.target === 'string' ? entry.target : null;
      const path = target && documentPath(target);
      if (path) actions.set(path, { name: key.slice(1), resource, entry: entry as JsonObject });
      else addActions(actions, resource, entry);
    }
  }
}
