import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Acquired, NewReservation, Store } from '../../../src/core/store.ts';
import type { Database } from '../../../src/store/database.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { openPostgres } from '../../../src/store/postgres/postgres.ts';
import { enrol, sampleConductor, sampleReservation } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

const NODES = 10;

let server: PostgresServer;
let url: string;
let store: Store;
let statements: number;
let uuids: string[];

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);

beforeEach(async () => {
  url = server.url(await server.createDatabase());
  store = await open('process-1');
  uuids = [];
  for (let index = 0; index < NODES; index++) uuids.push((await enrol(store)).uuid);
  statements = 0;
});

afterEach(() => store.close());
afterAll(() => server.remove());

/** Opens a store for a conductor, and counts its statements. */
async function open(conductor: string): Promise<Store> {
  const database = await openPostgres(url, silentLogger);
  await migrate(database, silentLogger);
  const run: Database['run'] = (query) => {
    statements++;
    return database.run(query);
  };
  const opened = kyselyStore({ ...database, run });
  await opened.addConductor(sampleConductor({ id: conductor }));
  return opened;
}

function acquire(
  uuid: string,
  given: Partial<NewReservation> = {},
  by = store,
  conductor = 'process-1',
): Promise<Acquired> {
  return by.acquire(uuid, { ...sampleReservation(), ...given }, conductor);
}

const acquireAll = () => Promise.all(uuids.map((uuid) => acquire(uuid)));

function fenceOf(acquired: Acquired | undefined): number {
  if (acquired?.outcome !== 'acquired') throw new Error(`not acquired: ${acquired?.outcome}`);
  return acquired.fence;
}

test('reserves the nodes of one turn in one statement after the first, and frees them so', async () => {
  const acquired = await acquireAll();
  expect(statements).toBe(2);
  expect(await store.getNodeByUuid(uuids[3]!)).toMatchObject({
    reservation: sampleReservation(),
    fence: fenceOf(acquired[3]),
  });
  statements = 0;
  expect(await Promise.all(uuids.map((uuid, index) => store.release(uuid, fenceOf(acquired[index]))))).toEqual(
    uuids.map(() => true),
  );
  expect(statements).toBe(2);
  expect(await store.listCalls('process-1')).toEqual([]);
});

test('reserves some nodes and frees others in the same statement, each for its own call', async () => {
  const [first, second] = await Promise.all([acquire(uuids[0]!), acquire(uuids[1]!)]);
  statements = 0;
  const [, freed, stale, third] = await Promise.all([
    acquire(uuids[5]!),
    store.release(uuids[0]!, fenceOf(first)),
    store.release(uuids[1]!, fenceOf(second) - 1),
    acquire(uuids[2]!, { method: 'other', requestedBy: 'bob' }),
  ]);
  expect([freed, stale]).toEqual([true, false]);
  // The first gets a statement of its own, and so does that of the outdated fence.
  expect(statements).toBe(3);
  expect(await store.getNodeByUuid(uuids[2]!)).toMatchObject({
    reservation: sampleReservation({ method: 'other', requestedBy: 'bob' }),
    fence: fenceOf(third),
  });
  expect(await store.getNodeByUuid(uuids[1]!)).toMatchObject({ reservation: sampleReservation() });
});

test('a node that is reserved is refused with its holder, and the others are reserved', async () => {
  await acquire(uuids[4]!, { holder: 'host-2' });
  const outcomes = (await acquireAll()).map(({ outcome }) => outcome);
  expect(outcomes).toEqual(uuids.map((_, index) => (index === 4 ? 'locked' : 'acquired')));
});

test('a node that is asked for twice in a turn is given once', async () => {
  const outcomes = await Promise.all([acquire(uuids[0]!), acquire(uuids[1]!), acquire(uuids[0]!)]);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['acquired', 'acquired', 'locked']);
});

test('a value that the database refuses fails its own call alone', async () => {
  const outcomes = await Promise.allSettled(
    uuids.map((uuid, index) => acquire(uuid, index === 4 ? { requestedBy: 'a\0b' } : {})),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(
    uuids.map((_, index) => (index === 4 ? 'rejected' : 'fulfilled')),
  );
  expect((await store.listCalls('process-1')).map(({ nodeUuid }) => nodeUuid).toSorted()).toEqual(
    uuids.filter((_, index) => index !== 4).toSorted(),
  );
});

test('a conductor without a lease gets no node beside one that has one', async () => {
  const [lost, valid] = await Promise.all([acquire(uuids[0]!, {}, store, 'process-0'), acquire(uuids[1]!)]);
  expect([lost.outcome, valid.outcome]).toEqual(['expired', 'acquired']);
});

test('a node whose row another transaction has locked does not delay the others', async () => {
  const [reserved] = await Promise.all([acquire(uuids[1]!)]);
  const other = new pg.Client(url);
  await other.connect();
  const locked = uuids.slice(0, 2).map((uuid) => `'${uuid}'`);
  await other.query(`begin; select from reservations where node_uuid in (${locked}) for update`);
  const late = acquire(uuids[0]!);
  const lateEnd = store.release(uuids[1]!, fenceOf(reserved));
  const rest = await Promise.all(uuids.slice(2).map((uuid) => acquire(uuid)));
  expect(rest.map(({ outcome }) => outcome)).toEqual(rest.map(() => 'acquired'));
  await other.query('commit');
  await other.end();
  expect((await late).outcome).toBe('acquired');
  expect(await lateEnd).toBe(true);
});

test('of two processes that ask for the same nodes in opposite order, each node goes to one', async () => {
  const other = await open('process-2');
  for (let round = 0; round < 5; round++) {
    const [ours, theirs] = await Promise.all([
      acquireAll(),
      Promise.all(uuids.toReversed().map((uuid) => acquire(uuid, {}, other, 'process-2'))),
    ]);
    const won = (acquired: Acquired[]) => acquired.map(({ outcome }) => outcome === 'acquired');
    expect(won(theirs.toReversed())).toEqual(won(ours).map((mine) => !mine));
    const free = (by: Store, conductor: string) => async () => {
      const calls = await by.listCalls(conductor);
      return Promise.all(calls.map(({ nodeUuid, fence }) => by.release(nodeUuid, fence)));
    };
    await Promise.all([free(store, 'process-1')(), free(other, 'process-2')()]);
  }
  await other.close();
});
