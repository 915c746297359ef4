/** The maximum number of exchanges in a transcript, and of their bytes. */
export const MAX_EXCHANGES = 400;
export const MAX_BYTES = 1024 * 1024;

interface Sized<T> {
  item: T;
  bytes: number;
}

/** The first and the last items of a sequence, within `MAX_EXCHANGES` and `MAX_BYTES`: each half takes half of both. */
export class FirstAndLast<T> {
  readonly #first: Sized<T>[] = [];
  /** Null until the first half is full. */
  #last: Sized<T>[] | null = null;
  #firstBytes = 0;
  #lastBytes = 0;
  #omitted = 0;

  /** The number of items that were dropped between the first and the last ones. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Returns the items that were kept, in order. */
  items(): T[] {
    return [...this.#first, ...(this.#last ?? [])].map(({ item }) => item);
  }

  /** Adds an item, and drops from the middle what is beyond the bound. */
  add(item: T, size: number): void {
    // A driver in JavaScript may pass anything.
    const bytes = size > 0 ? size : 0;
    if (this.#last === null) {
      if (this.#first.length < MAX_EXCHANGES / 2 && this.#firstBytes + bytes <= MAX_BYTES / 2) {
        this.#first.push({ item, bytes });
        this.#firstBytes += bytes;
        return;
      }
      this.#last = [];
    }
    this.#last.push({ item, bytes });
    this.#lastBytes += bytes;
    while (this.#last.length > MAX_EXCHANGES / 2 || this.#lastBytes > MAX_BYTES / 2) {
      this.#lastBytes -= this.#last.shift()?.bytes ?? 0;
      this.#omitted++;
    }
  }

  /** Counts an item that cannot be shown. */
  omit(items = 1): void {
    this.#omitted += items;
  }
}
