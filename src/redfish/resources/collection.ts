import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { linkPath } from '../links.ts';

/** The maximum number of pages read: some BMCs link their pages in a loop. */
const MAX_PAGES = 100;

/** A member of a collection: a link, or the whole document where the BMC expands it (iDRAC 9, virtual media). */
export interface Member {
  path: string;
  /** Null when the collection only links to the member. */
  document: JsonObject | null;
}

/** A collection with the members of all its pages. */
export interface Collection {
  /** The first page's document. */
  document: JsonObject;
  members: Member[];
}

/**
 * Reads the collection at `path`, following `Members@odata.nextLink` (DSP0266, "Paging") on the same host.
 * @throws kind `failed` when there are too many pages; whatever a GET throws
 */
export async function getCollection(client: RedfishClient, path: string): Promise<Collection> {
  const document = await client.get(path);
  const members = readMembers(document, client.origin);
  let page = document;
  for (let pages = 1; ; pages++) {
    const next = page['Members@odata.nextLink'] ?? page['@odata.nextLink'];
    if (next === undefined || next === null || next === '') return { document, members };
    if (pages === MAX_PAGES) {
      throw new RedfishError('failed', `A collection has more than ${MAX_PAGES} pages`, { url: client.origin + path });
    }
    page = await client.get(linkPath(next, client.origin));
    members.push(...readMembers(page, client.origin));
  }
}

function readMembers(document: JsonObject, origin: string): Member[] {
  const entries: Json[] = Array.isArray(document.Members) ? document.Members : [];
  return entries.filter(isJsonObject).flatMap((entry) => {
    if (entry['@odata.id'] === undefined) return [];
    const expanded = Object.keys(entry).some((key) => !key.startsWith('@'));
    return [{ path: linkPath(entry, origin), document: expanded ? entry : null }];
  });
}
