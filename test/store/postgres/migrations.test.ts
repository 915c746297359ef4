import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { allMigrations, migrate } from '../../../src/store/migrations.ts';
import { openStore } from '../../../src/store/open.ts';
import { openPostgres } from '../../../src/store/postgres/postgres.ts';
import { enrol, sampleConductor } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

const ALL = [
  '0001_nodes_and_jobs',
  '0002_conductors',
  '0003_indexes',
  '0004_transcripts',
  '0005_holds',
  '0006_job_roles',
  '0007_changes',
  '0008_fleet_keys',
  '0009_sorted_attributes',
  '0010_cheaper_reservation_log',
  '0011_events',
  '0012_event_sources',
  '0013_event_handovers',
  '0014_reservation_log_for_watchers',
];
const PROCESS = fileURLToPath(new URL('./process.ts', import.meta.url));

let server: PostgresServer;
let children: ChildProcess[] = [];

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  }
  children = [];
});

afterAll(async () => {
  await server.remove();
});

/** Starts a process for each of `versions`, lets them migrate `database` concurrently, and returns what each printed. */
async function migrateAtOnce(database: string, versions: string[]): Promise<unknown[]> {
  const processes = await Promise.all(
    versions.map(async (version) => {
      const child = spawn(process.execPath, [PROCESS, server.url(database), version], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      children.push(child);
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe('ready');
      return { child, lines };
    }),
  );
  for (const { child } of processes) child.stdin.write('go\n');
  return Promise.all(processes.map(async ({ lines }) => JSON.parse(String((await lines.next()).value))));
}

test('one of six processes that start together on an empty database creates the tables for all', async () => {
  const database = await server.createDatabase();
  const done = await migrateAtOnce(database, Array(6).fill('present'));
  expect(done.filter((ran) => JSON.stringify(ran) === '[]')).toHaveLength(5);
  expect(done).toContainEqual(ALL);
  expect(await server.query('select id from node_log_readers', database)).toEqual([]);
  const store = await openStore(server.url(database), { log: silentLogger });
  await enrol(store, { name: 'node-1' });
  await store.close();
}, 60_000);

test('a process that starts together with a newer program either starts first or is refused', async () => {
  const database = await server.createDatabase();
  const [newer, ...present] = await migrateAtOnce(database, ['newer', 'present', 'present', 'present']);
  expect(newer).toContain('9000_later');
  // Whichever came first, none failed in any other way.
  for (const did of present) {
    expect([JSON.stringify([]), JSON.stringify(ALL), '"failed_precondition"']).toContain(JSON.stringify(did));
  }
}, 60_000);

test('refuses a database that a newer program has changed, and leaves it unchanged', async () => {
  const database = await server.createDatabase();
  await migrateAtOnce(database, ['newer']);
  await expect(openStore(server.url(database), { log: silentLogger })).rejects.toMatchObject({
    kind: 'failed_precondition',
    message: expect.stringMatching(/^store: .*newer passthru.*9000_later/),
  });
  expect(await migrateAtOnce(database, ['newer'])).toEqual([[]]);
}, 60_000);

test('a migration that waits for a backup holds those who use the tables up for moments alone', async () => {
  const database = await server.createDatabase();
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_fields: object, text: string) => void warnings.push(text) };
  const earlier = await openPostgres(server.url(database), log);
  const { '0014_reservation_log_for_watchers': _, ...before } = allMigrations(earlier);
  await migrate(earlier, silentLogger, before);
  // A process of the earlier version is running.
  await kyselyStore(earlier).addConductor(sampleConductor());
  const backup = new pg.Client(server.url(database));
  const user = new pg.Client(server.url(database));
  await Promise.all([backup.connect(), user.connect()]);
  await backup.query('begin; select from reservations');
  let done = false;
  const migrated = migrate(earlier, silentLogger).then(() => {
    done = true;
  });
  await user.query('set statement_timeout = 1000');
  const end = performance.now() + 5000;
  while (performance.now() < end) await user.query('update reservations set fence = 1');
  expect(done).toBe(false);
  expect(warnings).toEqual([expect.stringContaining('another transaction uses them, such as a backup')]);
  await backup.query('commit');
  await migrated;
  const { rows } = await user.query(
    'select id, read_time > extract(epoch from now()) * 1000 as later from node_log_readers',
  );
  expect(rows).toEqual([{ id: '', later: true }]);
  await Promise.all([backup.end(), user.end(), earlier.close()]);
  const store = await openStore(server.url(database), { log: silentLogger });
  await enrol(store, { name: 'node-1' });
  await store.close();
}, 60_000);

test('stores in two schemas of one database are independent', async () => {
  const database = await server.createDatabase();
  await server.query('create schema one; create schema two', database);
  const open = (schema: string) =>
    openStore(`${server.url(database)}?options=-c%20search_path%3D${schema}`, { log: silentLogger });
  const one = await open('one');
  const two = await open('two');
  await enrol(one, { name: 'node-1' });
  expect(await two.getNodeByName('node-1')).toBeNull();
  await one.close();
  await two.close();
});
