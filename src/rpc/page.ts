import { invalidField } from './errors.ts';

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** The kind of a list; a page token of one kind is refused by another. */
export type ListKind = 'nodes' | 'drivers' | 'jobs';

/**
 * Returns the number of items on a page: 100 for 0, which means absent.
 * @throws kind `invalid_argument` when it is negative or over 1000
 */
export function pageSize(given: number): number {
  if (given === 0) return DEFAULT_PAGE_SIZE;
  if (given < 0 || given > MAX_PAGE_SIZE) {
    throw invalidField('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}, not ${given}`);
  }
  return given;
}

/** Returns the token of the page that follows the item with the key `last`. */
function pageToken(of: ListKind, last: string): string {
  return Buffer.from(`${of}:${last}`).toString('base64url');
}

/**
 * Returns the key that a page token holds; null for the empty token of a first page.
 * @param isKey whether a text can be a key
 * @throws kind `invalid_argument` when it is not a token of such a list
 */
export function previousKey(of: ListKind, token: string, isKey: (text: string) => boolean): string | null {
  if (token === '') return null;
  const text = Buffer.from(token, 'base64url').toString();
  const last = text.slice(of.length + 1);
  if (!text.startsWith(`${of}:`) || !isKey(last) || pageToken(of, last) !== token) throw invalidPageToken();
  return last;
}

export function invalidPageToken() {
  return invalidField('page_token', 'must be the next_page_token of an earlier page; start again without one');
}

/**
 * Returns a page of `size` items and the token of the next page, empty for the last one.
 * @param found the items, queried with a limit of `size + 1`
 * @param keyOf returns the key of an item, after which the next page begins
 */
export function cutPage<T>(of: ListKind, found: T[], size: number, keyOf: (item: T) => string): [T[], string] {
  if (found.length <= size) return [found, ''];
  const page = found.slice(0, size);
  return [page, pageToken(of, keyOf(page[size - 1] as T))];
}
