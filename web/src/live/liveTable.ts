import { Code, ConnectError } from '@connectrpc/connect';
import { Emitter } from '../parts/emitter.ts';
import { link } from './link.ts';

/** What a watch tells. */
export interface Change<T> {
  item?: T;
  removed?: string;
  marker?: 'current' | 'reset';
  cursor: string;
}

/** Where the items of a table come from: the lists and watches of the public contract. */
export interface Source<T> {
  keyOf(item: T): string;
  /** Lists all items, or the newest, page by page. */
  pages(signal: AbortSignal): AsyncIterable<T[]>;
  /** Without a cursor: watches nothing, so that the first marker tells where the log of changes ends. */
  watch(cursor: string | null, signal: AbortSignal): AsyncIterable<Change<T>>;
  /** Whether `item` may take the place of `known`. */
  isNewer?(item: T, known: T): boolean;
  /** How many items are kept at most, or a tenth more: those that came first are dropped. All when absent. */
  most?: number;
  /** Orders items by which is dropped first, where it is not the one that came first. */
  dropOrder?(one: T, other: T): number;
  /** Gets each item that is dropped. */
  onDrop?(item: T): void;
}

/** Milliseconds between two times that the page is told of changes, however many there were. */
const TELL_INTERVAL = 200;
/** Milliseconds of work after which the page gets its turn to scroll and to react. */
const TURN = 8;
/** What the service answers when it refuses the request, so that the reader has to know why. */
const REFUSED = new Set([Code.Unauthenticated, Code.PermissionDenied, Code.NotFound, Code.InvalidArgument]);
/** Milliseconds between two tries at a stream that fails again and again: the first, and the most. */
const RETRY_FIRST = 250;
const RETRY_MOST = 5_000;

/**
 * The items of a list, kept current: listed once, then followed by their changes, each once and in order. A lost connection
 * is resumed by the cursor of the last change; when the service no longer knows that, the list is read again.
 */
export class LiveTable<T> extends Emitter {
  readonly #source: Source<T>;
  #items = new Map<string, T>();
  #shown: readonly T[] | null = null;
  #telling: ReturnType<typeof setTimeout> | null = null;
  #turnBegan = 0;
  /** Null while it is not followed. */
  #following: AbortController | null = null;
  /** How many items were dropped because there were more than `most`. */
  dropped = 0;
  /** Whether every item has been read once. */
  complete = false;
  /** Why the items cannot be read; null when they can. */
  problem: ConnectError | null = null;

  constructor(source: Source<T>) {
    super();
    this.#source = source;
  }

  /** All items; a new array after each change. */
  get items(): readonly T[] {
    this.#shown ??= [...this.#items.values()];
    return this.#shown;
  }

  get(key: string): T | undefined {
    return this.#items.get(key);
  }

  /** Adds or replaces an item that came by another way, such as the response to a change. */
  put(item: T): void {
    const key = this.#source.keyOf(item);
    const known = this.#items.get(key);
    if (known === undefined || (this.#source.isNewer?.(item, known) ?? true)) this.#items.set(key, item);
    this.#dropFirst();
    this.#tell();
  }

  /** Begins to follow; does nothing while it is followed. */
  start(): void {
    if (this.#following !== null) return;
    this.#following = new AbortController();
    void this.#follow(this.#following.signal);
  }

  /** Ends the following. The items stay as they are. */
  stop(): void {
    this.#following?.abort();
    this.#following = null;
  }

  async #follow(stopped: AbortSignal): Promise<void> {
    let cursor: string | null = null;
    let failures = 0;
    for (let failed = false; !stopped.aborted; ) {
      await link.ready(failed);
      // A service that can be reached and still refuses must not be asked without end.
      if (failures > 1) await pause(Math.min(RETRY_MOST, RETRY_FIRST * 2 ** failures));
      const signal = AbortSignal.any([link.signal, stopped]);
      failed = true;
      failures++;
      try {
        cursor ??= await this.#read(signal);
        failures = Math.min(failures, 1);
        for await (const change of this.#source.watch(cursor, signal)) {
          if (change.marker === 'reset') {
            cursor = null;
            failed = false;
            break;
          }
          if (change.item !== undefined) this.put(change.item);
          if (change.removed !== undefined) this.#remove(change.removed);
          if (change.cursor !== '') cursor = change.cursor;
          failures = 0;
          await this.#takeTurns();
        }
      } catch (thrown) {
        const error = ConnectError.from(thrown);
        // A cursor of another database: that of a service which was set up anew.
        const foreign = error.code === Code.InvalidArgument && cursor !== null;
        if (foreign) cursor = null;
        else if (REFUSED.has(error.code)) {
          this.problem = error;
          this.emit();
          if (error.code === Code.PermissionDenied) return;
        }
      }
    }
  }

  /** Reads all items, and returns the cursor of a place in the log before the first was read. */
  async #read(signal: AbortSignal): Promise<string> {
    let cursor = '';
    for await (const change of this.#source.watch(null, signal)) {
      cursor = change.cursor;
      if (change.marker === 'current') break;
    }
    // The first time, what is there is shown at once; later the present items stay until all have been read.
    const items = this.complete ? new Map<string, T>() : this.#items;
    for await (const page of this.#source.pages(signal)) {
      for (const item of page) items.set(this.#source.keyOf(item), item);
      if (!this.complete) this.#tell();
      await this.#takeTurns();
    }
    this.#items = items;
    this.complete = true;
    this.problem = null;
    this.#tell();
    return cursor;
  }

  #dropFirst(): void {
    const { most = Number.POSITIVE_INFINITY, dropOrder, onDrop } = this.#source;
    // To sort at each change would hold up the page.
    if (this.#items.size <= (dropOrder === undefined ? most : 1.1 * most)) return;
    const entries = dropOrder === undefined ? this.#items : [...this.#items].sort(([, a], [, b]) => dropOrder(a, b));
    for (const [key, item] of entries) {
      if (this.#items.size <= most) return;
      this.#items.delete(key);
      this.dropped++;
      onDrop?.(item);
    }
  }

  #remove(key: string): void {
    if (this.#items.delete(key)) this.#tell();
  }

  #tell(): void {
    this.#shown = null;
    if (this.#telling !== null) return;
    this.#telling = setTimeout(
      () => {
        this.#telling = null;
        this.emit();
      },
      this.version() === 0 ? 0 : TELL_INTERVAL,
    );
  }

  /** Lets the page do other work when this has taken long enough. */
  async #takeTurns(): Promise<void> {
    const now = performance.now();
    if (now - this.#turnBegan < TURN) return;
    await pause(0);
    this.#turnBegan = performance.now();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
