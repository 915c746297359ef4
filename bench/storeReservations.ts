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

/** The cost of reserving and releasing a node, through the store and by two bare statements, in pairs per second. */
export interface ReservationCost {
  store: number;
  bare: number;
}

const NODES = 64;
const ROUNDS = 7;
const CONDUCTOR = 'process-1';

/** The store's statements without its check of the lease. */
const ACQUIRE = `update reservations set fence = fence + 1, kind = $1, holder = $2, method = $3, requested_by = $4, job = $5,
  since = $6, owner = $7, wanted = 0 where node_uuid = $8 and kind is null returning fence`;
const RELEASE = `update reservations set kind = null, holder = null, method = null, requested_by = null, job = null,
  since = null, owner = null where node_uuid = $1 and fence = $2 returning wanted`;

type Pair = (uuid: string) => Promise<void>;

/** Measures both on one SQLite connection to a file. */
export async function sqliteReservations(path: string): Promise<ReservationCost> {
  const sqlite = setUp(new DatabaseSync(path, { enableForeignKeyConstraints: true }));
  const { store, uuids, viaStore } = await prepare(onConnection(sqlite, () => {}));
  const acquire = sqlite.prepare(ACQUIRE.replaceAll('$', '?'));
  const release = sqlite.prepare(RELEASE.replaceAll('$', '?'));
  const bare: Pair = async (uuid) => {
    const [taken] = acquire.all('call', 'host-1', 'eject_vmedia', 'alice', null, Date.now(), CONDUCTOR, uuid);
    if (release.all(uuid, taken?.fence as number).length !== 1) throw new Error('the node was not released');
  };
  const cost = await compare(viaStore, bare, uuids, 1, 10_000);
  await store.close();
  return cost;
}

/** Measures both on pools of the same size, with one caller and with more callers than connections. */
export async function postgresReservations(url: string): Promise<Record<'one' | 'many', ReservationCost>> {
  const { store, uuids, viaStore } = await prepare(await openPostgres(url, silentLogger));
  const pool = new pg.Pool({ connectionString: toPostgresUrl(url), max: MAX_CONNECTIONS });
  // The server stops before all connections are closed.
  pool.on('error', () => {});
  const bare: Pair = async (uuid) => {
    const values = ['call', 'host-1', 'eject_vmedia', 'alice', null, Date.now(), CONDUCTOR, uuid];
    const { rows } = await pool.query<{ fence: string }>({ name: 'acquire', text: ACQUIRE, values });
    const { rowCount } = await pool.query({ name: 'release', text: RELEASE, values: [uuid, rows[0]?.fence] });
    if (rowCount !== 1) throw new Error('the node was not released');
  };
  const one = await compare(viaStore, bare, uuids, 1, 250);
  const many = await compare(viaStore, bare, uuids, 32, 2000);
  await pool.end();
  await store.close();
  return { one, many };
}

async function prepare(database: Database): Promise<{ store: Store; uuids: string[]; viaStore: Pair }> {
  await migrate(database, silentLogger);
  const store = kyselyStore(database);
  await store.addConductor(sampleConductor({ id: CONDUCTOR }));
  const uuids: string[] = [];
  for (let index = 0; index < NODES; index++) uuids.push((await enrol(store)).uuid);
  const viaStore: Pair = async (uuid) => {
    const taken = await store.acquire(uuid, sampleReservation({ since: new Date() }), CONDUCTOR);
    if (taken.outcome !== 'acquired') throw new Error(taken.outcome);
    if (!(await store.release(uuid, taken.fence))) throw new Error('the node was not released');
  };
  return { store, uuids, viaStore };
}

/** Returns the medians over rounds that measure both, after a warm-up round. */
async function compare(viaStore: Pair, bare: Pair, uuids: string[], callers: number, pairs: number) {
  const rounds: ReservationCost[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const cost = { store: await rate(viaStore, uuids, callers, pairs), bare: await rate(bare, uuids, callers, pairs) };
    if (round > 0) rounds.push(cost);
  }
  const middle = (key: keyof ReservationCost) => rounds.map((cost) => cost[key]).sort((a, b) => a - b)[ROUNDS >> 1]!;
  return { store: middle('store'), bare: middle('bare') };
}

/** Returns pairs per second; each caller has its own nodes. */
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
