import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import type { ChangeBounds } from '../../../src/core/watch/changeStore.ts';
import { readCursor, toCursor } from '../../../src/core/watch/cursor.ts';
import { WatchHub } from '../../../src/core/watch/hub.ts';
import type { Feed, WatchEvent } from '../../../src/core/watch/watchEvent.ts';
import { Watcher } from './watching.ts';

interface Change {
  position: number;
  bytes: number;
}

/** What changed is its position; a filter selects the multiples of a number. */
interface Filter {
  key: string;
  of: number;
}

const LOG = '00000000000000aa';
const ALL: Filter = { key: 'all', of: 1 };
const EVEN: Filter = { key: 'even', of: 2 };

/** A log of changes that the test writes, with the hub that reads it. */
class FakeLog implements Feed<Change, Filter, { position: number }> {
  bounds: ChangeBounds = { log: LOG, floor: 0, last: 0 };
  /** The positions after which changes were read. */
  readonly reads: number[] = [];
  /** The errors of the next reads of the bounds. */
  readonly faults: Error[] = [];
  /** What the reads of the bounds wait for. */
  held: Promise<void> | null = null;
  /** The changes that are known no more, although the log has them. */
  readonly lost = new Set<number>();
  readonly hub: WatchHub<Change, Filter, { position: number }>;
  #changes: Change[] = [];

  constructor() {
    const store = {
      shared: false,
      closed: new AbortController().signal,
      changeBounds: async () => {
        const bounds = { ...this.bounds };
        const fault = this.faults.shift();
        await this.held;
        if (fault !== undefined) throw fault;
        return bounds;
      },
    };
    this.hub = new WatchHub('job', store as unknown as Store, this, silentLogger);
  }

  /** Adds changes, which the hub is not told of. */
  write(count: number, bytes = 1): void {
    for (let more = count; more > 0; more--) this.#changes.push({ position: ++this.bounds.last, bytes });
  }

  add(count: number, bytes = 1): void {
    this.write(count, bytes);
    this.hub.wake();
  }

  /** Adds changes that this process commits together. */
  commit(count: number): void {
    this.write(count);
    this.hub.committed(this.#changes.slice(-count));
  }

  isOf(_change: Change, log: string): boolean {
    return log === this.bounds.log;
  }

  async read(after: number): Promise<Change[] | null> {
    this.reads.push(after);
    const changes = this.#changes.filter(({ position }) => position > after).slice(0, 100);
    return after < this.bounds.floor || changes.some(({ position }) => this.lost.has(position)) ? null : changes;
  }

  select({ position }: Change, { of }: Filter, cursor: string): WatchEvent<{ position: number }> | null {
    return position % of === 0 ? { kind: 'item', item: { position }, cursor } : null;
  }

  async *current(_filter: Filter, since: number) {
    yield [{ position: -since }];
  }

  /** Watches from a position on, or from the current state. */
  watch(after: number | null = null, filter = ALL, log = LOG): Watcher<{ position: number }> {
    const place = after === null ? null : this.hub.place(toCursor('job', { log, position: after }));
    return new Watcher((sink, signal) => this.hub.watch(filter, place, sink, signal));
  }
}

type Told = Watcher<{ position: number }>;

/** Returns what was told: positions, `-1` for the state at 1, and markers. */
function told({ events }: Told): (number | string)[] {
  return events.map((event) => {
    if (event.kind === 'item') return event.item.position;
    return event.kind === 'marker' ? event.marker : event.kind;
  });
}

/** Waits until the change at `position` was told. */
const until = (watcher: Told, position: number) =>
  watcher.until((events) => events.some((event) => event.kind === 'item' && event.item.position === position));

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('what this process has committed', () => {
  test('is told without reading the log', async () => {
    const log = new FakeLog();
    const watcher = log.watch();
    await watcher.current();
    for (let position = 1; position <= 300; position += 3) {
      log.commit(3);
      if (position % 2 === 0) await until(watcher, position + 2);
    }
    await until(watcher, 300);
    expect(told(watcher)).toEqual([-0, 'current', ...range(1, 300)]);
    expect(log.reads).toEqual([]);
    const followed = log.watch(298);
    await until(followed, 300);
    expect(told(followed)).toEqual([299, 300]);
    await Promise.all([watcher.stop(), followed.stop()]);
  });

  test('is told after what others committed before, and once when it was read with that', async () => {
    const log = new FakeLog();
    const watcher = log.watch();
    await watcher.current();
    log.commit(2);
    log.write(3);
    log.commit(2);
    await until(watcher, 7);
    // Read while it is told.
    log.add(2);
    log.commit(2);
    log.write(1);
    log.add(1);
    await until(watcher, 13);
    log.commit(1);
    await until(watcher, 14);
    expect(told(watcher)).toEqual([-0, 'current', ...range(1, 14)]);
    expect(log.reads[0]).toBe(2);
    await watcher.stop();
  });

  test('is told each once and in order whatever comes between', async () => {
    const write = fc.record({
      how: fc.constantFrom('commit', 'add', 'write', 'wait'),
      count: fc.integer({ min: 1, max: 150 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(write, { maxLength: 30 }), async (writes) => {
        const log = new FakeLog();
        const watcher = log.watch();
        await watcher.current();
        for (const { how, count } of writes) {
          if (how === 'wait') await new Promise(setImmediate);
          else log[how as 'commit' | 'add' | 'write'](count);
        }
        log.add(1);
        await until(watcher, log.bounds.last);
        expect(told(watcher)).toEqual([-0, 'current', ...range(1, log.bounds.last)]);
        await watcher.stop();
      }),
      { numRuns: 50 },
    );
  });

  test('is read when the log was replaced, whose positions are others', async () => {
    const log = new FakeLog();
    const watcher = log.watch();
    await watcher.current();
    log.commit(2);
    await until(watcher, 2);
    log.bounds.log = '00000000000000bb';
    log.commit(1);
    await watcher.until((events) => events.some((event) => event.kind === 'marker' && event.marker === 'reset'));
    expect(told(watcher).slice(0, 5)).toEqual([-0, 'current', 1, 2, 'reset']);
    await watcher.stop();
  });
});

describe('a watcher that reads slowly', () => {
  test.each([
    ['a few changes that it missed from memory', 20, 1, false],
    ['more changes than are kept from the log', 900, 1, true],
    ['larger changes than are kept from the log', 20, 1024 * 1024, true],
  ])('is told %s, each once and in order, while others go on', async (_, count, bytes, fromLog) => {
    const log = new FakeLog();
    const [slow, fast] = [log.watch(), log.watch()];
    await Promise.all([slow.current(), fast.current()]);
    slow.slowDown();
    log.add(1);
    await until(fast, 1);
    for (let position = 2; position <= count; position += 10) {
      log.add(Math.min(10, count + 1 - position), bytes);
      await until(fast, Math.min(position + 9, count));
    }
    expect(told(slow)).toEqual([-0, 'current', 1]);
    const reads = log.reads.length;
    slow.hurry();
    await until(slow, count);
    expect(told(slow)).toEqual(told(fast));
    expect(told(slow)).toEqual([-0, 'current', ...range(1, count)]);
    expect(log.reads.slice(reads).length > 0).toBe(fromLog);
    log.add(1);
    await Promise.all([until(slow, count + 1), until(fast, count + 1)]);
    expect(slow.events.length).toBe(fast.events.length);
    await Promise.all([slow.stop(), fast.stop()]);
  });

  test('is told to start again when what it missed was forgotten', async () => {
    const log = new FakeLog();
    const [slow, fast] = [log.watch(), log.watch()];
    await Promise.all([slow.current(), fast.current()]);
    slow.slowDown();
    for (let position = 1; position < 700; position += 100) {
      log.add(100);
      await until(fast, position + 99);
    }
    log.bounds.floor = 650;
    const before = slow.events.length;
    slow.hurry();
    await slow.until((events) =>
      events.slice(before).some((event) => event.kind === 'marker' && event.marker === 'current'),
    );
    expect(told(slow).slice(before)).toEqual(['reset', -700, 'current']);
    log.add(1);
    await until(slow, 701);
    expect(told(slow).slice(before + 3)).toEqual([701]);
    await Promise.all([slow.stop(), fast.stop()]);
  });
});

describe('a watcher that resumes', () => {
  test.each([
    ['is told the changes after its cursor', 3, LOG, [4, 5]],
    ['at the last change is told nothing old', 5, LOG, []],
    ['whose next changes are the oldest known ones is told them', 2, LOG, [3, 4, 5]],
    ['before the oldest known changes is told to start again', 1, LOG, ['reset', -5, 'current']],
    ['with a cursor of another log is told to start again', 3, '00000000000000bb', ['reset', -5, 'current']],
    ['after the last change is told to start again', 6, LOG, ['reset', -5, 'current']],
  ])('%s', async (_, after, name, expected) => {
    const log = new FakeLog();
    log.write(5);
    log.bounds.floor = 2;
    const watcher = log.watch(after, ALL, name);
    await watcher.until((events) => events.length >= expected.length);
    log.add(1);
    await until(watcher, 6);
    expect(told(watcher)).toEqual([...expected, 6]);
    await watcher.stop();
  });

  test('from what another process wrote and this one has not read yet is told what follows, as the others are', async () => {
    const log = new FakeLog();
    const first = log.watch();
    await first.current();
    log.write(7);
    const second = log.watch(5);
    await Promise.all([until(first, 7), until(second, 7)]);
    expect(told(first)).toEqual([-0, 'current', ...range(1, 7)]);
    expect(told(second)).toEqual([6, 7]);
    await Promise.all([first.stop(), second.stop()]);
  });
});

describe('all watchers', () => {
  test('are told to start again when changes are no longer known, and go on', async () => {
    const log = new FakeLog();
    const watchers = [log.watch(), log.watch(null, EVEN)];
    await Promise.all(watchers.map((watcher) => watcher.current()));
    log.lost.add(2);
    log.add(3);
    const isAgain = (events: WatchEvent<unknown>[]) => events.filter(({ kind }) => kind === 'marker').length === 3;
    await Promise.all(watchers.map((watcher) => watcher.until(isAgain)));
    log.add(1);
    await Promise.all(watchers.map((watcher) => until(watcher, 4)));
    for (const watcher of watchers) expect(told(watcher)).toEqual([-0, 'current', 'reset', -3, 'current', 4]);
    await Promise.all(watchers.map((watcher) => watcher.stop()));
  });

  test('are told to start again when the store is another one, restored or new', async () => {
    const log = new FakeLog();
    log.write(9);
    const watcher = log.watch();
    await watcher.current();
    log.bounds = { log: '00000000000000bb', floor: 0, last: 4 };
    log.hub.wake();
    await watcher.until((events) => events.length === 5);
    expect(told(watcher)).toEqual([-9, 'current', 'reset', -4, 'current']);
    expect(readCursor('job', watcher.cursor)).toEqual({ log: '00000000000000bb', position: 4 });
    await watcher.stop();
  });

  test('lose nothing while the store is away', async () => {
    const log = new FakeLog();
    const watcher = log.watch();
    await watcher.current();
    log.faults.push(new PassthruError('store_unavailable', 'away'));
    log.add(2);
    await until(watcher, 2);
    expect(told(watcher)).toEqual([-0, 'current', 1, 2]);
    await watcher.stop();
  });

  test('with equal filters are told the same events, so that they are encoded once', async () => {
    const log = new FakeLog();
    const [one, same, other] = [log.watch(), log.watch(null, { ...ALL }), log.watch(null, EVEN)];
    await Promise.all([one.current(), same.current(), other.current()]);
    log.add(2);
    await Promise.all([until(one, 2), until(same, 2), until(other, 2)]);
    expect(same.events.at(-1)).toBe(one.events.at(-1));
    expect(told(other)).toEqual([-0, 'current', 2]);
    await Promise.all([one.stop(), same.stop(), other.stop()]);
  });

  test('are counted while they watch, and the log is read for none', async () => {
    const log = new FakeLog();
    const watcher = log.watch();
    await watcher.current();
    expect(log.hub.count).toBe(1);
    await watcher.stop();
    expect(log.hub.count).toBe(0);
    const reads = log.reads.length;
    log.add(5);
    await new Promise(setImmediate);
    expect(log.reads.length).toBe(reads);
  });

  test.each([
    ['are written', (log: FakeLog) => log.add(2)],
    ['are committed', (log: FakeLog) => log.commit(2)],
  ])('are told the changes that %s while the first read is on its way back', async (_, change) => {
    const log = new FakeLog();
    log.write(5);
    const held = Promise.withResolvers<void>();
    log.held = held.promise;
    const watcher = log.watch(5);
    change(log);
    log.held = null;
    held.resolve();
    await until(watcher, 7);
    expect(told(watcher)).toEqual([6, 7]);
    await watcher.stop();
  });

  test.each([
    ['succeeds', false],
    ['fails', true],
  ])('leave at once while the first read waits, which later %s', async (_, fails) => {
    const log = new FakeLog();
    const held = Promise.withResolvers<void>();
    log.held = held.promise;
    const left = new AbortController();
    const sink = new Watcher<{ position: number }>(() => new Promise(() => {}));
    const watching = log.hub.watch(ALL, null, sink, left.signal);
    expect(log.hub.count).toBe(1);
    const reason = new Error('left');
    left.abort(reason);
    await expect(watching).rejects.toBe(reason);
    expect(log.hub.count).toBe(0);

    // An unhandled rejection would fail the run.
    if (fails) held.reject(new Error('away'));
    else held.resolve();
    await new Promise((resolve) => setImmediate(resolve));
    log.held = null;
    log.add(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect([sink.events, log.reads, log.hub.count]).toEqual([[], [], 0]);
  });

  test('end when the hub closes', async () => {
    const log = new FakeLog();
    const watcher = log.watch();
    await watcher.current();
    log.hub.close();
    expect(await watcher.ended).toMatchObject({ kind: 'shutting_down' });
  });
});
