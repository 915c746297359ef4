/** Returns a text that sorts by plain comparison as people expect: without case, and numbers by their value. */
export function orderKey(text: string): string {
  return text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, '0'));
}

/** Returns `items` sorted by the key of each, which is made once for each item. */
export function sortedBy<T>(items: readonly T[], keyOf: (item: T) => string | number, down: boolean): T[] {
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  const sign = down ? -1 : 1;
  keyed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : 0));
  return keyed.map(({ item }) => item);
}
