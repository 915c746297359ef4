import { refuseField } from './errors.ts';

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** What a list is about; a token of one is refused by another. */
export type PageOf = 'nodes' | 'drivers' | 'jobs';

/**
 * How many items a page holds: 100 for 0, which is "not given".
 * @throws kind `invalid_argument` when it is negative or over 1000
 */
export function pageSize(given: number): number {
  if (given === 0) return DEFAULT_PAGE_SIZE;
  if (given < 0 || given > MAX_PAGE_SIZE) {
    throw refuseField('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}, not ${given}`);
  }
  return given;
}

/** The token of the page after the one that ends with `last`, the key of an item. */
export function pageToken(of: PageOf, last: string): string {
  return Buffer.from(`${of}:${last}`).toString('base64url');
}

/**
 * The key that `pageToken` was given; null for the empty token of a first page.
 * @param isKey whether a text can be a key
 * @throws kind `invalid_argument` when the token is no token of such a list
 */
export function lastOfPageBefore(of: PageOf, token: string, isKey: (text: string) => boolean): string | null {
  if (token === '') return null;
  const text = Buffer.from(token, 'base64url').toString();
  const last = text.slice(of.length + 1);
  if (!text.startsWith(`${of}:`) || !isKey(last) || pageToken(of, last) !== token) throw refusePageToken();
  return last;
}

export function refusePageToken() {
  return refuseField('page_token', 'must be the next_page_token of an earlier page; begin again without one');
}

/**
 * A page of `size` out of `found`, which was asked for one item more.
 * @param keyOf the key that the next page begins after
 */
export function cutPage<T>(of: PageOf, found: T[], size: number, keyOf: (item: T) => string): [T[], string] {
  if (found.length <= size) return [found, ''];
  const page = found.slice(0, size);
  return [page, pageToken(of, keyOf(page[size - 1] as T))];
}
