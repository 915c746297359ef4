// Pages of lists, bounded in number and in bytes.

import { PAGE_BYTES } from './bounds.ts';

/** A page of a list. */
export interface Page<T> {
  items: T[];
  /** Whether the list goes on after the last item. */
  more: boolean;
}

/**
 * Returns the first page of at most `limit` items, and of about `PAGE_BYTES` unless the first item alone is longer.
 * @param sizes returns the bytes of as many items; null is passed on
 * @param read returns as many items; with `within`, none when they take more bytes
 */
export async function readPage<T>(
  limit: number,
  sizes: (limit: number) => Promise<number[] | null>,
  read: (limit: number, within?: number) => Promise<T[] | null>,
): Promise<Page<T> | null> {
  // One more, to know whether there is a next page. Most pages are short enough, and need no look at the sizes.
  const whole = await read(limit + 1, PAGE_BYTES);
  if (whole === null) return null;
  if (whole.length > 0) return { items: whole.slice(0, limit), more: whole.length > limit };
  const found = await sizes(limit + 1);
  if (found === null) return null;
  const fitting = Math.min(limit, countFitting(found));
  if (fitting === 0) return { items: [], more: found.length > 0 };
  const items = await read(fitting);
  return items && { items, more: found.length > fitting };
}

/** Returns how many items of these sizes fit on a page; 1 when the first is longer; 0 when there are none. */
export function countFitting(sizes: readonly number[]): number {
  let room = PAGE_BYTES;
  const beyond = sizes.findIndex((size, at) => {
    room -= size;
    return room < 0 && at > 0;
  });
  return beyond === -1 ? sizes.length : beyond;
}
