// Fields that many requests have.
import type { Duration } from '@bufbuild/protobuf/wkt';
import { hasExactNumbers } from '../contract/value.ts';
import { invalidArgument, type PassthruError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Page } from '../core/page.ts';

const DEFAULT_PAGE_SIZE = 100;
const MAX_PAGE_SIZE = 1000;

/** Returns the error of one wrong field; `description` continues the field's name: `must be ...`. */
export function invalidField(field: string, description: string): PassthruError {
  return invalidArgument(field, description, `${field} ${description}`);
}

/** Returns a proto3 string without presence, null when empty. */
export function textOrNull(text: string): string | null {
  return text === '' ? null : text;
}

/** Returns the object in a Struct field, `{}` when absent. Throws kind `invalid_argument` for NaN, infinities and -0. */
export function readStruct(field: string, struct: JsonObject | undefined): JsonObject {
  if (struct === undefined) return {};
  if (!hasExactNumbers(struct)) throw invalidField(field, 'must not hold NaN, infinite numbers or -0');
  return struct;
}

/**
 * Returns the Duration in a field in ms, rounded up; null when absent. The core enforces the maximum.
 * @throws kind `invalid_argument` when it is negative or not a valid Duration
 */
export function durationMs(field: string, duration: Duration | undefined): number | null {
  if (duration === undefined) return null;
  const { seconds, nanos } = duration;
  if (seconds < 0n || nanos < 0 || nanos > 999_999_999) {
    throw invalidField(field, 'must be a duration of 0 or more seconds');
  }
  return Number(seconds) * 1000 + Math.ceil(nanos / 1e6);
}

/** The kind of a list; a page token of one kind is refused by another. */
type ListKind = 'nodes' | 'drivers' | 'jobs' | 'events' | 'event_sources';

/**
 * Returns the number of items on a page: 100 for 0, which means absent.
 * @throws kind `invalid_argument` when it is negative or over 1000
 */
export function pageSize(size: number): number {
  if (size === 0) return DEFAULT_PAGE_SIZE;
  if (size < 0 || size > MAX_PAGE_SIZE) {
    throw invalidField('page_size', `must be from 1 to ${MAX_PAGE_SIZE}, or 0 for ${DEFAULT_PAGE_SIZE}, not ${size}`);
  }
  return size;
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
 * Returns the token of the page that follows `page`, empty after the last one.
 * @param keyOf returns the key of an item, after which the next page begins
 */
export function nextToken<T>(of: ListKind, { items, more }: Page<T>, keyOf: (item: T) => string): string {
  const last = items.at(-1);
  return more && last !== undefined ? pageToken(of, keyOf(last)) : '';
}
