import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { silentLogger } from '../src/core/logger.ts';
import type { Store } from '../src/core/store.ts';
import type { Database } from '../src/store/database.ts';
import { kyselyStore } from '../src/store/kyselyStore.ts';
import { migrate } from '../src/store/migrations.ts';
import { MAX_CONNECTIONS } from '../src/store/postgres/pool.ts';
import { openPostgres } from '../src/store/postgres/postgres.ts';
import { toPostgresUrl } from '../src/store/postgres/url.ts';
import { onConnection, setUp } from '../src/store/sqlite/sqlite.ts';
import { enrol, sampleConductor, sampleReservation } from '../test/store/samples.ts';

/** A node taken and let go, through the store and by two bare statements. */
export interface ReservationCost {
  /** Pairs a second, and theirs in the same run. */
  ours: number;
  theirs: number;
}

const NODES = 64;
const ROUNDS = 7;
const CONDUCTOR = 'process-1';

/** What the store's statements write, without its guard of the lease. */
const TAKE = `update reservations set fence = fence + 1, kind = $1, holder = $2, method = $3, requested_by = $4, job = $5,
  since = $6, owner = $7, wanted = 0 where node_uuid = $8 and kind is null returning fence`;
const LET_GO = `update reservations set kind = null, holder = null, method = null, requested_by = null, job = null,
  since = null, owner = null where node_uuid = $1 and fence = $2 returning wanted`;

type Pair = (uuid: string) => Promise<void>;

/** On one connection of SQLite to a file, both ways. */
export async function sqliteReservations(path: string): Promise<ReservationCost> {
  const sqlite = setUp(new DatabaseSync(path, { enableForeignKeyConstraints: true }));
  const { store, uuids, ours } = await prepare(onConnection(sqlite, () => {}));
  const take = sqlite.prepare(TAKE.replaceAll('$', '?'));
  const letGo = sqlite.prepare(LET_GO.replaceAll('$', '?'));
  const theirs: Pair = async (uuid) => {
    const [taken] = take.all('call', 'host-1', 'eject_vmedia', 'alice', null, Date.now(), CONDUCTOR, uuid);
    if (letGo.all(uuid, taken?.fence as number).length !== 1) throw new Error('the node was not let go');
  };
  const cost = await compare(ours, theirs, uuids, 1, 10_000);
  await store.close();
  return cost;
}

/** On pools of the same size, by one caller and by more callers than connections. */
export async function postgresReservations(url: string): Promise<Record<'one' | 'many', ReservationCost>> {
  const { store, uuids, ours } = await prepare(await openPostgres(url, silentLogger));
  const pool = new pg.Pool({ connectionString: toPostgresUrl(url), max: MAX_CONNECTIONS });
  // The server stops before each has told of its end.
  pool.on('error', () => {});
  const theirs: Pair = async (uuid) => {
    const values = ['call', 'host-1', 'eject_vmedia', 'alice', null, Date.now(), CONDUCTOR, uuid];
    const { rows } = await pool.query<{ fence: string }>({ name: 'take', text: TAKE, values });
    const { rowCount } = await pool.query({ name: 'let_go', text: LET_GO, values: [uuid, rows[0]?.fence] });
    if (rowCount !== 1) throw new Error('the node was not let go');
  };
  const one = await compare(ours, theirs, uuids, 1, 250);
  const many = await compare(ours, theirs, uuids, 32, 2000);
  await pool.end();
  await store.close();
  return { one, many };
}

async function prepare(database: Database): Promise<{ store: Store; uuids: string[]; ours: Pair }> {
  await migrate(database, silentLogger);
  const store = kyselyStore(database);
  await store.addConductor(sampleConductor({ id: CONDUCTOR }));
  const uuids: string[] = [];
  for (let index = 0; index < NODES; index++) uuids.push((await enrol(store)).uuid);
  const ours: Pair = async (uuid) => {
    const taken = await store.acquire(uuid, sampleReservation({ since: new Date() }), CONDUCTOR);
    if (taken.outcome !== 'acquired') throw new Error(taken.outcome);
    if (!(await store.release(uuid, taken.fence))) throw new Error('the node was not let go');
  };
  return { store, uuids, ours };
}

/** The medians over rounds in which both have their turn, after one that warms up. */
async function compare(ours: Pair, theirs: Pair, uuids: string[], callers: number, pairs: number) {
  const rounds: ReservationCost[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const cost = { ours: await rate(ours, uuids, callers, pairs), theirs: await rate(theirs, uuids, callers, pairs) };
    if (round > 0) rounds.push(cost);
  }
  const middle = (key: keyof ReservationCost) => rounds.map((cost) => cost[key]).sort((a, b) => a - b)[ROUNDS >> 1]!;
  return { ours: middle('ours'), theirs: middle('theirs') };
}

/** Pairs a second; each caller has nodes of its own. */
async function rate(pair: Pair, uuids: string[], callers: number, pairs: number): Promise<number> {
  const own = Math.floor(uuids.length / callers);
  const begun = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let done = 0; done < pairs / callers; done++) await pair(uuids[caller * own + (done % own)]!);
    }),
  );
  return (pairs / (performance.now() - begun)) * 1000;
}
