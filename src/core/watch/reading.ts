import type { AsyncLocalStorage } from 'node:async_hooks';
import { isStoreUnavailable } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Store } from '../store.ts';
import { pause, untilAborted, untilStored } from '../waiting.ts';
import type { ChangeBounds, ChangeKind } from './changeStore.ts';
import { type Place, toCursor } from './cursor.ts';
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

/** The number of changes committed by this process that wait to be told; more are read from the log. */
const MAX_COMMITTED = 1000;

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

/** The reading of a log, from when somebody watches until nobody does. */
export class Reading<C extends { position: number; bytes: number }, F extends { key: string }, T> {
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
  /** What this process has committed and not told yet, in order. */
  #committed: (readonly C[])[] = [];
  #committedCount = 0;
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
    this.#begin();
  }

  /** Tells changes that this process has committed together: from memory when they follow what was told. */
  committed(changes: readonly C[]): void {
    this.#committedCount += changes.length;
    if (this.#committedCount <= MAX_COMMITTED) this.#committed.push(changes);
    else this.#again = true;
    this.#begin();
  }

  #begin(): void {
    if (!this.#isReading) this.#outside(() => void this.#readAll());
  }

  /**
   * Tells `sink` the changes above `from`. Returns the place up to which it has, when the next ones are not known any more.
   * Throws the signal's reason.
   */
  async follow(from: number, filter: F, sink: WatchSink<T>, signal: AbortSignal): Promise<Place> {
    const log = this.#log;
    let at = from;
    for (;;) {
      signal.throwIfAborted();
      if (log !== this.#log) return { log, position: at };
      if (at === this.#at) {
        const left = await this.#join(at, filter, sink, signal);
        at = left.at;
        if (left.reason === 'gone') return { log, position: at };
        await sink.ready(signal);
        continue;
      }
      // The log was read further by another process, or for this watcher's state.
      const changes = at > this.#at ? await this.#readTo(at, signal) : await this.#missed(at, signal);
      if (changes === null) return { log, position: at };
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
    while ((this.#again || this.#committed.length > 0) && !this.#stopped.signal.aborted) {
      try {
        await this.#tellCommitted();
        if (!this.#again) continue;
        this.#again = false;
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

  /** Tells what this process has committed, but for what others came before: that is read from the log, in order. */
  async #tellCommitted(): Promise<void> {
    const following: C[] = [];
    let at = this.#at;
    this.#committedCount = 0;
    for (const changes of this.#committed.splice(0)) {
      const last = changes.at(-1)?.position ?? 0;
      if (
        changes[0]!.position === at + 1 &&
        last === at + changes.length &&
        this.#feed.isOf?.(changes[0]!, this.#log)
      ) {
        following.push(...changes);
        at = last;
      }
      // What was read meanwhile is behind; after a failover to an older state of the store everything is.
      else this.#again = true;
    }
    if (following.length > 0) await this.#publishOrLose(following, this.#log, at);
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
      await this.#publishOrLose(changes, log, last);
    }
  }

  async #publishOrLose(changes: readonly C[], log: string, last: number): Promise<void> {
    try {
      await this.#publish(changes);
    } catch (error) {
      // Some were not told.
      this.#lose(log, last);
      throw error;
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

  async #publish(changes: readonly C[]): Promise<void> {
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
    return select(this.#kind, this.#feed, this.#log, changes, filter);
  }
}

/** Returns what a watcher with this filter is told of `changes`. */
export function select<C extends { position: number }, F extends { key: string }, T>(
  kind: ChangeKind,
  feed: Feed<C, F, T>,
  log: string,
  changes: readonly C[],
  filter: F,
): WatchEvent<T>[] {
  return changes
    .map((change) => feed.select(change, filter, toCursor(kind, { log, position: change.position })))
    .filter((event) => event !== null);
}

/** Tells a watcher `events`, and waits until it takes more. */
export async function tell<T>(
  sink: WatchSink<T>,
  events: readonly WatchEvent<T>[],
  signal: AbortSignal,
): Promise<void> {
  if (!sink.put(events)) await sink.ready(signal);
}
