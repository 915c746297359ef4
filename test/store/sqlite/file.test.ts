import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Logger, silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { openStore } from '../../../src/store/open.ts';
import { needs } from '../../needs.ts';
import { enrol, sampleJob } from '../samples.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

const PROCESS = fileURLToPath(new URL('./process.ts', import.meta.url));

let database: ReturnType<typeof temporaryDatabase>;
let stores: Store[];
let children: ChildProcess[];

beforeEach(() => {
  database = temporaryDatabase();
  stores = [];
  children = [];
});

afterEach(async () => {
  for (const child of children) await kill(child);
  for (const store of stores) await store.close();
  database.remove();
});

async function open(url = `sqlite:${database.path}`, log: Logger = silentLogger): Promise<Store> {
  const store = await openStore(url, { log });
  stores.push(store);
  return store;
}

/** Starts a process that opens the store, and waits until it has accepted a job. */
async function startProcess(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [PROCESS, `sqlite:${database.path}`], { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const [said] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
  expect(String(said)).toBe('accepted\n');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

describe('several processes', () => {
  test('refuses a second process while the first lives, and keeps what that accepted before kill -9', async () => {
    const first = await startProcess();
    const inUse = {
      kind: 'failed_precondition',
      message: `store: sqlite:${database.path} is in use by another passthru process`,
    };
    await expect(open()).rejects.toMatchObject(inUse);
    const link = `${database.path}.link`;
    symlinkSync(database.path, link);
    await expect(open(`sqlite:${link}`)).rejects.toMatchObject({ kind: 'failed_precondition' });

    await kill(first);
    const store = await open();
    const job = sampleJob(1);
    expect(await store.getJob(job.id)).toMatchObject({ state: 'running', nodeName: 'node-1' });
    expect(await store.getNodeByName('node-1')).toMatchObject({ reservation: { kind: 'call', job: job.id } });
  });

  test('another program can read the database meanwhile', async () => {
    const store = await open();
    await enrol(store);
    const reader = new DatabaseSync(database.path, { readOnly: true });
    try {
      expect(reader.prepare('select count(*) as nodes from nodes').get()).toEqual({ nodes: 1 });
      await enrol(store);
      expect(reader.prepare('select count(*) as nodes from nodes').get()).toEqual({ nodes: 2 });
    } finally {
      reader.close();
    }
  });

  test('refuses a second store in one process, and keeps the first one’s claim', async () => {
    const first = await open();
    await expect(open()).rejects.toMatchObject({ kind: 'failed_precondition' });
    await expect(open()).rejects.toMatchObject({ kind: 'failed_precondition' });
    const child = spawn(process.execPath, [PROCESS, `sqlite:${database.path}`], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    children.push(child);
    expect(await once(child, 'exit')).toEqual([1, null]);
    await first.close();
    await open();
  });
});

describe('the files', needs(process.platform === 'win32' ? 'a file system with modes' : null), () => {
  test('all files are accessible to their owner alone', async () => {
    const store = await open();
    await enrol(store);
    for (const suffix of ['', '-wal', '-shm', '.lock']) {
      expect([suffix, statSync(database.path + suffix).mode & 0o777]).toEqual([suffix, 0o600]);
    }
  });

  test('warns of a database that others may read, and leaves its mode unchanged', async () => {
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (_: object, message: string) => warnings.push(message) };
    await (await open(undefined, log)).close();
    expect(warnings).toEqual([]);
    chmodSync(database.path, 0o644);
    await open(undefined, log);
    expect(warnings).toEqual([expect.stringContaining('chmod 600')]);
    expect(statSync(database.path).mode & 0o777).toBe(0o644);
  });
});

describe('the key store', () => {
  test.each([
    ['', 'invalid_argument'],
    ['passthru.db', 'invalid_argument'],
    ['sqlite:', 'invalid_argument'],
    ['sqlite:a\0b', 'invalid_argument'],
    ['mysql://user:hunter2@host/db', 'invalid_argument'],
  ])('%j is refused with the key and without the password', async (url, kind) => {
    const error = await open(url).catch((refused) => refused);
    expect(error).toMatchObject({ kind, message: expect.stringMatching(/^store: /) });
    expect(error.message).not.toContain('hunter2');
  });

  test('reports the reason for a file in a missing directory', async () => {
    await expect(open(`sqlite:${database.path}/none/passthru.db`)).rejects.toMatchObject({
      kind: 'store_unavailable',
      message: expect.stringMatching(
        /^store: sqlite:.* cannot be opened: \S+: no such folder; name a database in a folder/,
      ),
    });
  });

  test('refuses a file that is not a database, and leaves it unchanged', async () => {
    const text = 'not a database, '.repeat(100);
    writeFileSync(database.path, text);
    await expect(open()).rejects.toMatchObject({
      kind: 'store_unavailable',
      message: expect.stringContaining('the file is not an SQLite database'),
    });
    expect(statSync(database.path).size).toBe(text.length);
  });

  test.each<[what: string, damage: (file: Buffer) => Buffer, reason: string]>([
    ['its header', (file) => file.fill(0, 0, 100), 'the file is not an SQLite database'],
    ['its first page', (file) => file.fill(7, 100, 4096), 'the database file is damaged'],
    ['its second half', (file) => file.subarray(0, file.length / 2), 'the database file is damaged'],
    ['all but a part of a page', (file) => file.subarray(0, 5000), 'the database file is damaged'],
  ])('refuses a database that has lost %s, says why, and leaves it unchanged', async (_what, damage, reason) => {
    const store = await open();
    for (let node = 0; node < 20; node++) await enrol(store, { name: `node-${node}` });
    await store.close();
    const damaged = damage(readFileSync(database.path));
    writeFileSync(database.path, damaged);
    await expect(open()).rejects.toMatchObject({
      kind: 'store_unavailable',
      message: expect.stringMatching(new RegExp(`^store: sqlite:.* cannot be opened: .*${reason}`)),
    });
    expect(readFileSync(database.path).equals(damaged)).toBe(true);
  });

  test('stores in memory are independent', async () => {
    const first = await open('sqlite::memory:');
    const second = await open('sqlite::memory:');
    await enrol(first, { name: 'node-1' });
    expect(await second.getNodeByName('node-1')).toBeNull();
  });
});
