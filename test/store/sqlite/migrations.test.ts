import { DatabaseSync } from 'node:sqlite';
import { type Kysely, sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { allMigrations, type Migrations, migrate } from '../../../src/store/migrations.ts';
import { openStore } from '../../../src/store/open.ts';
import { onConnection, openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { enrol } from '../samples.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

let database: ReturnType<typeof temporaryDatabase>;

beforeEach(() => {
  database = temporaryDatabase();
});

afterEach(() => {
  database.remove();
});

/** Opens the database with the program's migrations and `later` ones, closes it, and returns the ones that ran. */
async function migrateWith(later: Migrations): Promise<string[]> {
  const sqlite = openSqlite(database.path, silentLogger);
  const ran: string[] = [];
  const log = { ...silentLogger, info: (fields: object) => ran.push(String(Object.values(fields)[0])) };
  try {
    await migrate(sqlite, log, { ...allMigrations(sqlite), ...later });
  } finally {
    await sqlite.close();
  }
  return ran;
}

const addColumn = {
  up: (db: Kysely<unknown>) => db.schema.alterTable('nodes').addColumn('later', 'text').execute(),
};

test('each migration runs once and keeps stored data', async () => {
  expect(await migrateWith({})).toEqual(Object.keys(allMigrations({ dialect: 'sqlite' })));
  const store = await openStore(`sqlite:${database.path}`, { log: silentLogger });
  const node = await enrol(store, { name: 'node-1' });
  await store.close();

  expect(await migrateWith({ '9000_later': addColumn })).toEqual(['9000_later']);
  expect(await migrateWith({ '9000_later': addColumn })).toEqual([]);
  const sqlite = openSqlite(database.path, silentLogger);
  const later = kyselyStore(sqlite);
  expect(await later.getNodeByName('node-1')).toEqual(node);
  await later.close();
});

test('a failed migration changes nothing, and undoes those before it', async () => {
  await migrateWith({});
  const failing = {
    '9000_later': addColumn,
    '9001_wrong': { up: (db: Kysely<unknown>) => sql`create table nodes (id integer)`.execute(db).then(() => {}) },
  };
  await expect(migrateWith(failing)).rejects.toThrow();
  expect(await migrateWith({ '9000_later': addColumn })).toEqual(['9000_later']);
});

test('refuses a database that a newer program has changed, and leaves it unchanged', async () => {
  await migrateWith({ '9000_later': addColumn });
  const refused = {
    kind: 'failed_precondition',
    message: expect.stringMatching(/^store: .*newer passthru.*9000_later/),
  };
  await expect(openStore(`sqlite:${database.path}`, { log: silentLogger })).rejects.toMatchObject(refused);
  // It was closed too, so that the newer program can open it.
  expect(await migrateWith({ '9000_later': addColumn })).toEqual([]);
});

test('creates the tables of the newest migration', async () => {
  await migrateWith({});
  const tables = new DatabaseSync(database.path, { readOnly: true });
  const names = tables.prepare("select name from sqlite_schema where type = 'table' order by name").all();
  tables.close();
  expect(names.map((row) => row.name)).toEqual(
    expect.arrayContaining([
      'idempotency',
      'job_revisions',
      'jobs',
      'node_attributes',
      'nodes',
      'reservations',
      'transcripts',
    ]),
  );
});

test('the next start ends the calls and jobs of a version without conductors', async () => {
  const old = new DatabaseSync(database.path);
  const sqlite = onConnection(old, () => {});
  await migrate(sqlite, silentLogger, { '0001_nodes_and_jobs': allMigrations(sqlite)['0001_nodes_and_jobs']! });
  old.exec(`
    insert into nodes (uuid, driver, vendor_interface, driver_info, extra, properties, attributes, maintenance, create_time)
      values ('u', 'd', 'v', '{}', '{}', '{}', '{}', 0, 0);
    insert into reservations (node_uuid, fence, kind, holder, owner) values ('u', 7, 'call', 'h', 'process-1');
    insert into jobs (id, node_uuid, driver, method, state, create_time, requested_by)
      values ('j', 'u', 'd', 'm', 'running', 0, 'alice');
    insert into job_revisions (job_id, revision, state) values ('j', 1, 'running');
    insert into idempotency (caller, key, fingerprint, state, owner, create_time)
      values ('alice', 'k', 'f', 'accepted', 'process-1', 0);`);
  await sqlite.close();

  const store = await openStore(`sqlite:${database.path}`, { log: silentLogger });
  const error = { kind: 'worker_lost' as const, message: 'lost', violations: [], lock: null, bmc: null };
  const { failed, freed } = await store.reap({
    all: true,
    orphans: true,
    now: new Date(),
    error,
    lastError: () => 'lost',
    unknown: { unknown: true },
  });
  expect([failed.map(({ id }) => id), freed]).toEqual([['j'], ['u']]);
  expect(await store.getNodeByUuid('u')).toMatchObject({ reservation: null, fence: 7, lastError: 'lost' });
  const call = { caller: 'alice', key: 'k', fingerprint: 'f', createTime: new Date() };
  expect(await store.beginIdempotent(call, 'p', new Date(0))).toMatchObject({ outcome: { unknown: true } });
  await store.close();
});
