import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { openStore } from '../../../src/store/open.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { enrol, sampleNode } from '../samples.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

test('a full disk is store_unavailable without SQL or secrets, changes nothing, and recovers', async () => {
  const database = openSqlite(':memory:', silentLogger);
  await migrate(database, silentLogger);
  const store = kyselyStore(database);
  await enrol(store, { name: 'node-1' });
  await sql`pragma max_page_count = 60`.execute(database.kysely);
  const secret = 'hunter2'.repeat(100_000);
  const node = sampleNode({ name: 'node-2', driverInfo: { redfish_password: secret } });
  const error = await store.createNode(node).catch((refused) => refused);
  expect(error).toMatchObject({
    name: 'PassthruError',
    kind: 'store_unavailable',
    message: 'The store is not available: the disk is full',
  });
  expect(await store.getNodeByName('node-2')).toBeNull();
  expect(await store.getNodeByName('node-1')).not.toBeNull();

  await sql`pragma max_page_count = 100000`.execute(database.kysely);
  expect(await store.createNode(node)).toMatchObject({ name: 'node-2' });
  await store.close();
});

test('a database locked by another program is store_unavailable, and recovers afterwards', async () => {
  const file = temporaryDatabase();
  const store = await openStore(`sqlite:${file.path}`, { log: silentLogger });
  const other = new DatabaseSync(file.path);
  try {
    other.exec('begin immediate');
    const locked = {
      kind: 'store_unavailable',
      message: 'The store is not available: the database is locked by another program',
    };
    await expect(store.createNode(sampleNode())).rejects.toMatchObject(locked);
    await expect(store.forgetIdempotent('alice', 'key', 'process-1')).rejects.toMatchObject(locked);
    other.exec('rollback');
    await enrol(store);
  } finally {
    other.close();
    await store.close();
    file.remove();
  }
});

test("a step waits for another program's write without stopping others, and then succeeds", async () => {
  const file = temporaryDatabase();
  const store = await openStore(`sqlite:${file.path}`, { log: silentLogger });
  const other = new DatabaseSync(file.path);
  try {
    other.exec('begin immediate');
    let ended = false;
    const created = [1, 2, 3].map((index) => enrol(store, { name: `node-${index}` }).finally(() => (ended = true)));
    const forgotten = store.forgetIdempotent('alice', 'key', 'process-1').finally(() => (ended = true));
    // A read, and the turns of the event loop, come before the end of the waits.
    for (let turn = 0; turn < 5; turn++) {
      await store.getNodeByName('node-1');
      await store.listHosts();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(ended).toBe(false);
    other.exec('rollback');
    await Promise.all([...created, forgotten]);
    expect(await store.getNodeByName('node-3')).not.toBeNull();
  } finally {
    other.close();
    await store.close();
    file.remove();
  }
});

test('closing ends the wait for another program', async () => {
  const file = temporaryDatabase();
  const store = await openStore(`sqlite:${file.path}`, { log: silentLogger });
  const other = new DatabaseSync(file.path);
  try {
    other.exec('begin immediate');
    const created = enrol(store).catch((error: unknown) => error);
    await store.listHosts();
    await store.close();
    expect(await created).toMatchObject({ kind: 'store_unavailable', message: 'The store is closed' });
  } finally {
    other.close();
    file.remove();
  }
});

test('a transaction excludes other writers from its beginning', async () => {
  const file = temporaryDatabase();
  const database = openSqlite(file.path, silentLogger);
  const other = new DatabaseSync(file.path, { timeout: 0 });
  try {
    await database.kysely.transaction().execute(async () => {
      expect(() => other.exec('begin immediate')).toThrow('locked');
    });
    other.exec('begin immediate; rollback');
  } finally {
    other.close();
    await database.close();
    file.remove();
  }
});

test('throws the reason when SQLite rolled back a transaction on its own', async () => {
  const database = openSqlite(':memory:', silentLogger);
  await migrate(database, silentLogger);
  const { kysely } = database;
  const taken = kysely.transaction().execute(async (transaction) => {
    await sql`create table once (x integer unique)`.execute(transaction);
    await sql`insert into once values (1)`.execute(transaction);
    await sql`insert or rollback into once values (1)`.execute(transaction);
  });
  const error = await taken.catch((refused) => refused);
  expect(database.isUniqueViolation(error)).toBe(true);
  const { rows } = await sql`pragma synchronous`.execute(kysely);
  expect(rows).toEqual([{ synchronous: 1 }]);
  await database.close();
});

test('throws a defect of the program unchanged', async () => {
  const store = await openStore('sqlite::memory:', { log: silentLogger });
  const wrong = { ...sampleNode(), driver: null as unknown as string };
  await expect(store.createNode(wrong)).rejects.not.toMatchObject({ name: 'PassthruError' });
  await store.close();
});
