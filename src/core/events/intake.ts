import { isStoreUnavailable, PassthruError } from '../errors.ts';
import type { Logger } from '../logger.ts';
import type { Observer } from '../observer.ts';
import type { Store } from '../store.ts';
import type { EventGap, EventRecord, StoredEvent } from './event.ts';
import { identify } from './eventIdentity.ts';
import type { EventIntake, EventResolver } from './eventIntake.ts';
import type { NewEvent } from './eventStore.ts';
import { RecordCompletion } from './recordCompletion.ts';
import { TokenBucket } from './tokenBucket.ts';

export interface IntakeLimits {
  /** Events per second of one node, and of all. */
  rate: number;
  totalRate: number;
}

export const DEFAULT_INTAKE_LIMITS: IntakeLimits = { rate: 100, totalRate: 5000 };

/** The number of events that wait to be stored, of one node and of all. */
const MAX_WAITING_OF_NODE = 2000;
const MAX_WAITING = 20_000;

/** The number of events that one transaction stores, unless a single post has more. */
const BATCH = 500;

/** How long a transaction waits for more, in milliseconds, while each turn of the event loop brings some. */
const GATHERING = 5;

/**
 * The number of events that do not wait for more. A turn may bring a post of every BMC: the rest of them is read while the database
 * stores these, whose BMCs send again while it stores the rest.
 */
const ENOUGH = 100;

/** The number of nodes whose rates are remembered before those that are idle are forgotten. */
const MAX_BUCKETS = 10_000;

/** What was taken at once, and is stored whole. */
interface Post {
  events: readonly NewEvent[];
  stored(): void;
  failed(error: unknown): void;
}

/** The posts of a node that wait, the oldest first. */
interface Line {
  posts: Post[];
  /** The number of events that wait or are being completed. */
  waiting: number;
}

/**
 * Implements `EventIntake`. What arrives while a transaction is under way is stored by the next one, together. The nodes take
 * turns, so that one with many waiting events keeps no other one from being stored.
 */
export class StoringIntake implements EventIntake {
  readonly #store: Store;
  readonly #limits: IntakeLimits;
  readonly #log: Logger;
  readonly #observer: Observer;
  readonly #now: () => number;
  readonly #completion: RecordCompletion;
  readonly #listeners: ((events: readonly StoredEvent[]) => void)[] = [];
  readonly #lines = new Map<string, Line>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #total: TokenBucket;
  #waiting = 0;
  /** The number of events in the lines, and of those that were ever put there. */
  #inLine = 0;
  #arrived = 0;
  /** Ends the wait for more before the next turn. */
  #haveEnough = () => {};
  #storing: Promise<void> | null = null;

  constructor(
    store: Store,
    log: Logger,
    observer: Observer,
    limits: IntakeLimits = DEFAULT_INTAKE_LIMITS,
    now: () => number = () => performance.now(),
  ) {
    this.#store = store;
    this.#log = log;
    this.#observer = observer;
    this.#limits = limits;
    this.#now = now;
    this.#completion = new RecordCompletion(log, now);
    this.#total = new TokenBucket(limits.totalRate, now);
  }

  onStored(listener: (events: readonly StoredEvent[]) => void): void {
    this.#listeners.push(listener);
  }

  completeWith(resolver: EventResolver): void {
    this.#completion.resolver = resolver;
  }

  async take(nodeUuid: string, records: readonly EventRecord[]): Promise<void> {
    if (records.length === 0) return;
    this.#admit(nodeUuid, records.length);
    const line = this.#lineOf(nodeUuid);
    this.#count(line, records.length);
    try {
      const completion = this.#completion;
      const whole = completion.canComplete(nodeUuid, records) ? await completion.complete(nodeUuid, records) : records;
      const now = Date.now();
      await this.#put(
        line,
        whole.map((record) => identify(nodeUuid, record, now)),
      );
    } finally {
      this.#count(line, -records.length);
      if (line.waiting === 0) this.#lines.delete(nodeUuid);
    }
  }

  async noteGap(nodeUuid: string, gap: EventGap): Promise<void> {
    const line = this.#lineOf(nodeUuid);
    this.#count(line, 1);
    try {
      await this.#put(line, [identify(nodeUuid, gap, Date.now())]);
    } finally {
      this.#count(line, -1);
      if (line.waiting === 0) this.#lines.delete(nodeUuid);
    }
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    while (this.#storing !== null) await this.#storing;
  }

  /** Throws kind `rate_limited` when more arrive than are stored. */
  #admit(nodeUuid: string, count: number): void {
    let bucket = this.#buckets.get(nodeUuid);
    if (bucket === undefined) {
      if (this.#buckets.size >= MAX_BUCKETS) this.#forgetIdle();
      bucket = new TokenBucket(this.#limits.rate, this.#now);
      this.#buckets.set(nodeUuid, bucket);
    }
    if (!bucket.open) throw limited(`Node ${nodeUuid} sends more than ${this.#limits.rate} events a second`);
    if (!this.#total.open) throw limited(`More than ${this.#limits.totalRate} events a second arrive`);
    const waiting = this.#lines.get(nodeUuid)?.waiting ?? 0;
    if (waiting > MAX_WAITING_OF_NODE) throw limited(`${waiting} events of node ${nodeUuid} wait to be stored`);
    if (this.#waiting > MAX_WAITING) throw limited(`${this.#waiting} events wait to be stored`);
    bucket.take(count);
    this.#total.take(count);
  }

  #forgetIdle(): void {
    for (const [nodeUuid, bucket] of this.#buckets) if (bucket.full) this.#buckets.delete(nodeUuid);
  }

  #lineOf(nodeUuid: string): Line {
    let line = this.#lines.get(nodeUuid);
    if (line === undefined) {
      line = { posts: [], waiting: 0 };
      this.#lines.set(nodeUuid, line);
    }
    return line;
  }

  #count(line: Line, events: number): void {
    line.waiting += events;
    this.#waiting += events;
  }

  #put(line: Line, events: readonly NewEvent[]): Promise<void> {
    const { promise, resolve: stored, reject: failed } = Promise.withResolvers<void>();
    line.posts.push({ events, stored, failed });
    this.#inLine += events.length;
    this.#arrived += events.length;
    this.#storing ??= this.#storeWaiting();
    if (this.#inLine >= ENOUGH) this.#haveEnough();
    return promise;
  }

  async #storeWaiting(): Promise<void> {
    await this.#gather();
    for (let posts = this.#nextPosts(); posts.length > 0; posts = this.#nextPosts()) {
      await this.#storePosts(posts);
      if (this.#lines.size > 0) await this.#gather();
    }
    // In the same turn as nothing was waiting.
    this.#storing = null;
  }

  /**
   * Waits while more arrive: a commit costs little more for many events than for one. Node accepts one connection in each turn of
   * the event loop, so that many senders that connect at once would otherwise wait for as many commits.
   */
  async #gather(): Promise<void> {
    const end = this.#now() + GATHERING;
    let before: number;
    do {
      if (this.#inLine >= ENOUGH) return;
      before = this.#arrived;
      await new Promise<void>((resolve) => {
        this.#haveEnough = resolve;
        setImmediate(resolve);
      });
    } while (this.#arrived > before && this.#now() < end);
  }

  /** Takes the posts of the next transaction: one of each node, then another of each. */
  #nextPosts(): Post[] {
    const posts: Post[] = [];
    let events = 0;
    for (let found = true; found && events < BATCH; ) {
      found = false;
      for (const [nodeUuid, line] of [...this.#lines]) {
        const post = line.posts[0];
        if (post === undefined || (posts.length > 0 && events + post.events.length > BATCH)) continue;
        line.posts.shift();
        posts.push(post);
        events += post.events.length;
        this.#inLine -= post.events.length;
        found = true;
        // Behind the others, for the next turn.
        this.#lines.delete(nodeUuid);
        this.#lines.set(nodeUuid, line);
      }
    }
    return posts;
  }

  /** Stores posts together, and tells each its outcome. */
  async #storePosts(posts: readonly Post[]): Promise<void> {
    let added: (StoredEvent | null)[];
    try {
      added = await this.#store.addEvents(posts.flatMap(({ events }) => events));
    } catch (error) {
      if (posts.length === 1 || isStoreUnavailable(error)) {
        if (!isStoreUnavailable(error)) this.#log.error({ err: error }, 'storing events failed');
        for (const post of posts) post.failed(error);
        return;
      }
      // A defect that one of them meets must not keep the others out.
      for (const post of posts) await this.#storePosts([post]);
      return;
    }
    for (const post of posts) post.stored();
    const events = added.filter((event) => event !== null);
    this.#observer.eventsStored(events, added.length - events.length);
    if (events.length > 0) for (const listener of this.#listeners) listener(events);
  }
}

function limited(why: string): PassthruError {
  return new PassthruError('rate_limited', `${why}; send again later.`);
}
