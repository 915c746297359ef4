import fc from 'fast-check';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';
import { enrol, reserve, sampleConductor } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

let server: PostgresServer;
let url: string;
let stores: Store[];
let client: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
}, 120_000);

afterAll(async () => {
  await server.remove();
});

beforeEach(async () => {
  url = server.url(await server.createDatabase());
  stores = [await open(), await open()];
  await stores[0]!.addConductor(sampleConductor());
  client = new pg.Client(url);
  await client.connect();
});

afterEach(async () => {
  await client.end();
  for (const store of stores) await store.close();
});

/** How many steps have reported that the database fails. */
let unavailable = 0;

const open = () => openStore(url, { log: silentLogger, onUnavailable: () => unavailable++ });

const LONG_AGO = new Date(0);

/** Lets the readers of the log be ones that have not read for long, and removes them as the service does every minute. */
async function forgetReaders(store: Store): Promise<void> {
  await client.query('update node_log_readers set read_time = -1e9');
  await store.removeChanges('node', LONG_AGO, 1_000_000, 100);
}

/** Returns the logged reservations: whether the node was free before each. */
async function logged(): Promise<boolean[]> {
  const { rows } = await client.query("select before from node_changes where part = 'reservation' order by id");
  return rows.map(({ before }) => before === null);
}

async function call(store: Store, uuid: string): Promise<void> {
  await store.release(uuid, await reserve(store, uuid));
}

test('reservations are logged from when the first process reads the log, until no process has read it for long', async () => {
  const [store, other] = stores as [Store, Store];
  const { uuid } = await enrol(store);
  await call(store, uuid);
  expect(await logged()).toEqual([]);
  await other.changeBounds('node');
  await call(store, uuid);
  expect(await logged()).toEqual([true, false]);
  await forgetReaders(store);
  await call(store, uuid);
  expect(await logged()).toEqual([true, false]);
  await store.changeBounds('node');
  await call(other, uuid);
  expect(await logged()).toEqual([true, false, true, false]);
});

test('changes that the next first reader leaves below the floor are removed', async () => {
  const [store] = stores as [Store, Store];
  const { uuid } = await enrol(store);
  for (let session = 0; session < 3; session++) {
    await store.changeBounds('node');
    await call(store, uuid);
    await store.changeBounds('node');
    await forgetReaders(store);
  }
  const { floor, last } = await store.changeBounds('node');
  while ((await store.removeChanges('node', LONG_AGO, 1_000_000, 2)) === 2);
  expect((await client.query('select from node_changes')).rowCount).toBe(0);
  expect(await store.changeBounds('node')).toMatchObject({ floor, last });
});

test('the calls of a lost process with many nodes end in one statement', async () => {
  const [store] = stores as [Store, Store];
  const { uuid } = await enrol(store);
  const count = 20_000;
  await client.query(
    `insert into nodes (uuid, driver, vendor_interface, driver_info, extra, properties, attributes, maintenance, create_time)
      select 'node-' || number, 'd', 'v', '{}', '{}', '{}', '{}', 0, 0 from generate_series(1, ${count}) as number;
    insert into reservations (node_uuid, fence, kind, holder, owner)
      select 'node-' || number, 1, 'call', 'x', 'lost' from generate_series(1, ${count}) as number`,
  );
  const { last } = await store.changeBounds('node');
  // The plan of the first statement, of one row, is kept.
  for (let time = 0; time < 10; time++) await call(store, uuid);
  const error = { kind: 'worker_lost' as const, message: '', violations: [], lock: null, bmc: null };
  const lost = { all: false, orphans: true, now: new Date(), error, lastError: () => '', unknown: {} };
  expect((await store.reap(lost)).freed).toHaveLength(count);
  expect((await store.changeBounds('node')).last).toBe(last + 20 + count);
});

test('a position before a gap is below the floor, also for the process that has gone on reading', async () => {
  const [store, other] = stores as [Store, Store];
  const { uuid } = await enrol(store);
  const before = await store.changeBounds('node');
  await call(store, uuid);
  const { last: read, floor } = await store.changeBounds('node');
  expect([read, floor]).toEqual([before.last + 2, before.floor]);
  await forgetReaders(other);
  await call(store, uuid);
  expect((await store.changeBounds('node')).floor).toBeGreaterThan(read);
  expect((await other.changeBounds('node')).floor).toBe(await store.changeFloor('node'));
});

test('a process that begins to read while another one does leaves all positions as they are', async () => {
  const [store, other] = stores as [Store, Store];
  const { uuid } = await enrol(store);
  const { floor, last } = await store.changeBounds('node');
  await call(store, uuid);
  const bounds = await other.changeBounds('node');
  expect(bounds).toMatchObject({ floor, last: last + 2 });
  expect((await other.nodeChanges(last, 10)).map(({ part }) => part)).toEqual(['reservation', 'reservation']);
  // Also when it goes away, and when the first one does.
  await other.close();
  stores = [store];
  await call(store, uuid);
  expect((await store.changeBounds('node')).floor).toBe(floor);
});

test('the first reader waits for a transaction that has changed a reservation before it, and for no later one', async () => {
  const [store] = stores as [Store, Store];
  const [first, second] = [await enrol(store), await enrol(store)];
  const later = new pg.Client(url);
  await later.connect();
  await client.query('begin');
  await client.query("update reservations set kind = 'held', holder = 'x' where node_uuid = $1", [first.uuid]);
  let ended = false;
  const reading = store.changeBounds('node').finally(() => {
    ended = true;
  });
  await expect
    .poll(async () => (await later.query('select from node_log_readers')).rowCount, { interval: 5 })
    .toBeGreaterThan(0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(ended).toBe(false);
  await later.query('begin');
  await later.query("update reservations set kind = 'held', holder = 'y' where node_uuid = $1", [second.uuid]);
  await client.query('commit');
  const { last } = await reading;
  await later.query('commit');
  await later.end();
  await store.changeBounds('node');
  expect((await store.nodeChanges(last, 10)).map(({ nodeUuid }) => nodeUuid)).toEqual([second.uuid]);
});

/** Whether `promise` is pending after a while that is enough for statements that wait for nothing. */
function isPending(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => false), new Promise<boolean>((resolve) => setTimeout(resolve, 200, true))]);
}

test('a process that begins to read while another one removes the last reader is the first', async () => {
  const [store, other] = stores as [Store, Store];
  const { last } = await other.changeBounds('node');
  await client.query("begin; select from change_logs where kind = 'node' for update; delete from node_log_readers");
  const reading = store.changeBounds('node');
  expect(await isPending(reading)).toBe(true);
  await client.query('commit');
  expect((await reading).floor).toBeGreaterThan(last);
});

test('readers are not removed while another process begins to read, which may count on them', async () => {
  const [store] = stores as [Store, Store];
  await store.changeBounds('node');
  await client.query('update node_log_readers set read_time = -1e9');
  await client.query("begin; select from change_logs where kind = 'node' for update");
  const removing = store.removeChanges('node', LONG_AGO, 1_000_000, 100);
  expect(await isPending(removing)).toBe(true);
  expect((await client.query('select from node_log_readers')).rowCount).toBe(1);
  await client.query('commit');
  await removing;
  expect((await client.query('select from node_log_readers')).rowCount).toBe(0);
});

test('a reader is kept for the minute in which its time may not be written yet', async () => {
  const [store] = stores as [Store, Store];
  await store.changeBounds('node');
  const readTime = Date.now() - 3_600_000;
  await client.query('update node_log_readers set read_time = $1', [readTime]);
  const readersAfter = async (notBefore: number) => {
    await store.removeChanges('node', new Date(notBefore), 1_000_000, 100);
    return (await client.query('select from node_log_readers')).rowCount;
  };
  expect(await readersAfter(readTime + 50_000)).toBe(1);
  expect(await readersAfter(readTime + 70_000)).toBe(0);
  await store.changeBounds('node');
  // It has read just now.
  expect(await readersAfter(Date.now() + 3_600_000)).toBe(1);
});

test('a store that is closed while it waits for a transaction ends the wait', async () => {
  const [store, other] = stores as [Store, Store];
  const { uuid } = await enrol(store);
  await client.query('begin');
  await client.query('update reservations set wanted = 1 where node_uuid = $1', [uuid]);
  const reading = other.changeBounds('node').catch((thrown: Error) => thrown.message);
  expect(await isPending(reading)).toBe(true);
  const closing = performance.now();
  await other.close();
  stores = [store];
  expect(await reading).toBe('The store is closed');
  // Not after the 15 seconds that it would have waited.
  expect(performance.now() - closing).toBeLessThan(10_000);
  await client.query('rollback');
});

test('a process that could not wait for the transactions before it waits for them when it asks again', async () => {
  const [store] = stores as [Store, Store];
  const { uuid } = await enrol(store);
  await client.query('begin');
  await client.query('update reservations set wanted = 1 where node_uuid = $1', [uuid]);
  unavailable = 0;
  const reading = store.changeBounds('node');
  expect(await isPending(reading)).toBe(true);
  const error = await reading.catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ kind: 'store_unavailable', message: expect.stringContaining('does not end') });
  // The database has not failed.
  expect(unavailable).toBe(0);
  const again = store.changeBounds('node');
  expect(await isPending(again)).toBe(true);
  await client.query('commit');
  await again;
});

test('calls that are reserved and ended in one statement are logged once each', async () => {
  const [store] = stores as [Store, Store];
  const uuids: string[] = [];
  for (let index = 0; index < 40; index++) uuids.push((await enrol(store)).uuid);
  const { last } = await store.changeBounds('node');
  const rounds = 5;
  await Promise.all(
    uuids.map(async (uuid) => {
      for (let round = 0; round < rounds; round++) await call(store, uuid);
    }),
  );
  await store.changeBounds('node');
  const changes = await store.nodeChanges(last, 1000);
  for (const uuid of uuids) {
    const befores = changes
      .filter(({ nodeUuid }) => nodeUuid === uuid)
      .map(({ before }) => before?.reservation ?? null);
    expect(befores.map((before) => before === null)).toEqual(Array(rounds).fill([true, false]).flat());
  }
});

/** What one of two writers, of a node each, or one of two readers does next. */
const step = fc.oneof(
  fc.record({ write: fc.nat(1) }),
  fc.record({ end: fc.nat(1), commit: fc.boolean() }),
  fc.record({ read: fc.nat(1) }),
  fc.record({ forget: fc.nat(1) }),
);

test('however readers come and go beside transactions, a position above the floor is followed by every change', async () => {
  const writers = await Promise.all(
    [0, 1].map(async () => {
      const writer = new pg.Client(url);
      await writer.connect();
      return writer;
    }),
  );
  const uuids = [(await enrol(stores[0]!)).uuid, (await enrol(stores[0]!)).uuid];
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      /** Whether each writer is in a transaction. */
      const isOpen = [false, false];
      const end = async (writer: number, commit = true) => {
        if (isOpen[writer]) await writers[writer]!.query(commit ? 'commit' : 'rollback');
        isOpen[writer] = false;
      };
      /** For each reader: its position, and the `since` of each node as the changes up to there have it. */
      const readers: ({ at: number; known: unknown[] } | null)[] = [null, null];
      const read = async (reader: number) => {
        const store = stores[reader]!;
        const asked = store.changeBounds('node');
        const first = await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 60, null))]);
        if (first === null) for (const writer of [0, 1]) await end(writer);
        const { floor, last } = await asked;
        const stored = async () =>
          (
            await client.query('select since from reservations where node_uuid = any($1) order by node_uuid', [
              uuids.toSorted(),
            ])
          ).rows.map(({ since }) => since);
        const before = readers[reader];
        if (before == null || before.at < floor) {
          readers[reader] = { at: last, known: await stored() };
          return;
        }
        const changes = await store.nodeChanges(before.at, 1000);
        const changed = new Set(changes.filter(({ part }) => part === 'reservation').map(({ nodeUuid }) => nodeUuid));
        const now = await stored();
        uuids.toSorted().forEach((uuid, index) => {
          if (now[index] !== before.known[index]) expect(changed).toContain(uuid);
        });
        readers[reader] = { at: last, known: now };
      };
      let since = Date.now();
      for (const each of steps) {
        if ('write' in each) {
          if (!isOpen[each.write]) await writers[each.write]!.query('begin');
          isOpen[each.write] = true;
          await writers[each.write]!.query("update reservations set kind = 'held', since = $2 where node_uuid = $1", [
            uuids[each.write],
            ++since,
          ]);
        } else if ('end' in each) await end(each.end, each.commit);
        else if ('read' in each) await read(each.read);
        else await forgetReaders(stores[each.forget]!);
      }
      for (const writer of [0, 1]) await end(writer);
      for (const reader of [0, 1]) await read(reader);
    }),
    { numRuns: 40 },
  );
  for (const writer of writers) await writer.end();
}, 120_000);
