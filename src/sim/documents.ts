import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import { documentPath, parentPath } from './path.ts';

/** A Redfish resource as JSON. It is never changed in place: a change makes a new document. */
export type RedfishDocument = Readonly<JsonObject>;

/** Documents by path, as `documentPath` gives it. */
export type Documents = ReadonlyMap<string, RedfishDocument>;

/**
 * The documents of one BMC: those that all BMCs of a fleet share, and over them what this one has changed. A thousand
 * BMCs therefore hold their documents once, and what each changed.
 */
export class DocumentTree {
  readonly #shared: Documents;
  /** Null: deleted here. */
  readonly #own = new Map<string, RedfishDocument | null>();

  constructor(shared: Documents) {
    this.#shared = shared;
  }

  /** The document at `path`; undefined when there is none. */
  get(path: string): RedfishDocument | undefined {
    const own = this.#own.get(path);
    return own === null ? undefined : (own ?? this.#shared.get(path));
  }

  /** The document at `path` as the profile gives it, whatever has been changed since. */
  original(path: string): RedfishDocument | undefined {
    return this.#shared.get(path);
  }

  /** Puts `document` at `path`; a collection that holds its members inline (iDRAC) shows the new one. */
  set(path: string, document: RedfishDocument): void {
    const renewed = withNewEtag(document);
    this.#own.set(path, renewed);
    this.#replaceInline(path, renewed);
  }

  /** Puts `document` at `path` and lists it in the collection above. */
  addMember(path: string, document: RedfishDocument): void {
    this.set(path, document);
    this.#setMembers(parentPath(path), (members) => [...members, { '@odata.id': path }]);
  }

  /** Takes the document at `path` away, and from the collection above. */
  removeMember(path: string): void {
    this.#own.set(path, null);
    this.#setMembers(parentPath(path), (members) => members.filter((member) => memberPath(member) !== path));
  }

  /** Back to the documents of the profile. */
  reset(): void {
    this.#own.clear();
  }

  #setMembers(collectionPath: string, change: (members: Json[]) => Json[]): void {
    const collection = this.get(collectionPath);
    if (!collection || !Array.isArray(collection.Members)) return;
    const members = change(collection.Members);
    this.#own.set(
      collectionPath,
      withNewEtag({ ...collection, Members: members, 'Members@odata.count': members.length }),
    );
  }

  #replaceInline(path: string, document: RedfishDocument): void {
    const members = this.get(parentPath(path))?.Members;
    if (!Array.isArray(members) || !members.some((member) => isInline(member) && memberPath(member) === path)) return;
    this.#setMembers(parentPath(path), (all) =>
      all.map((member) => (memberPath(member) === path ? { ...document } : member)),
    );
  }
}

/** Where an entry of a collection's `Members` points; null when it points nowhere. */
export function memberPath(member: Json): string | null {
  const id = isJsonObject(member) ? member['@odata.id'] : undefined;
  return typeof id === 'string' ? documentPath(id) : null;
}

/** Whether an entry of `Members` holds the resource itself rather than a link to it. */
export function isInline(member: Json): member is JsonObject {
  return isJsonObject(member) && Object.keys(member).some((key) => key !== '@odata.id');
}

/** A document's name of its kind: `EventService` for `#EventService.v1_9_0.EventService`; null without `@odata.type`. */
export function documentType(document: RedfishDocument): string | null {
  const type = document['@odata.type'];
  return typeof type === 'string' ? (/^#([^.]+)\./.exec(type)?.[1] ?? null) : null;
}

/** What a link property such as `{"@odata.id": "/redfish/v1/Systems"}` points to; null when it is no link. */
export function linkPath(value: Json | undefined): string | null {
  return value === undefined ? null : memberPath(value);
}

/** A document as it is sent. */
export interface Rendering {
  text: string;
  /** The `ETag` header: the document's own `@odata.etag`, or a strong one made from its text. */
  etag: string;
}

const renderings = new WeakMap<RedfishDocument, Rendering>();

/** `document` as text, with its ETag. Made once for each document, as documents do not change. */
export function render(document: RedfishDocument): Rendering {
  let rendering = renderings.get(document);
  if (!rendering) {
    const text = JSON.stringify(document);
    const own = document['@odata.etag'];
    rendering = { text, etag: typeof own === 'string' ? own : `"${fingerprint(text)}"` };
    renderings.set(document, rendering);
  }
  return rendering;
}

/** A document that carries its ETag (iLO) gets a new one with new content, of the form that it had. */
function withNewEtag(document: RedfishDocument): RedfishDocument {
  const { '@odata.etag': etag, ...rest } = document;
  if (typeof etag !== 'string') return document;
  const weak = etag.startsWith('W/') ? 'W/' : '';
  return { ...document, '@odata.etag': `${weak}"${fingerprint(JSON.stringify(rest))}"` };
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8).toUpperCase();
}
