// Watching many: tells watchers every change of jobs and nodes, and every event, from a log of changes.
import { AsyncLocalStorage } from 'node:async_hooks';
import { shuttingDown } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { untilAborted } from '../waiting.ts';
import type { ChangeBounds, ChangeKind } from './changeStore.ts';
import { type Place, readCursor, toCursor } from './cursor.ts';
import { Reading, select, tell } from './reading.ts';
import type { Feed, WatchEvent, WatchSink } from './watchEvent.ts';

/** Told to the watchers that must start again, since changes after their cursor are not known any more. */
const RESET: readonly WatchEvent<never>[] = [{ kind: 'marker', marker: 'reset', cursor: '' }];

/**
 * Tells the watchers of this process the changes of all jobs or nodes, or all events. It reads each change once, however many
 * watch, and only while somebody does; events that this process has stored it reads only when others came between. A watcher
 * costs memory for its place alone: one that is slow, or resumes, reads what it has missed from the log.
 */
export class WatchHub<C extends { position: number; bytes: number }, F extends { key: string }, T> {
  readonly #kind: ChangeKind;
  readonly #store: Store;
  readonly #feed: Feed<C, F, T>;
  readonly #log: Logger;
  /** Leaves the request that asks: the reading belongs to none. */
  readonly #outside = AsyncLocalStorage.snapshot();
  readonly #closed = new AbortController();
  #watchers = 0;
  #beginning: Promise<Reading<C, F, T>> | null = null;
  #reading: Reading<C, F, T> | null = null;
  /** Whether there were changes since the beginning of a reading asked where the log ends. */
  #missed = false;

  constructor(kind: ChangeKind, store: Store, feed: Feed<C, F, T>, log: Logger) {
    this.#kind = kind;
    this.#store = store;
    this.#feed = feed;
    this.#log = log;
  }

  /** The number of watchers. */
  get count(): number {
    return this.#watchers;
  }

  /** Ends all watches. */
  close(): void {
    this.#closed.abort(shuttingDown());
  }

  /** Reads new changes now: there may be some. */
  wake(): void {
    if (this.#reading === null) this.#missed = true;
    else this.#reading.wake();
  }

  /** Tells changes that this process has committed together, in their order. */
  committed(changes: readonly C[]): void {
    if (this.#reading === null) this.#missed = true;
    else this.#reading.committed(changes);
  }

  /**
   * Tells `sink` the current state and then every change, or, with a cursor, every change after it. Of a log without a current
   * state it tells what follows the cursor, or now. Returns never.
   * @param place of the watcher's cursor; null without one
   * @throws the reason of `left`; kind `shutting_down` after `close`, `store_unavailable` when the state cannot be read
   */
  async watch(filter: F, place: Place | null, sink: WatchSink<T>, left: AbortSignal): Promise<never> {
    const signal = AbortSignal.any([left, this.#closed.signal]);
    signal.throwIfAborted();
    this.#watchers++;
    try {
      const reading = await untilAborted(this.#read(), signal);
      sink.begin?.();
      if (this.#feed.current === null) return await this.#watchLog(reading, filter, place, sink, signal);
      let at: number | null = null;
      if (place !== null) {
        const bounds = await this.#store.changeBounds(this.#kind);
        if (isKnown(place, bounds)) at = place.position;
        else await tell(sink, RESET, signal);
      }
      for (;;) {
        at ??= await this.#tellCurrent(filter, sink, signal);
        if (at !== null) await reading.follow(at, filter, sink, signal);
        await tell(sink, RESET, signal);
        at = null;
      }
    } finally {
      this.#watchers--;
      if (this.#watchers === 0) this.#stop();
    }
  }

  /** As `watch`, for a log without a current state. */
  async #watchLog(
    reading: Reading<C, F, T>,
    filter: F,
    from: Place | null,
    sink: WatchSink<T>,
    signal: AbortSignal,
  ): Promise<never> {
    let place = from;
    for (;;) {
      const bounds = await this.#store.changeBounds(this.#kind);
      let at = place?.position ?? bounds.last;
      if (place !== null && !isKnown(place, bounds)) {
        await tell(sink, RESET, signal);
        at = bounds.floor;
      }
      const told = await this.#tellUpTo(bounds, at, filter, sink, signal);
      // Most often still known: the reading may have failed for a moment.
      place = told ? await reading.follow(bounds.last, filter, sink, signal) : { log: '', position: 0 };
    }
  }

  /** Tells the changes above `at` and that these were all; false when they are not known any more. */
  async #tellUpTo(
    { log, last }: ChangeBounds,
    at: number,
    filter: F,
    sink: WatchSink<T>,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (let position = at; position < last; ) {
      signal.throwIfAborted();
      const changes = await this.#feed.read(position);
      const known = changes?.filter((change) => change.position <= last) ?? [];
      if (known.length === 0) return false;
      const events = select(this.#kind, this.#feed, log, known, filter);
      if (events.length > 0) await tell(sink, events, signal);
      position = known.at(-1)!.position;
    }
    const cursor = toCursor(this.#kind, { log, position: last });
    await tell(sink, [{ kind: 'marker', marker: 'current', cursor }], signal);
    return true;
  }

  /** Returns the place of a cursor; null for none. Throws kind `invalid_argument`. */
  place(cursor: string | null): Place | null {
    return cursor === null ? null : readCursor(this.#kind, cursor);
  }

  /** Returns the reading of the log, which all watchers share. */
  async #read(): Promise<Reading<C, F, T>> {
    if (this.#reading !== null) return this.#reading;
    if (this.#beginning === null) this.#missed = false;
    this.#beginning ??= this.#store
      .changeBounds(this.#kind)
      .then((bounds) => {
        this.#reading = new Reading(this.#kind, this.#store, this.#feed, this.#log, this.#outside, bounds);
        if (this.#missed) this.#reading.wake();
        return this.#reading;
      })
      .finally(() => {
        this.#beginning = null;
        if (this.#watchers === 0) this.#stop();
      });
    return await this.#beginning;
  }

  #stop(): void {
    this.#reading?.stop();
    this.#reading = null;
  }

  /**
   * Tells the state as it is at one position, which it returns: first all that have not changed since another position, then
   * the changes between the two. Returns null when these are not known any more.
   */
  async #tellCurrent(filter: F, sink: WatchSink<T>, signal: AbortSignal): Promise<number | null> {
    const since = await this.#store.changeBounds(this.#kind);
    for await (const page of this.#feed.current!(filter, since.last)) {
      signal.throwIfAborted();
      const events = page.map((item) => ({ kind: 'item' as const, item, cursor: '' }));
      if (events.length > 0) await tell(sink, events, signal);
    }
    const { log, last } = await this.#store.changeBounds(this.#kind);
    for (let at = since.last; at < last; ) {
      const changes = await this.#feed.read(at);
      if (changes === null || changes.length === 0) return null;
      const events = changes
        .filter(({ position }) => position <= last)
        .map((change) => this.#feed.select(change, filter, ''))
        .filter((event) => event !== null);
      if (events.length > 0) await tell(sink, events, signal);
      at = changes.at(-1)!.position;
    }
    const cursor = toCursor(this.#kind, { log, position: last });
    await tell(sink, [{ kind: 'marker', marker: 'current', cursor }], signal);
    return last;
  }
}

function isKnown({ log, position }: Place, bounds: ChangeBounds): boolean {
  return log === bounds.log && position >= bounds.floor && position <= bounds.last;
}
