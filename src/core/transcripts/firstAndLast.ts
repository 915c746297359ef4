/** The maximum number of exchanges in a transcript, and of their bytes. */
export const MAX_EXCHANGES = 400;
export const MAX_BYTES = 1024 * 1024;

/** The first and the last items of a sequence, within `MAX_EXCHANGES` and `MAX_BYTES`: each half takes half of both. */
export class FirstAndLast<T> {
  readonly #first: T[] = [];
  #firstBytes = 0;
  /** Null until the first half is full. */
  #last: Last<T> | null = null;
  #omitted = 0;

  /** The number of items that were dropped between the first and the last ones. */
  get omitted(): number {
    return this.#omitted;
  }

  /** Returns the items that were kept, in order. */
  items(): T[] {
    return this.#last === null ? this.#first : [...this.#first, ...this.#last.items];
  }

  /** Adds an item, and drops from the middle what is beyond the bound. */
  add(item: T, size: number): void {
    // A driver in JavaScript may pass anything.
    const bytes = size > 0 ? size : 0;
    if (this.#last === null) {
      if (this.#first.length < MAX_EXCHANGES / 2 && this.#firstBytes + bytes <= MAX_BYTES / 2) {
        this.#first.push(item);
        this.#firstBytes += bytes;
        return;
      }
      this.#last = { items: [], sizes: [], bytes: 0 };
    }
    const last = this.#last;
    last.items.push(item);
    last.sizes.push(bytes);
    last.bytes += bytes;
    while (last.items.length > MAX_EXCHANGES / 2 || last.bytes > MAX_BYTES / 2) {
      last.items.shift();
      last.bytes -= last.sizes.shift() ?? 0;
      this.#omitted++;
    }
  }

  /** Counts an item that cannot be shown. */
  omit(items = 1): void {
    this.#omitted += items;
  }
}

interface Last<T> {
  items: T[];
  /** The bytes of each. */
  sizes: number[];
  bytes: number;
}
