import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, renameSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Logger, silentLogger } from '../../../src/core/logger.ts';
import type { Database } from '../../../src/store/database.ts';
import { Checkpoints } from '../../../src/store/sqlite/checkpoints.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url));

const MB = 1024 * 1024;

/** The pages at which the connection itself moves its log, of 1 kB each and a head. */
const LAGGING = 64_000;

let file: ReturnType<typeof temporaryDatabase>;
let database: Database;
let warnings: string[];
let log: Logger;

beforeEach(async () => {
  file = temporaryDatabase();
  warnings = [];
  log = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
  database = openSqlite(file.path, log);
  await run('create table filler (id integer primary key, data blob)');
});

afterEach(async () => {
  await database.close();
  file.remove();
});

async function run(statement: string): Promise<unknown[]> {
  return (await sql.raw(statement).execute(database.kysely)).rows;
}

/** Writes about so many MB to the log, in one transaction each. */
async function write(megabytes: number): Promise<void> {
  for (let each = 0; each < megabytes; each++) {
    await database.durably((db) => sql`insert into filler (data) values (zeroblob(${MB}))`.execute(db));
  }
}

/** Returns the pages of the log, and those that are in the database's file too. */
async function logSize(): Promise<{ log: number; checkpointed: number }> {
  const [size] = await run('pragma wal_checkpoint(noop)');
  return size as { log: number; checkpointed: number };
}

const ownPages = async () => Object.values((await run('pragma wal_autocheckpoint'))[0] as object)[0];

test('a long log is moved into the file beside the connection, and begins anew', async () => {
  await write(10);
  await vi.waitFor(async () => {
    const { log: pages, checkpointed } = await logSize();
    expect(checkpointed).toBe(pages);
  });
  expect(await ownPages()).toBe(LAGGING);
  await write(1);
  expect((await logSize()).log).toBeLessThan(2000);
  expect(warnings).toEqual([]);
});

test('the log stays bounded while much is written', async () => {
  for (let round = 0; round < 40; round++) {
    await write(8);
    await new Promise((resolve) => setTimeout(resolve, 5));
    // The connection has to wait for a checkpoint that is under way.
    expect(statSync(`${file.path}-wal`).size).toBeLessThan(2 * LAGGING * 1050);
  }
});

test('a store that is closed leaves no log behind, also during a checkpoint', async () => {
  await write(10);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await database.close();
  expect(existsSync(`${file.path}-wal`)).toBe(false);
  database = openSqlite(file.path, log);
  expect(await run('select count(*) as count from filler')).toEqual([{ count: 10 }]);
});

test('a program that reads an old state is told of, and the log shrinks when it has ended', async () => {
  const reader = new DatabaseSync(file.path, { readOnly: true });
  try {
    reader.exec('begin');
    reader.prepare('select count(*) from filler').get();
    await write(70);
    await vi.waitFor(async () => {
      await write(1);
      expect(warnings).toEqual([expect.stringContaining('another program reads an old state of the database')]);
    });
    // Each transaction would try it in vain.
    expect(await ownPages()).toBe(0);
    expect(statSync(`${file.path}-wal`).size).toBeGreaterThan(64 * MB);
  } finally {
    reader.close();
  }
  await vi.waitFor(async () => {
    await write(1);
    expect(statSync(`${file.path}-wal`).size).toBeLessThanOrEqual(64 * MB);
  });
  await vi.waitFor(async () => expect(await ownPages()).toBe(LAGGING));
});

test('a file that has taken the place of the database is not touched, and the connection moves its log itself', async () => {
  await write(1);
  copyFileSync(file.path, `${file.path}.other`);
  const before = statSync(`${file.path}.other`);
  renameSync(file.path, `${file.path}.first`);
  renameSync(`${file.path}.other`, file.path);
  await write(10);
  await vi.waitFor(() => expect(warnings).toContainEqual(expect.stringContaining('failed')));
  expect(await ownPages()).toBe(16_000);
  await write(20);
  expect((await logSize()).log).toBeLessThan(18_000);
  const after = statSync(file.path);
  expect([after.size, after.mtimeMs]).toEqual([before.size, before.mtimeMs]);
  renameSync(`${file.path}.first`, file.path);
  await vi.waitFor(async () => {
    await write(1);
    expect(await ownPages()).toBe(LAGGING);
  });
});

test('a file that was deleted is not made anew', async () => {
  renameSync(file.path, `${file.path}.first`);
  await write(10);
  await vi.waitFor(() => expect(warnings).toContainEqual(expect.stringContaining('failed')));
  expect(existsSync(file.path)).toBe(false);
  renameSync(`${file.path}.first`, file.path);
});

test('what was overwritten is erased from the log also during a checkpoint', async () => {
  await database.durably((db) => sql`insert into filler (data) values ('hunter2')`.execute(db));
  await write(10);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await database.erasing(async () => run('delete from filler'));
  expect(statSync(`${file.path}-wal`).size).toBeLessThan(10_000);
});

test('a process that has not closed its store ends by itself, and one that is killed loses nothing', async () => {
  await database.close();
  const start = (kind: string): ChildProcess =>
    spawn(process.execPath, [WRITER, file.path, kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  expect(await once(start('ends'), 'exit')).toEqual([0, null]);
  for (let time = 300; time <= 700; time += 200) {
    const child = start('killed');
    let said = '';
    child.stdout!.on('data', (chunk) => {
      said += chunk;
    });
    await once(child.stdout!, 'data');
    await new Promise((resolve) => setTimeout(resolve, time));
    child.kill('SIGKILL');
    await once(child, 'close');
    const last = Number(said.trimEnd().split('\n').at(-1));
    const reader = new DatabaseSync(file.path);
    expect(reader.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
    const [{ id }] = reader.prepare('select coalesce(max(id), 0) as id from filler').all() as [{ id: number }];
    expect(id).toBeGreaterThanOrEqual(last);
    reader.close();
  }
  database = openSqlite(file.path, log);
});

test.each([
  ['3.50.4', false],
  ['3.51.2', false],
  ['3.51.3', true],
  ['3.53.0', true],
  ['4.0.0', true],
])('SQLite %s may move the log by another connection: %s', (version, isSafe) => {
  expect(Checkpoints.areSafe(version)).toBe(isSafe);
});
