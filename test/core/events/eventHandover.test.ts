import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { StoredEvent } from '../../../src/core/events/event.ts';
import { EventHandover } from '../../../src/core/events/handover/eventHandover.ts';
import type {
  Attempt,
  Delivery,
  HandoverTarget,
  MissedEvents,
} from '../../../src/core/events/handover/handoverTarget.ts';
import { Lease } from '../../../src/core/locks/lease.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { NO_OBSERVER, type Observer } from '../../../src/core/observer.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';

const NODE = '11111111-1111-4111-8111-111111111111';
const DELIVERED: Delivery = { outcome: 'delivered' };
const UNTIL = { timeout: 30_000, interval: 10 };

/** A receiver in memory, which tests let fail. */
class FakeTarget implements HandoverTarget {
  /** All attempts, by the texts of their events. */
  readonly tried: string[] = [];
  /** The maximum number of events in an attempt. */
  batch = 1;
  readonly missed: MissedEvents[] = [];
  closed = false;
  answer: (text: string, signal: AbortSignal) => Delivery | Promise<Delivery> = () => DELIVERED;

  async deliver(events: readonly StoredEvent[], signal: AbortSignal): Promise<Attempt> {
    const taken = events.slice(0, this.batch);
    const text = taken.map(({ content }) => (content.kind === 'gap' ? content.message : '')).join(' ');
    this.tried.push(text);
    return { delivery: await this.answer(text, signal), count: taken.length };
  }

  async deliverMissed(missed: MissedEvents): Promise<Delivery> {
    this.missed.push(missed);
    return DELIVERED;
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

let store: Store;
let lease: Lease;
let target: FakeTarget;
let counted: Record<string, number>;
let handovers: EventHandover[];
beforeEach(async () => {
  store = await openStore('sqlite::memory:', { log: silentLogger });
  lease = await startLease('host-a');
  target = new FakeTarget();
  counted = {};
  handovers = [];
});
afterEach(async () => {
  await Promise.all(handovers.map((handover) => handover.stop()));
  await lease.stop();
  await store.close();
});

async function startLease(host: string): Promise<Lease> {
  const made = new Lease(store, { host, lease: 30_000, grace: 0 }, silentLogger);
  await made.start();
  return made;
}

async function begin(options: { skipAfter?: number | null; target?: FakeTarget; lease?: Lease } = {}) {
  const observer: Observer = {
    ...NO_OBSERVER,
    eventsHandedOver(outcome, count) {
      counted[outcome] = (counted[outcome] ?? 0) + count;
    },
  };
  const handover = new EventHandover({
    ...{ store, lease, target, skipAfter: null, observer, log: silentLogger },
    ...options,
  });
  handovers.push(handover);
  await handover.begin();
  return handover;
}

/** Stores events with these texts. */
async function add(...texts: string[]): Promise<void> {
  const events = texts.map((message) => ({
    nodeUuid: NODE,
    content: { kind: 'gap' as const, start: new Date(0), end: new Date(1), message },
    digest: null,
    repeatedWithin: null,
  }));
  await store.addEvents(events);
  for (const handover of handovers) handover.wake();
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => `event ${index}`);

test('delivers each event once, in order, and stores how far it is', async () => {
  await add('before it began');
  const handover = await begin();
  await add(...numbered(450));
  await vi.waitFor(() => expect(target.tried).toEqual(numbered(450)), UNTIL);
  await add('one more');
  await vi.waitFor(async () => expect(await store.handoverLag()).toEqual({ events: 0, oldest: null }), UNTIL);
  expect(target.tried).toEqual([...numbered(450), 'one more']);
  expect(counted).toEqual({ delivered: 451 });
  await handover.stop();
  expect(target.closed).toBe(true);
});

test('goes on after what was delivered before a stop', async () => {
  const first = await begin();
  await add('a', 'b');
  await vi.waitFor(() => expect(target.tried).toEqual(['a', 'b']), UNTIL);
  await first.stop();
  await add('c');
  await begin();
  await vi.waitFor(() => expect(target.tried).toEqual(['a', 'b', 'c']), UNTIL);
});

test('repeats what fails, and lets the next ones wait', async () => {
  let failures = 2;
  target.answer = (text) =>
    text === 'b' && failures-- > 0 ? { outcome: 'failed', reason: 'away', retryAfter: null } : DELIVERED;
  await begin();
  await add('a', 'b', 'c');
  await vi.waitFor(() => expect(target.tried).toEqual(['a', 'b', 'b', 'b', 'c']), UNTIL);
  await vi.waitFor(() => expect(counted).toEqual({ delivered: 3, failed: 2 }), UNTIL);
});

test('waits for as long as the receiver asks', async () => {
  let asked: number | null = null;
  let waited = 0;
  target.answer = () => {
    if (asked !== null) {
      waited = performance.now() - asked;
      return DELIVERED;
    }
    asked = performance.now();
    return { outcome: 'failed', reason: 'busy', retryAfter: 1500 };
  };
  await begin();
  await add('a');
  await vi.waitFor(() => expect(waited).toBeGreaterThan(0), UNTIL);
  expect(waited).toBeGreaterThanOrEqual(1490);
});

test('skips an event that is refused for too long, and counts it; never one that fails otherwise', async () => {
  target.answer = (text) => {
    if (text === 'poison') return { outcome: 'refused', reason: 'returned 400', retryAfter: null };
    return target.tried.filter((each) => each === text).length > 2
      ? DELIVERED
      : { outcome: 'failed', reason: 'returned 500', retryAfter: null };
  };
  await begin({ skipAfter: 100 });
  await add('poison', 'good');
  await vi.waitFor(() => expect(counted.delivered).toBe(1), UNTIL);
  expect(counted).toEqual({ refused: 2, skipped: 1, failed: 2, delivered: 1 });
  expect(target.tried).toEqual(['poison', 'poison', 'good', 'good', 'good']);
});

test('delivers events together, and what failed again as it was', async () => {
  target.batch = 4;
  let failures = 2;
  target.answer = (text) =>
    text.startsWith('e') && failures-- > 0 ? { outcome: 'failed', reason: 'away', retryAfter: null } : DELIVERED;
  await add('before');
  const handover = await begin();
  await store.addEvents([]);
  await add('a', 'b', 'c', 'd', 'e', 'f');
  await vi.waitFor(() => expect(target.tried.filter((text) => text.startsWith('e'))).toHaveLength(1), UNTIL);
  // Those that come meanwhile are not added to what was tried.
  await add('g');
  await vi.waitFor(() => expect(counted).toEqual({ delivered: 7, failed: 2 }), UNTIL);
  expect(target.tried).toEqual(['a b c d', 'e f', 'e f', 'e f', 'g']);
  await handover.stop();
  expect((await store.handoverLag()).events).toBe(0);
});

test('finds the one that is refused among those that are delivered together, and skips it alone', async () => {
  target.batch = 8;
  target.answer = (text) =>
    text.split(' ').includes('poison') ? { outcome: 'refused', reason: 'returned 400', retryAfter: null } : DELIVERED;
  await begin({ skipAfter: 0 });
  await add('a', 'b', 'c', 'poison', 'd', 'e', 'f', 'g', 'h');
  await vi.waitFor(() => expect(counted.delivered).toBe(8), UNTIL);
  expect(counted).toEqual({ delivered: 8, refused: 1, skipped: 1 });
  expect(target.tried).toEqual([
    'a b c poison d e f g',
    'a b c poison',
    'a b',
    'c poison d e f g h',
    'c poison d e',
    'c poison',
    'c',
    'poison d e f g h',
    'poison d e',
    'poison d',
    'poison',
    'd e f g h',
  ]);
});

test('tells the receiver which events were removed before they could be delivered', async () => {
  const first = await begin();
  await add('a');
  await vi.waitFor(() => expect(target.tried).toEqual(['a']), UNTIL);
  await first.stop();
  await add('b', 'c', 'd');
  await store.removeChanges('event', new Date(8.64e15), 1e6, 3);
  await begin();
  await vi.waitFor(() => expect(target.tried).toEqual(['a', 'd']), UNTIL);
  expect(target.missed).toEqual([
    { first: expect.stringMatching(/-2$/), last: expect.stringMatching(/-3$/), count: 2 },
  ]);
  await vi.waitFor(() => expect(counted).toEqual({ delivered: 2, missed: 2 }), UNTIL);
});

test('a stop ends a delivery that takes too long, which the next process repeats', async () => {
  const begun = Promise.withResolvers<void>();
  target.answer = async (_, signal) => {
    begun.resolve();
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  const first = await begin();
  await add('a');
  await begun.promise;
  await first.stop();
  target.answer = () => DELIVERED;
  await begin();
  await vi.waitFor(() => expect(target.tried).toEqual(['a', 'a']), UNTIL);
});

test('one process at a time hands over, and another goes on when its lease has ended', async () => {
  const other = new FakeTarget();
  const otherLease = await startLease('host-b');
  target.answer = (text) =>
    text === 'b' ? { outcome: 'failed', reason: 'it cannot reach the receiver', retryAfter: null } : DELIVERED;
  await begin();
  await add('a', 'b', 'c');
  await vi.waitFor(() => expect(target.tried.slice(0, 2)).toEqual(['a', 'b']), UNTIL);
  await begin({ target: other, lease: otherLease });
  await store.removeConductor(lease.current().id);
  lease.lost(lease.current());
  await vi.waitFor(() => expect(other.tried).toContain('c'), UNTIL);
  expect(other.tried.slice(-2)).toEqual(['b', 'c']);
  expect(target.tried).not.toContain('c');
  await handovers[1]!.stop();
  await otherLease.stop();
});
