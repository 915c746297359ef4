import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';

/** A Redfish resource as JSON. Never changed in place: a change makes a new document. */
export type RedfishDocument = Readonly<JsonObject>;

/** Documents by path, as returned by `documentPath`. */
export type Documents = ReadonlyMap<string, RedfishDocument>;

/** The documents of one BMC: those shared by the fleet, overlaid with this BMC's changes. */
export class DocumentTree {
  readonly #shared: Documents;
  /** Null: deleted. */
  readonly #changes = new Map<string, RedfishDocument | null>();

  constructor(shared: Documents) {
    this.#shared = shared;
  }

  /** Returns the document at `path`, or undefined. */
  get(path: string): RedfishDocument | undefined {
    const changed = this.#changes.get(path);
    return changed === null ? undefined : (changed ?? this.#shared.get(path));
  }

  /** Returns the unchanged document of the profile at `path`. */
  original(path: string): RedfishDocument | undefined {
    return this.#shared.get(path);
  }

  /** Stores `document` at `path`, and in the collection above if that holds its members inline (iDRAC). */
  set(path: string, document: RedfishDocument): void {
    const updated = withNewEtag(document);
    this.#changes.set(path, updated);
    const isCopy = (member: Json) => isInline(member) && linkPath(member) === path;
    if (membersOf(this.get(parentPath(path))).some(isCopy)) {
      this.#setMembers(parentPath(path), (all) =>
        all.map((member) => (linkPath(member) === path ? { ...updated } : member)),
      );
    }
  }

  /** Stores `document` at `path` and adds it to the collection above. */
  addMember(path: string, document: RedfishDocument): void {
    this.set(path, document);
    this.#setMembers(parentPath(path), (members) => [...members, { '@odata.id': path }]);
  }

  /** Deletes the document at `path`, and removes it from the collection above. */
  removeMember(path: string): void {
    this.#changes.set(path, null);
    this.#setMembers(parentPath(path), (members) => members.filter((member) => linkPath(member) !== path));
  }

  /** Discards this BMC's changes. */
  reset(): void {
    this.#changes.clear();
  }

  #setMembers(path: string, change: (members: Json[]) => Json[]): void {
    const collection = this.get(path);
    if (!collection || !Array.isArray(collection.Members)) return;
    this.#changes.set(path, withNewEtag(withMembers(collection, change(collection.Members))));
  }
}

/**
 * Returns the key of the document at `target` (a request's target or an `@odata.id`): without query, fragment and
 * trailing slashes, each segment percent-decoded. Null when it is not a path, or has an invalid segment such as `..`
 * or one with an encoded slash.
 */
export function documentPath(target: string): string | null {
  if (!target.startsWith('/')) return null;
  const path = target.replace(/[?#].*$/s, '').replace(/(?<!\/)\/+$/, '');
  let segments: string[];
  try {
    segments = path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return null;
  }
  const invalid = (segment: string) => ['', '.', '..'].includes(segment) || segment.includes('/');
  return segments.some(invalid) ? null : `/${segments.join('/')}`;
}

/** Returns the path of the resource or collection that holds `path`. */
export function parentPath(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** Returns the last segment of `path`: a member's Id. */
export function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Returns the path that a link such as `{"@odata.id": "/redfish/v1/Systems"}` leads to; null for anything else. */
export function linkPath(value: Json | undefined): string | null {
  const id = isJsonObject(value) ? value['@odata.id'] : undefined;
  return typeof id === 'string' ? documentPath(id) : null;
}

/** Returns the entries of a collection's `Members`; none for any other document. */
export function membersOf(collection: RedfishDocument | undefined): Json[] {
  return Array.isArray(collection?.Members) ? collection.Members : [];
}

/** Returns the paths of a collection's members; none for any other document. */
export function memberPaths(collection: RedfishDocument | undefined): string[] {
  return membersOf(collection)
    .map(linkPath)
    .filter((path) => path !== null);
}

/** Returns `collection` with other members. */
export function withMembers(collection: RedfishDocument, members: Json[]): RedfishDocument {
  return { ...collection, Members: members, 'Members@odata.count': members.length };
}

/** Returns `object` without the properties `names`. */
export function without<T>(object: Readonly<Record<string, T>>, ...names: string[]): Record<string, T> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)));
}

/** Whether an entry of `Members` holds the resource itself rather than a link to it. */
export function isInline(member: Json): member is JsonObject {
  return isJsonObject(member) && Object.keys(member).some((key) => key !== '@odata.id');
}

/** Returns the type without version, such as `EventService`; null without `@odata.type` or document. */
export function documentType(document: RedfishDocument | undefined): string | null {
  const type = document?.['@odata.type'];
  return typeof type === 'string' ? (/^#([^.]+)\./.exec(type)?.[1] ?? null) : null;
}

/** A document as it is sent. */
interface Rendering {
  text: string;
  /** The `ETag` header: the document's own `@odata.etag`, or a strong one made from its text. */
  etag: string;
}

const renderings = new WeakMap<RedfishDocument, Rendering>();

/** Returns `document` as text, with its ETag. Made once for each document, as documents do not change. */
export function render(document: RedfishDocument): Rendering {
  let rendering = renderings.get(document);
  if (!rendering) {
    const text = JSON.stringify(document);
    const etag = document['@odata.etag'];
    rendering = { text, etag: typeof etag === 'string' ? etag : `"${fingerprint(text)}"` };
    renderings.set(document, rendering);
  }
  return rendering;
}

/** A document that holds its ETag (iLO) gets a new one, weak if the old one was. */
function withNewEtag(document: RedfishDocument): RedfishDocument {
  const { '@odata.etag': etag, ...rest } = document;
  if (typeof etag !== 'string') return document;
  const weak = etag.startsWith('W/') ? 'W/' : '';
  return { ...document, '@odata.etag': `${weak}"${fingerprint(JSON.stringify(rest))}"` };
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8).toUpperCase();
}
