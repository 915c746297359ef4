import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Logger, silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import type { Database } from '../../../src/store/database.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { createSecretsCipher, PLAIN, type SecretsCipher } from '../../../src/store/secretsCipher.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { enrol } from '../samples.ts';

let folder: string;
let database: Database;
let store: Store;
const errors: string[] = [];
const log: Logger = { ...silentLogger, error: (_fields, message) => errors.push(message) };

async function open(cipher: SecretsCipher = PLAIN) {
  database = openSqlite(join(folder, 'a.db'), log);
  await migrate(database, silentLogger);
  store = kyselyStore(database, { cipher });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'health-'));
  errors.length = 0;
  await open();
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const UNAVAILABLE = expect.objectContaining({ kind: 'store_unavailable' });

test('is healthy again once there is room on a full disk, and not before', async () => {
  await store.ping();
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(database.kysely);
  await sql`pragma max_page_count = ${sql.lit(rows[0]!.page_count)}`.execute(database.kysely);
  const long = { extra: { text: 'x'.repeat(100_000) } };
  await expect(enrol(store, long)).rejects.toEqual(UNAVAILABLE);
  await expect(store.ping()).rejects.toThrow('the disk is full');
  // Reads succeed, and so would small changes.
  await store.listHosts();
  await expect(store.ping()).rejects.toThrow('the disk is full');
  await sql`pragma max_page_count = 1000000`.execute(database.kysely);
  await vi.waitFor(() => store.ping(), { timeout: 10_000 });
  await enrol(store, long);
  expect(await database.kysely.selectFrom('transcripts').select('id').execute()).toEqual([]);
});

test('is not healthy while a key of stored secrets is missing, and does not name the key', async () => {
  await store.close();
  await open(createSecretsCipher([randomBytes(32)]));
  const { uuid } = await enrol(store, { driverInfo: { redfish_password: 'p' } });
  await store.close();
  await open(createSecretsCipher([randomBytes(32)]));
  await expect(store.getNodeByUuid(uuid)).rejects.toEqual(UNAVAILABLE);
  const error = await store.ping().catch((thrown) => thrown);
  expect(error).toEqual(UNAVAILABLE);
  expect(error.message).toMatch(/a key that this process does not have/);
  await store.deleteNode(uuid, null);
  await vi.waitFor(() => store.ping(), { timeout: 10_000 });
});

test('reports a database that cannot be written before any call is refused, and recovers', async () => {
  await sql`pragma query_only = 1`.execute(database.kysely);
  await expect(store.ping()).rejects.toThrow('The store is not available: the database cannot be written');
  await sql`pragma query_only = 0`.execute(database.kysely);
  await vi.waitFor(() => store.ping(), { timeout: 10_000 });
});

test('a disk that becomes full while nobody calls is reported within ten seconds', async () => {
  await store.ping();
  // What a call writes no longer fits.
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(database.kysely);
  await sql`pragma max_page_count = ${sql.lit(rows[0]!.page_count)}`.execute(database.kysely);
  await fillFreePages();
  await store.ping();
  const later = performance.now() + 10_000;
  const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
  try {
    await expect(store.ping()).rejects.toThrow('the disk is full');
  } finally {
    clock.mockRestore();
  }
});

/** Fills what removed rows have left in the file. */
async function fillFreePages(): Promise<void> {
  const row = () => ({ id: randomUUID(), job_id: null, role: 'admin', end_time: 1, document: randomBytes(500) });
  const insert = () => database.kysely.insertInto('transcripts').values(row()).execute();
  for (;;) {
    try {
      await insert();
    } catch {
      return;
    }
  }
}

test('waits for another program as a call does, before it reports it', async () => {
  const other = new DatabaseSync(join(folder, 'a.db'));
  other.exec('begin immediate');
  const pinged = store.ping();
  setTimeout(() => other.exec('commit'), 200);
  await pinged;
  other.close();
});

test('probes a store that has failed once a second at most, and a healthy one every ten seconds', async () => {
  const write = vi.spyOn(database.kysely, 'insertInto');
  for (let probe = 0; probe < 20; probe++) await store.ping();
  expect(write).toHaveBeenCalledTimes(1);
  write.mockClear();
  const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(database.kysely);
  await sql`pragma max_page_count = ${sql.lit(rows[0]!.page_count)}`.execute(database.kysely);
  await expect(enrol(store, { extra: { text: 'x'.repeat(100_000) } })).rejects.toEqual(UNAVAILABLE);
  const from = performance.now();
  for (let probe = 0; probe < 20; probe++) await expect(store.ping()).rejects.toBeDefined();
  expect(write.mock.calls.length).toBeLessThanOrEqual(1 + (performance.now() - from) / 1000);
  await vi.waitFor(
    async () => {
      await expect(store.ping()).rejects.toBeDefined();
      expect(write).toHaveBeenCalled();
    },
    { timeout: 10_000 },
  );
});

for (const how of ['deleted', 'replaced'] as const) {
  test(`a database file that was ${how} is noticed: steps are refused, and the log says what to do`, async () => {
    const path = join(folder, 'a.db');
    await rename(path, `${path}.old`);
    if (how === 'replaced') await writeFile(path, '');
    await vi.waitFor(() => expect(() => database.checkFile?.()).toThrow(/was deleted or replaced/), {
      timeout: 10_000,
    });
    await expect(store.ping()).rejects.toThrow(/put the file or a backup back/);
    await expect(enrol(store, {})).rejects.toEqual(UNAVAILABLE);
    expect(errors).toEqual([expect.stringContaining(`the database file was ${how}: calls are refused`)]);
    await rename(`${path}.old`, path);
    await vi.waitFor(() => store.ping(), { timeout: 10_000 });
    await enrol(store, {});
  });
}
