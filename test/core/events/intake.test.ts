import { setImmediate as oneTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PassthruError } from '../../../src/core/errors.ts';
import type { EventRecord, StoredEvent } from '../../../src/core/events/event.ts';
import type { NewEvent } from '../../../src/core/events/eventStore.ts';
import { StoringIntake } from '../../../src/core/events/intake.ts';
import { readEventRecords } from '../../../src/core/events/records/readRecords.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import { NO_OBSERVER } from '../../../src/core/observer.ts';
import type { Store } from '../../../src/core/store.ts';

/** Waits until what was taken is given to the store, which takes a few turns of the event loop. */
async function turn<T>(value?: T): Promise<T | undefined> {
  for (let turns = 0; turns < 4; turns++) await oneTurn();
  return value;
}

/** A store whose transactions a test ends by hand. */
function gatedStore() {
  const batches: { events: readonly NewEvent[]; end(error?: unknown): void }[] = [];
  const addEvents = (events: readonly NewEvent[]) =>
    new Promise<(StoredEvent | null)[]>((resolve, reject) => {
      const end = (error?: unknown) =>
        error === undefined ? resolve(events.map((event) => event as unknown as StoredEvent)) : reject(error);
      batches.push({ events, end });
    });
  return { batches, store: { addEvents } as unknown as Store };
}

const records = (...ids: (string | number)[]): EventRecord[] =>
  ids.flatMap((id) => readEventRecords({ EventId: String(id), Message: 'text' }));

const idsOf = (events: readonly NewEvent[]) => events.map(({ content }) => (content as EventRecord).bmcEventId);

function intakeOf(store: Store, limits = { rate: 1e6, totalRate: 1e7 }, now?: () => number) {
  return new StoringIntake(store, silentLogger, NO_OBSERVER, limits, now);
}

describe('the intake', () => {
  test('stores what arrives together in one transaction, and acknowledges it after the commit', async () => {
    const { store, batches } = gatedStore();
    const intake = intakeOf(store);
    const told: string[] = [];
    for (const id of ['1', '2', '3']) void intake.take(`node-${id}`, records(id)).then(() => told.push(id));
    await turn();
    expect(batches.map(({ events }) => idsOf(events))).toEqual([['1', '2', '3']]);
    void intake.take('node-4', records('4')).then(() => told.push('4'));
    await turn();
    expect(told).toEqual([]);
    batches[0]!.end();
    await turn();
    expect(told).toEqual(['1', '2', '3']);
    expect(idsOf(batches[1]!.events)).toEqual(['4']);
    batches[1]!.end();
    await intake.drain();
    expect(told).toEqual(['1', '2', '3', '4']);
  });

  test('stores what each of the next turns brings in the same transaction, for a few milliseconds', async () => {
    let now = 0;
    const { store, batches } = gatedStore();
    const intake = intakeOf(store, undefined, () => now);
    void intake.take('node-0', records('0'));
    for (const id of ['1', '2', '3']) {
      void intake.take(`node-${id}`, records(id));
      await oneTurn();
      expect(batches).toEqual([]);
    }
    await turn();
    expect(batches.map(({ events }) => idsOf(events))).toEqual([['0', '1', '2', '3']]);
    batches[0]!.end();
    await intake.drain();
    void intake.take('node', records('first'));
    for (let id = 0; batches.length === 1; id++) {
      expect(now).toBeLessThanOrEqual(5);
      void intake.take('node', records(id));
      await oneTurn();
      now++;
    }
    for (let next = 1; next < batches.length; next++) {
      batches[next]!.end();
      await turn();
    }
    await intake.drain();
  });

  test('stores what one turn brings in parts, without a wait for its end', async () => {
    const { store, batches } = gatedStore();
    const intake = intakeOf(store);
    let isOver = false;
    const over = oneTurn().then(() => {
      isOver = true;
    });
    const sizes: number[] = [];
    for (let id = 0; id < 150; id++) {
      void intake.take(`node-${id}`, records(id));
      // As Node does between two requests of a turn.
      await null;
      if (batches.length > sizes.length) sizes.push(id);
    }
    expect(isOver).toBe(false);
    expect(sizes).toHaveLength(1);
    await over;
    batches[0]!.end();
    await turn();
    expect(batches.map(({ events }) => events.length).reduce((sum, length) => sum + length)).toBe(150);
    batches[1]!.end();
    await intake.drain();
  });

  test('lets nodes take turns, so that a storm of one does not delay others', async () => {
    const { store, batches } = gatedStore();
    const intake = intakeOf(store);
    for (let id = 0; id < 1500; id++) void intake.take('loud', records(`loud ${id}`));
    await turn();
    for (const id of ['a', 'b']) void intake.take(`quiet ${id}`, records(id));
    await turn();
    expect(batches[0]!.events).toHaveLength(500);
    batches[0]!.end();
    await turn();
    expect(idsOf(batches[1]!.events).slice(0, 4)).toContain('a');
    expect(idsOf(batches[1]!.events).slice(0, 4)).toContain('b');
    for (let next = 1; next < batches.length; next++) {
      batches[next]!.end();
      await turn();
    }
    await intake.drain();
    // In the order in which the node sent them, each once.
    const stored = batches.flatMap(({ events }) => idsOf(events)).filter((id) => id.startsWith('loud'));
    expect(stored).toEqual(Array.from({ length: 1500 }, (_, id) => `loud ${id}`));
  });

  test('refuses more than its rate, of one node and of all, and takes them again later', async () => {
    let now = 0;
    const { store, batches } = gatedStore();
    const intake = intakeOf(store, { rate: 10, totalRate: 25 }, () => now);
    const taken = (node: string, count: number) =>
      Promise.race([
        intake.take(node, records(...Array.from({ length: count }, (_, id) => id))).catch((error) => error.kind),
        turn('taken'),
      ]);
    expect(await taken('a', 100)).toBe('taken');
    expect(await taken('a', 1)).toBe('rate_limited');
    expect(await taken('b', 149)).toBe('taken');
    expect(await taken('c', 1)).toBe('taken');
    expect(await taken('c', 1)).toBe('rate_limited');
    now += 200;
    expect(await taken('a', 1)).toBe('taken');
    now += 100_000;
    expect(await taken('b', 1)).toBe('taken');
    for (const batch of batches) batch.end();
  });

  test('fails what the store did not take, and nothing else', async () => {
    const { store, batches } = gatedStore();
    const intake = intakeOf(store);
    const kinds: Record<string, string> = {};
    const take = (id: string) =>
      void intake.take(id, records(id)).then(
        () => (kinds[id] = 'stored'),
        (error) => (kinds[id] = error.kind ?? 'defect'),
      );
    take('1');
    take('2');
    await turn();
    batches[0]!.end(new PassthruError('store_unavailable', 'away'));
    await turn();
    expect(kinds).toEqual({ 1: 'store_unavailable', 2: 'store_unavailable' });
    take('3');
    take('4');
    await turn();
    // A defect: one after the other.
    batches[1]!.end(new Error('value out of range'));
    await turn();
    batches[2]!.end(new Error('value out of range'));
    await turn();
    batches[3]!.end();
    await turn();
    expect(kinds).toMatchObject({ 3: 'defect', 4: 'stored' });
  });

  test('asks for what BMCs leave out, and stores records as they are when that fails', async () => {
    const { store, batches } = gatedStore();
    const intake = intakeOf(store);
    const bare = readEventRecords({ MessageId: 'Base.1.0.Success', Severity: 'OK' });
    let asked = 0;
    intake.completeWith({
      async complete(_, given) {
        asked++;
        if (asked > 1) throw new Error('the BMC is away');
        return given.map((record) => ({ ...record, message: 'Successful' }));
      },
    });
    const stored = async (given: EventRecord[]) => {
      const done = intake.take('node', given);
      while (batches.length === 0) await turn();
      const [batch] = batches.splice(0);
      batch!.end();
      await done;
      return batch!.events.map(({ content }) => content.message);
    };
    expect(await stored(bare)).toEqual(['Successful']);
    expect(await stored(records('whole'))).toEqual(['text']);
    expect(asked).toBe(1);
    expect(await stored(bare)).toEqual(['']);
    expect(asked).toBe(2);
    // It is not asked again for a while.
    expect(await stored(bare)).toEqual(['']);
    expect(asked).toBe(2);
  });
});
