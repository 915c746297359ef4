import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import type { Database } from '../../../src/store/database.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { openPostgres } from '../../../src/store/postgres/postgres.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { accept, enrol, hold, reserve, sampleConductor, sampleEnd } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

let server: PostgresServer;
/** A permanent connection: a waiting commit is given up after seconds, and opening one can take as long on a busy machine. */
let admin: pg.Client;
/** A connection whose commits show whether commits wait. */
let probe: pg.Client;
let name: string;
let database: Database;
let store: Store;

beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client(server.url('postgres'));
  probe = new pg.Client(server.url('postgres'));
  await Promise.all([admin.connect(), probe.connect()]);
  await admin.query('create table probe (id integer)');
}, 60_000);

beforeEach(async () => {
  name = await server.createDatabase();
  database = await openPostgres(server.url(name), silentLogger);
  await migrate(database, silentLogger);
  store = kyselyStore(database);
  await store.addConductor(sampleConductor());
});

afterEach(async () => {
  await commitsDoNotWait();
  await store.close();
});

afterAll(async () => {
  await Promise.all([admin.end(), probe.end()]);
  await server.remove();
});

/** Makes every durable commit wait for a standby that does not exist. */
async function commitsWait(): Promise<void> {
  await admin.query("alter system set synchronous_standby_names = 'nobody'");
  await admin.query('select pg_reload_conf()');
  // The checkpointer applies the setting; a waiting commit shows that it has.
  for (let committed = true; committed; ) {
    committed = false;
    void probe.query('insert into probe values (1)').then(() => {
      committed = true;
    });
    await until(async () => committed || (await someCommitWaits('postgres')));
  }
}

async function commitsDoNotWait(): Promise<void> {
  await admin.query('alter system reset synchronous_standby_names');
  await admin.query('select pg_reload_conf()');
}

/** Whether a commit in the database waits. */
async function someCommitWaits(database = name): Promise<boolean> {
  const { rows } = await admin.query(
    `select 1 from pg_stat_activity where datname = '${database}' and wait_event = 'SyncRep'`,
  );
  return rows.length > 0;
}

test.each<[string, (uuid: string, fence: number) => Promise<unknown>]>([
  ['a reservation', (uuid) => reserve(store, uuid)],
  ['the end of a reservation', (uuid, fence) => store.release(uuid, fence)],
  ['an accepted job', () => accept(store, 2)],
  ['the end of a job', async () => store.endJob(sampleEnd(JOB), hold())],
  ['a change of a node', (uuid, fence) => store.updateNode(uuid, fence, { description: 'x' }, new Date())],
  [
    'an idempotency key',
    () =>
      store.beginIdempotent(
        { caller: 'a', key: 'k', fingerprint: 'f', createTime: new Date() },
        'process-1',
        new Date(0),
      ),
  ],
])('%s is reported only when it is durable', async (what, step) => {
  const { uuid } = await enrol(store);
  const other = await enrol(store);
  const fence = await reserve(store, other.uuid);
  await accept(store, 1);
  await commitsWait();
  let settled = false;
  const running = step(what === 'a reservation' ? uuid : other.uuid, fence).then(() => {
    settled = true;
  });
  await until(() => someCommitWaits());
  expect(settled).toBe(false);
  await commitsDoNotWait();
  await running;
});

test('the progress of a job does not wait for the disk, the next statement does', async () => {
  const job = await accept(store, 1);
  const { uuid } = await enrol(store);
  await commitsWait();
  await store.recordProgress(job.id, hold(), { fraction: 0.5, message: 'half' });
  expect(await store.getJob(job.id)).toMatchObject({ revision: 2, progress: { message: 'half' } });
  const reserved = reserve(store, uuid);
  await until(() => someCommitWaits());
  await commitsDoNotWait();
  await reserved;
});

test('overrides synchronous_commit=off of the server or role, and keeps stricter settings', async () => {
  const level = async () => {
    const again = await openPostgres(server.url(name), silentLogger);
    const { rows } = await sql<{ level: string }>`select current_setting('synchronous_commit') as level`.execute(
      again.kysely,
    );
    await again.close();
    return rows[0]!.level;
  };
  await server.query(`alter database ${name} set synchronous_commit = off`);
  expect(await level()).toBe('on');
  await server.query(`alter database ${name} set synchronous_commit = remote_apply`);
  expect(await level()).toBe('remote_apply');
});

test('progress reported while the end is being written is discarded', async () => {
  const job = await accept(store, 1);
  let progress: Promise<unknown> = Promise.resolve();
  await database.kysely.transaction().execute(async (transaction) => {
    await transaction.updateTable('jobs').set({ state: 'succeeded' }).where('id', '=', job.id).execute();
    progress = store.recordProgress(job.id, hold(), { fraction: 0.5, message: 'half' });
    await until(async () => {
      const { rows } = await admin.query(
        `select 1 from pg_stat_activity where datname = '${name}' and wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
  });
  await progress;
  expect((await store.listRevisions(job.id, 0)).map((at) => at.revision)).toEqual([1]);
});

test('both databases return milliseconds since 1970, PostgreSQL also within a transaction', async () => {
  const sqlite = openSqlite(':memory:', silentLogger);
  const before = Date.now();
  for (const each of [sqlite, database]) {
    const { rows } = await sql<{ now: number }>`select ${each.now} as now`.execute(each.kysely);
    expect(Number.isInteger(rows[0]!.now)).toBe(true);
    expect(rows[0]!.now).toBeGreaterThanOrEqual(before);
    expect(rows[0]!.now).toBeLessThanOrEqual(Date.now());
  }
  await sqlite.close();
  await database.kysely.transaction().execute(async (transaction) => {
    const now = async () =>
      (await sql<{ now: number }>`select ${database.now} as now, pg_sleep(0.005)`.execute(transaction)).rows[0]!.now;
    expect(await now()).toBeLessThan(await now());
  });
});

const JOB = { id: '0197c5a0-0000-7000-8000-000000000001' } as Parameters<typeof sampleEnd>[0];

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
