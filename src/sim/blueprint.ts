import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { Profile, Quirk } from './bmc.ts';
import { type Blueprint, type OfferedAction, ROOT } from './bmc.ts';
import type { Documents, RedfishDocument } from './documents.ts';
import { documentType, isInline, linkPath, memberPath } from './documents.ts';
import { documentPath, lastSegment, parentPath } from './path.ts';

/**
 * Reads off a profile's documents where the services are, and fills in what a capture often lacks: members that it
 * gives inside their collection only, links to services and virtual media that it has, and collections of sessions and
 * subscriptions that it has not. Then the quirks, the profile's and `added`, change what is theirs to change.
 * `sessionTimeout` is in milliseconds.
 */
export function makeBlueprint(profile: Profile, sessionTimeout: number, added: readonly Quirk[] = []): Blueprint {
  const quirks = [...(profile.quirks ?? []), ...added];
  const documents = new Map(profile.documents);
  for (const document of profile.documents.values()) addInlineMembers(documents, document);
  for (const quirk of quirks) quirk.shapes?.(documents);
  for (const path of [...documents.keys()]) addLink(documents, path);

  const eventService = findByType(documents, 'EventService');
  const subscriptions =
    eventService && (linkOf(documents, eventService, 'Subscriptions') ?? `${eventService}/Subscriptions`);
  if (subscriptions) addEmptyCollection(documents, subscriptions, 'EventDestination', 'Event Subscriptions Collection');

  const sessionService = findByType(documents, 'SessionService');
  const sessions = sessionsLink(documents) ?? (sessionService && linkOf(documents, sessionService, 'Sessions'));
  if (sessions) addEmptyCollection(documents, sessions, 'Session', 'Session Collection');
  if (sessionService) {
    const document = documents.get(sessionService);
    documents.set(sessionService, { ...document, SessionTimeout: Math.max(1, Math.round(sessionTimeout / 1000)) });
  }

  const actions = new Map<string, OfferedAction>();
  for (const [path, document] of documents) addActions(actions, path, document);
  return { profile, quirks, documents, actions, sessions, eventService, subscriptions };
}

/** The paths of a collection's members; none when there is no such collection. */
export function memberPaths(documents: Documents, collection: string | null): string[] {
  const members = collection ? documents.get(collection)?.Members : undefined;
  return Array.isArray(members) ? members.map(memberPath).filter((path) => path !== null) : [];
}

/** Where the service root's property `name` leads; null when it has none. */
export function rootLink(documents: Documents, name: string): string | null {
  return linkOf(documents, ROOT, name);
}

function addInlineMembers(documents: Map<string, RedfishDocument>, collection: RedfishDocument): void {
  if (!Array.isArray(collection.Members)) return;
  for (const member of collection.Members) {
    const path = memberPath(member);
    if (path && isInline(member) && !documents.has(path)) documents.set(path, member);
  }
}

/** Documents that are always linked from the one above, under their own name. */
const LINKED_BY_NAME = new Set(['EventService', 'SessionService', 'VirtualMedia']);

function addLink(documents: Map<string, RedfishDocument>, path: string): void {
  const name = lastSegment(path);
  const above = documents.get(parentPath(path));
  if (!LINKED_BY_NAME.has(name) || !above || name in above || Array.isArray(above.Members)) return;
  documents.set(parentPath(path), { ...above, [name]: { '@odata.id': path } });
}

function addEmptyCollection(documents: Map<string, RedfishDocument>, path: string, kind: string, name: string): void {
  if (documents.has(path)) return;
  documents.set(path, {
    '@odata.id': path,
    '@odata.type': `#${kind}Collection.${kind}Collection`,
    Name: name,
    Members: [],
    'Members@odata.count': 0,
  });
}

/** A capture need not hold the document that links to a service, so services are found by their type. */
function findByType(documents: Documents, type: string): string | null {
  for (const [path, document] of documents) if (documentType(document) === type) return path;
  return null;
}

function linkOf(documents: Documents, path: string, property: string): string | null {
  return linkPath(documents.get(path)?.[property]);
}

function sessionsLink(documents: Documents): string | null {
  const links = documents.get(ROOT)?.Links;
  return isJsonObject(links) ? linkPath(links.Sessions) : null;
}

/** Actions stand under `Actions`, those of a vendor deeper or under `Oem` (iLO): any `#Name` with a target is one. */
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
