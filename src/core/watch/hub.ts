// Watching many: tells watchers every change of jobs and nodes, from a log of changes.
import { AsyncLocalStorage } from 'node:async_hooks';
import { isStoreUnavailable, shuttingDown } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { pause, untilAborted, untilStored } from '../waiting.ts';
import type { ChangeBounds, ChangeKind } from './changeStore.ts';
import { type Place, readCursor, toCursor } from './cursor.ts';
import type { Feed, WatchEvent, WatchSink } from './watchEvent.ts';

/** Milliseconds between two reads of the log of a shared store, in which other processes write. */
const POLL_INTERVAL = 200;

/** The least time between two reads, in milliseconds: changes that come at once are read together. */
const READ_INTERVAL = 5;

/** Milliseconds until a read that failed is repeated. */
const RETRY_INTERVAL = 500;

/** The number of changes kept in memory, and of bytes about, for watchers that fall behind a little. */
const RECENT = 500;
const RECENT_BYTES = 8 * 1024 * 1024;

/** After how many watchers that are told a change other work gets its turn. */
const TOLD_AT_ONCE = 200;

/** A watcher that has been told everything up to the position of its hub. */
interface Follower<F, T> {
  filter: F;
  sink: WatchSink<T>;
  /** Told up to this position. */
  at: number;
  /** Ends the following: the sink takes no more for now, or the next changes are not known. */
  leave(reason: 'behind' | 'gone'): void;
}

type Outside = ReturnType<typeof AsyncLocalStorage.snapshot>;

/** Told to the watchers that must start again, since changes after their cursor are not known any more. */
const RESET: readonly WatchEvent<never>[] = [{ kind: 'marker', marker: 'reset', cursor: '' }];

/**
 * Tells the watchers of this process the changes of all jobs, or of all nodes. It reads each change once, however many
 * watch, and only while somebody does. A watcher costs memory for its place alone: one that is slow, or resumes, reads what
 * it has missed from the log.
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
    this.#reading?.wake();
  }

  /**
   * Tells `sink` the current state and then every change, or, with a cursor, every change after it. Returns never.
   * @param place of the watcher's cursor; null without one
   * @throws the reason of `left`; kind `shutting_down` after `close`, `store_unavailable` when the state cannot be read
   */
  async watch(filter: F, place: Place | null, sink: WatchSink<T>, left: AbortSignal): Promise<never> {
    const signal = AbortSignal.any([left, this.#closed.signal]);
    signal.throwIfAborted();
    this.#watchers++;
    try {
      const reading = await this.#read();
      sink.begin?.();
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

  /** Returns the place of a cursor; null for none. Throws kind `invalid_argument`. */
  place(cursor: string | null): Place | null {
    return cursor === null ? null : readCursor(this.#kind, cursor);
  }

  /** Returns the reading of the log, which all watchers share. */
  async #read(): Promise<Reading<C, F, T>> {
    if (this.#reading !== null) return this.#reading;
    this.#beginning ??= this.#store
      .changeBounds(this.#kind)
      .then((bounds) => {
        this.#reading = new Reading(this.#kind, this.#store, this.#feed, this.#log, this.#outside, bounds);
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
    for await (const page of this.#feed.current(filter, since.last)) {
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

/** The reading of a log, from when somebody watches until nobody does. */
class Reading<C extends { position: number; bytes: number }, F extends { key: string }, T> {
  readonly #kind: ChangeKind;
  readonly #store: Store;
  readonly #feed: Feed<C, F, T>;
  readonly #logger: Logger;
  readonly #outside: Outside;
  readonly #followers = new Set<Follower<F, T>>();
  readonly #stopped = new AbortController();
  readonly #poll: NodeJS.Timeout | null;
  #log: string;
  /** The position up to which the log was read, and the one after which all changes are in `#recent`. */
  #at: number;
  #recentAfter: number;
  #recent: C[] = [];
  #recentBytes = 0;
  #isReading = false;
  #again = false;
  #failed = false;

  constructor(
    kind: ChangeKind,
    store: Store,
    feed: Feed<C, F, T>,
    log: Logger,
    outside: Outside,
    bounds: ChangeBounds,
  ) {
    this.#kind = kind;
    this.#store = store;
    this.#feed = feed;
    this.#logger = log;
    this.#outside = outside;
    this.#log = bounds.log;
    this.#at = bounds.last;
    this.#recentAfter = bounds.last;
    this.#poll = store.shared ? outside(() => setInterval(() => this.wake(), POLL_INTERVAL).unref()) : null;
  }

  stop(): void {
    if (this.#poll !== null) clearInterval(this.#poll);
    this.#stopped.abort();
  }

  /** Reads new changes. */
  wake(): void {
    this.#again = true;
    if (!this.#isReading) this.#outside(() => void this.#readAll());
  }

  /** Tells `sink` the changes above `at`. Returns when the next ones are not known any more. Throws the signal's reason. */
  async follow(at: number, filter: F, sink: WatchSink<T>, signal: AbortSignal): Promise<void> {
    const log = this.#log;
    for (;;) {
      signal.throwIfAborted();
      if (log !== this.#log) return;
      if (at === this.#at) {
        const left = await this.#join(at, filter, sink, signal);
        if (left.reason === 'gone') return;
        at = left.at;
        await sink.ready(signal);
        continue;
      }
      // The log was read further by another process, or for this watcher's state.
      const changes = at > this.#at ? await this.#readTo(at, signal) : await this.#missed(at, signal);
      if (changes === null) return;
      const last = changes.at(-1);
      if (last === undefined) continue;
      const events = this.#select(changes, filter);
      if (events.length > 0) await tell(sink, events, signal);
      at = last.position;
    }
  }

  /** Resolves when the watcher has fallen behind. */
  async #join(at: number, filter: F, sink: WatchSink<T>, signal: AbortSignal) {
    const left = Promise.withResolvers<'behind' | 'gone'>();
    const follower: Follower<F, T> = { filter, sink, at, leave: left.resolve };
    this.#followers.add(follower);
    try {
      const reason = await untilAborted(left.promise, signal);
      return { reason, at: follower.at };
    } finally {
      this.#followers.delete(follower);
    }
  }

  /** Reads the log up to `at`. Returns no changes, or null when the log does not go so far. */
  async #readTo(at: number, signal: AbortSignal): Promise<C[] | null> {
    const bounds = await untilStored(
      () => this.#store.changeBounds(this.#kind),
      AbortSignal.any([signal, this.#store.closed]),
    );
    if (bounds.last < at) return null;
    this.wake();
    await pause(READ_INTERVAL, signal);
    return [];
  }

  /** Returns the first changes above `at` and up to `#at`; null when they are not known any more. */
  async #missed(at: number, signal: AbortSignal): Promise<C[] | null> {
    if (at >= this.#recentAfter) {
      const first = this.#recent.findIndex(({ position }) => position > at);
      return this.#recent.slice(first, first + RECENT / 5);
    }
    const changes = await untilStored(
      () => this.#feed.read(at),
      AbortSignal.any([signal, this.#store.closed]),
      (error) => {
        if (!isStoreUnavailable(error)) throw error;
      },
    );
    const known = changes?.filter(({ position }) => position <= this.#at) ?? [];
    return known.length === 0 ? null : known;
  }

  async #readAll(): Promise<void> {
    this.#isReading = true;
    while (this.#again && !this.#stopped.signal.aborted) {
      this.#again = false;
      try {
        await this.#readNew();
        this.#failed = false;
      } catch (error) {
        if (!this.#failed && !this.#stopped.signal.aborted) {
          this.#logger.warn({ err: error, kind: this.#kind }, 'reading changes for watchers failed, retrying');
        }
        this.#failed = true;
        this.#again = true;
      }
      await pause(this.#failed ? RETRY_INTERVAL : READ_INTERVAL, this.#stopped.signal, false).catch(() => {});
    }
    this.#isReading = false;
  }

  async #readNew(): Promise<void> {
    const { log, floor, last } = await this.#store.changeBounds(this.#kind);
    if (log !== this.#log || this.#at < floor || this.#at > last) {
      this.#lose(log, last);
      return;
    }
    while (this.#at < last) {
      const changes = await this.#feed.read(this.#at);
      if (changes === null || changes.length === 0) {
        this.#lose(log, last);
        return;
      }
      try {
        await this.#publish(changes);
      } catch (error) {
        // Some were not told.
        this.#lose(log, last);
        throw error;
      }
    }
  }

  /** Sends all watchers back to the current state: changes between are not known any more. */
  #lose(log: string, last: number): void {
    this.#log = log;
    this.#at = last;
    this.#recentAfter = last;
    this.#recent = [];
    this.#recentBytes = 0;
    for (const follower of this.#followers) follower.leave('gone');
    this.#followers.clear();
  }

  async #publish(changes: C[]): Promise<void> {
    const from = this.#at;
    const last = changes.at(-1)!.position;
    this.#recent.push(...changes);
    for (const { bytes } of changes) this.#recentBytes += bytes;
    let surplus = 0;
    while (this.#recent.length - surplus > RECENT || this.#recentBytes > RECENT_BYTES) {
      this.#recentBytes -= this.#recent[surplus++]!.bytes;
    }
    if (surplus > 0) this.#recentAfter = this.#recent.splice(0, surplus).at(-1)!.position;
    this.#at = last;
    // The same events for all with the same filter, so that they are encoded once.
    const selected = new Map<string, WatchEvent<T>[]>();
    let told = 0;
    // Watchers that join meanwhile are further.
    for (const follower of [...this.#followers]) {
      if (follower.at !== from || !this.#followers.has(follower)) continue;
      const { filter } = follower;
      let events = selected.get(filter.key);
      if (events === undefined) {
        events = this.#select(changes, filter);
        selected.set(filter.key, events);
      }
      follower.at = last;
      if (events.length === 0) continue;
      if (!follower.sink.put(events)) {
        this.#followers.delete(follower);
        follower.leave('behind');
      }
      if (++told % TOLD_AT_ONCE === 0) await new Promise(setImmediate);
    }
  }

  #select(changes: readonly C[], filter: F): WatchEvent<T>[] {
    return changes
      .map((change) => {
        const cursor = toCursor(this.#kind, { log: this.#log, position: change.position });
        return this.#feed.select(change, filter, cursor);
      })
      .filter((event) => event !== null);
  }
}

function isKnown({ log, position }: Place, bounds: ChangeBounds): boolean {
  return log === bounds.log && position >= bounds.floor && position <= bounds.last;
}

/** Tells a watcher `events`, and waits until it takes more. */
async function tell<T>(sink: WatchSink<T>, events: readonly WatchEvent<T>[], signal: AbortSignal): Promise<void> {
  if (!sink.put(events)) await sink.ready(signal);
}
