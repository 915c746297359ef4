import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { bare, lastSegment, objectOf, textOf } from '../links.ts';
import { isDocument, type RecordedResponse, type Recording } from './recording.ts';
import type { Resource } from './scope.ts';

/** A virtual media device as the probe saw it. */
export interface SeenDevice {
  path: string;
  id: string;
  owner: 'system' | 'manager';
  types: string[];
  inserted: boolean;
  image: string | null;
  /** How it can be emptied; `none`: it has no action, and its `Allow` header no PATCH. */
  eject: 'action' | 'PATCH' | 'none';
}

/** The event service as the probe saw it. */
export interface SeenEvents {
  /** Null when its document could not be read. */
  document: JsonObject | null;
  /** Null when nothing was received. */
  status: number | null;
  /** Null when the collection could not be read. */
  subscriptions: number | null;
}

/** What a recording shows of a machine. */
export interface Machine {
  root: JsonObject | null;
  systems: JsonObject[];
  managers: JsonObject[];
  devices: SeenDevice[];
  /** Null when nothing is at the place that the service root links to, nor at the usual one. */
  events: SeenEvents | null;
  subscriptions: JsonObject[];
}

/** Reads a machine out of a recording. */
export function machineIn(recording: Recording): Machine {
  const documents = (resource: Resource) =>
    entriesOf(recording, resource).flatMap(([, response]) => (isDocument(response) ? [response.document] : []));
  return {
    root: documents('root')[0] ?? null,
    systems: documents('system'),
    managers: documents('manager'),
    devices: devicesIn(recording),
    events: eventsIn(recording),
    subscriptions: documents('subscription'),
  };
}

/** Returns the paths and responses of one kind of resource. */
export function entriesOf({ found, responses }: Recording, resource: Resource): [string, RecordedResponse][] {
  return [...responses].filter(([path]) => found.get(path)?.resource === resource);
}

function devicesIn(recording: Recording): SeenDevice[] {
  return entriesOf(recording, 'device').flatMap(([path, response]) => {
    const { from } = recording.found.get(path)!;
    const document = isDocument(response) ? response.document : inlineMember(recording, from, path);
    if (document === null) return [];
    const { resource: owner } = recording.found.get(recording.found.get(from)?.from ?? '') ?? { resource: 'system' };
    const image = textOf(document, 'Image');
    const { MediaTypes: types, Inserted: inserted } = document;
    return [
      {
        path,
        id: textOf(document, 'Id') ?? lastSegment(path),
        owner: owner === 'manager' ? ('manager' as const) : ('system' as const),
        types: Array.isArray(types) ? types.filter((type) => typeof type === 'string') : [],
        inserted: typeof inserted === 'boolean' ? inserted : image !== null,
        image,
        eject: ejectOf(document, response.headers.allow),
      },
    ];
  });
}

function inlineMember({ responses }: Recording, collection: string, path: string): JsonObject | null {
  const members = responses.get(collection)?.document?.Members;
  const isIt = (member: unknown): member is JsonObject =>
    isJsonObject(member) && bare(String(member['@odata.id'])) === path && Object.keys(member).length > 1;
  return (Array.isArray(members) ? members.find(isIt) : undefined) ?? null;
}

function ejectOf(document: JsonObject, allow: string | undefined): SeenDevice['eject'] {
  const { target } = objectOf(objectOf(document, 'Actions'), '#VirtualMedia.EjectMedia');
  if (typeof target === 'string' && target !== '') return 'action';
  return allow === undefined || /\bPATCH\b/i.test(allow) ? 'PATCH' : 'none';
}

function eventsIn(recording: Recording): SeenEvents | null {
  const [entry] = entriesOf(recording, 'events');
  if (entry === undefined) return { document: null, status: null, subscriptions: null };
  const [, response] = entry;
  if ([404, 410].includes(response.status)) return null;
  const [collection] = entriesOf(recording, 'subscriptions');
  const members = collection !== undefined && isDocument(collection[1]) ? collection[1].document.Members : null;
  return {
    document: isDocument(response) ? response.document : null,
    status: response.status,
    subscriptions: Array.isArray(members) ? members.length : null,
  };
}
