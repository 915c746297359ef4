import type { WatchEvent } from './watchEvent.ts';

/**
 * Encodes what watchers are told, once for all of them: the same events are told to all with the same filter, and the same
 * jobs and nodes to all who see the same.
 */
export class EventEncoder<T extends object> {
  readonly #encode: (event: WatchEvent<T>) => Uint8Array;
  readonly #batches = new WeakMap<readonly WatchEvent<T>[], Uint8Array>();
  readonly #items = new WeakMap<T, { cursor: string; bytes: Uint8Array }>();

  constructor(encode: (event: WatchEvent<T>) => Uint8Array) {
    this.#encode = encode;
  }

  /** Returns the bytes of `events`, one after the other. */
  encode(events: readonly WatchEvent<T>[]): Uint8Array {
    let bytes = this.#batches.get(events);
    if (bytes === undefined) {
      const each = events.map((event) => this.#encodeOne(event));
      bytes = each.length === 1 ? each[0]! : Buffer.concat(each);
      this.#batches.set(events, bytes);
    }
    return bytes;
  }

  #encodeOne(event: WatchEvent<T>): Uint8Array {
    if (event.kind !== 'item') return this.#encode(event);
    const known = this.#items.get(event.item);
    if (known?.cursor === event.cursor) return known.bytes;
    const bytes = inOwnMemory(this.#encode(event));
    this.#items.set(event.item, { cursor: event.cursor, bytes });
    return bytes;
  }
}

/** Returns the bytes without what else their memory holds: a small Buffer is a part of Node's pool, and would keep all of it. */
function inOwnMemory(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}
