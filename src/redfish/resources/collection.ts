import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { anyLinkPath, linkPath, samePath } from '../links.ts';
import { extendedInfoText, readExtendedInfo } from '../wire/response.ts';
import { asUnreadable, type Unreadable } from './unreadable.ts';

/** The maximum number of pages read: some BMCs link their pages in a loop. */
const MAX_PAGES = 100;

/** A member of a collection: a link, with as much of the document as the collection contains. */
export interface Member {
  path: string;
  /**
   * Null when the collection only links to the member. It may be the whole document (iDRAC 9, virtual media) or a part of
   * it: that a property is absent here says nothing.
   */
  document: JsonObject | null;
}

/** A collection with the members of all its pages, each once. */
export interface Collection {
  /** The first page's document. */
  document: JsonObject;
  members: Member[];
  /** Links that lead elsewhere, and a page that the BMC did not return. */
  unreadable: Unreadable[];
  /** Whether all pages were read. */
  complete: boolean;
}

/**
 * Reads the collection at `path`, following `Members@odata.nextLink` (DSP0266, "Paging") on the same host.
 * @throws kind `failed` when the document is no collection, has too many pages, or its pages form a loop; whatever a GET of
 *   the first page throws
 */
export async function getCollection(client: RedfishClient, path: string): Promise<Collection> {
  const collection: Collection = { document: {}, members: [], unreadable: [], complete: true };
  const read: string[] = [];
  let next = path;
  for (let pages = 1; ; pages++) {
    let page: JsonObject;
    try {
      page = await client.get(next);
      addMembers(collection, page, next, client.origin);
    } catch (error) {
      if (pages === 1) throw error;
      collection.unreadable.push(asUnreadable(client, next, error));
      return { ...collection, complete: false };
    }
    if (pages === 1) collection.document = page;
    const link = page['Members@odata.nextLink'] ?? page['@odata.nextLink'];
    if (link === undefined || link === null || link === '') return collection;
    if (pages === MAX_PAGES) {
      throw new RedfishError('failed', `A collection has more than ${MAX_PAGES} pages`, { url: client.origin + path });
    }
    read.push(next);
    next = linkPath(link, client.origin);
    if (read.includes(next)) {
      throw new RedfishError('failed', `The pages of a collection form a loop at ${next}`, {
        url: client.origin + path,
      });
    }
  }
}

function addMembers({ members, unreadable }: Collection, page: JsonObject, path: string, origin: string): void {
  for (const entry of membersOf(page, origin + path)) {
    try {
      const member = readMember(entry, origin);
      if (member === null) continue;
      const known = members.find((other) => samePath(other.path, member.path));
      if (known === undefined) members.push(member);
      else known.document ??= member.document;
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
      unreadable.push({ path, error });
    }
  }
}

/**
 * Returns `Members`; empty when it is null, as some BMCs have it, or absent with a count of 0. No members beside an error are
 * none that could be read.
 */
function membersOf(page: JsonObject, url: string): Json[] {
  const { Members: members, 'Members@odata.count': count, error } = page;
  if (Array.isArray(members) && members.length > 0) return members;
  const extendedInfo = error === undefined || error === null ? [] : readExtendedInfo(page);
  const failed = (text: string) =>
    new RedfishError('failed', `HTTP GET ${url} ${text}`, { status: 200, extendedInfo, url });
  if (extendedInfo.length > 0) throw failed(`returned no members, and an error: ${extendedInfoText(extendedInfo)}`);
  if (Array.isArray(members)) return members;
  if (members === null || (members === undefined && count === 0)) return [];
  throw failed('returned a document that is no collection: it has no list of Members');
}

/** Returns null for an entry without a link. */
function readMember(entry: Json, origin: string): Member | null {
  const path = anyLinkPath(entry, origin);
  if (path === null) return null;
  const expanded = isJsonObject(entry) && Object.keys(entry).some((key) => !key.startsWith('@'));
  return { path, document: expanded ? entry : null };
}
