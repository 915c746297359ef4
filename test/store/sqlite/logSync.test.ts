import { copyFileSync, existsSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import type { Database } from '../../../src/store/database.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { LogSync } from '../../../src/store/sqlite/logSync.ts';
import { onConnection, openSqlite, setUp } from '../../../src/store/sqlite/sqlite.ts';
import { accept, enrol, hold, reserve, sampleConductor, sampleEnd, sampleJob } from '../samples.ts';
import { temporaryDatabase } from '../temporaryDatabase.ts';

/** A disk that the test moves on: what a sync has not brought there is lost in a crash of the machine. */
class SlowDisk extends LogSync {
  readonly #path: string;
  #release = Promise.withResolvers<void>();
  /** Whether syncs wait for `release`. */
  held = false;
  failing = false;
  /** The syncs that have begun. */
  syncs = 0;

  constructor(path: string) {
    super(path, silentLogger);
    this.#path = path;
  }

  protected override async bring(): Promise<void> {
    this.syncs++;
    const failing = this.failing;
    // Later commits may reach the disk too, but nothing says so.
    if (!failing) this.#keep();
    if (this.held) await this.#release.promise;
    if (failing) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
  }

  release(): void {
    this.#release.resolve();
    this.#release = Promise.withResolvers();
  }

  /** Returns the values that are on the disk. */
  values(): unknown[] {
    if (!existsSync(`${this.#path}.disk`)) return [];
    const disk = new DatabaseSync(`${this.#path}.disk`);
    try {
      return disk
        .prepare('select value from kept order by value')
        .all()
        .map(({ value }) => value);
    } finally {
      disk.close();
    }
  }

  #keep(): void {
    for (const suffix of ['', '-wal']) copyFileSync(this.#path + suffix, `${this.#path}.disk${suffix}`);
    rmSync(`${this.#path}.disk-shm`, { force: true });
  }
}

let file: ReturnType<typeof temporaryDatabase>;
let sqlite: DatabaseSync;
let disk: SlowDisk;
let database: Database;

beforeEach(() => {
  file = temporaryDatabase();
  sqlite = setUp(new DatabaseSync(file.path, { enableForeignKeyConstraints: true }));
  sqlite.exec('create table kept (value integer primary key)');
  disk = new SlowDisk(file.path);
  database = onConnection(sqlite, () => {}, null, disk);
});

afterEach(async () => {
  disk.held = false;
  disk.release();
  await database.close();
  file.remove();
});

const insert = (value: number) => ({
  sql: 'insert into kept (value) values (?)',
  parameters: [value],
  query: undefined as never,
  queryId: undefined as never,
});
const keep = (value: number) => database.durablyAtOnce!((run) => run(insert(value)));
const commit = (value: number) => database.committedAtOnce!((run) => run(insert(value)));
const committed = () =>
  sqlite
    .prepare('select value from kept order by value')
    .all()
    .map(({ value }) => value);

/** Lets the steps that wait for nothing but the event loop run. */
async function turns(): Promise<void> {
  for (let each = 0; each < 10; each++) await turn();
}

/** Notes in `ended` when `step` has ended. */
function watch<T>(step: Promise<T>): { ended: boolean; step: Promise<T> } {
  const watched = { ended: false, step };
  const end = () => {
    watched.ended = true;
  };
  step.then(end, end);
  return watched;
}

test('a durable write is told when it is on the disk, a committed one before', async () => {
  disk.held = true;
  const durable = watch(keep(1));
  await commit(2);
  const onDisk = watch(database.onDisk());
  await turns();
  expect(committed()).toEqual([1, 2]);
  expect([durable.ended, onDisk.ended, disk.syncs]).toEqual([false, false, 1]);
  disk.release();
  await Promise.all([durable.step, onDisk.step]);
  expect(disk.values()).toEqual([1, 2]);
  await database.onDisk();
  expect(disk.syncs).toBe(1);
});

test('writes that come during a sync share the next commit and sync', async () => {
  disk.held = true;
  const first = keep(0);
  await turns();
  const others = Array.from({ length: 20 }, (_, index) => watch(keep(index + 1)));
  await turns();
  expect(committed()).toEqual([0]);
  disk.release();
  await first;
  await turns();
  expect(disk.syncs).toBe(2);
  expect(others.some(({ ended }) => ended)).toBe(false);
  disk.release();
  await Promise.all(others.map(({ step }) => step));
  expect(disk.values()).toHaveLength(21);
  expect(disk.syncs).toBe(2);
});

test('a commit that is late for a sync waits for the next one', async () => {
  disk.held = true;
  const first = keep(1);
  const connection = Promise.withResolvers<void>();
  await commit(2);
  // As the erasing of secrets does.
  const holding = database.kysely.connection().execute(() => connection.promise);
  const late = watch(keep(3));
  await turns();
  expect(disk.syncs).toBe(1);
  connection.resolve();
  await holding;
  await turns();
  expect(committed()).toEqual([1, 2, 3]);
  expect(disk.syncs).toBe(1);
  disk.release();
  await first;
  await turns();
  expect([late.ended, disk.syncs]).toEqual([false, 2]);
  disk.release();
  await late.step;
});

test('the event loop goes on while the disk takes its time', async () => {
  disk.held = true;
  const durable = watch(keep(1));
  await turns();
  expect((await database.run(insert(2))).length).toBe(0);
  expect(committed()).toEqual([1, 2]);
  expect(durable.ended).toBe(false);
  disk.release();
  await durable.step;
});

test('a failed sync is told to all who wait, and from then on the store refuses everything', async () => {
  await migrate(database, silentLogger);
  const store = kyselyStore(database);
  await store.addConductor(sampleConductor());
  disk.failing = true;
  const refused = {
    kind: 'store_unavailable',
    message: expect.stringContaining('to the disk failed (EIO); check the disk'),
  };
  const outcomes = await Promise.allSettled([keep(2), accept(store, 1), enrol(store)]);
  expect(outcomes[0]).toMatchObject({ reason: refused });
  // It is told by `onDisk`.
  expect(outcomes[1]).toMatchObject({ status: 'fulfilled' });
  expect(outcomes[2]).toMatchObject({ reason: refused });
  await expect(database.onDisk()).rejects.toMatchObject(refused);

  // The system forgets what it could not write, and reports success from then on.
  disk.failing = false;
  const { syncs } = disk;
  for (const step of [
    () => keep(3),
    () => database.durably((db) => sql`insert into kept (value) values (4)`.execute(db)),
    () => database.kysely.transaction().execute((db) => sql`insert into kept (value) values (5)`.execute(db)),
    () => store.onDisk(),
    () => store.ping(),
    () => store.getNodeByName('x'),
    () =>
      store.beginIdempotent(
        { caller: 'a', key: 'k', fingerprint: 'f', createTime: new Date() },
        'process-1',
        new Date(0),
      ),
  ]) {
    await expect(step()).rejects.toMatchObject(refused);
  }
  expect(disk.syncs).toBe(syncs);
  expect(committed()).toEqual([2]);
});

test('a store whose disk takes forever is not healthy', async () => {
  await migrate(database, silentLogger);
  const store = kyselyStore(database);
  await store.addConductor(sampleConductor());
  disk.held = true;
  const durable = watch(enrol(store));
  await turns();
  const ping = watch(store.ping());
  await turns();
  expect([durable.ended, ping.ended]).toEqual([false, false]);
  disk.release();
  await Promise.all([durable.step, ping.step]);
});

test('watchers get only what is on the disk, since their cursors outlive a crash of the machine', async () => {
  await migrate(database, silentLogger);
  const store = kyselyStore(database);
  await store.addConductor(sampleConductor());
  const { last } = await store.changeBounds('job');
  disk.held = true;
  await accept(store, 1);
  const changes = watch(store.jobChanges(last, 10));
  const bounds = watch(store.changeBounds('job'));
  const revisions = watch(store.listRevisions(sampleJob(1).id, 0));
  const job = watch(store.getJob(sampleJob(1).id));
  await turns();
  expect([changes, bounds, revisions, job].map(({ ended }) => ended)).toEqual([false, false, false, false]);
  disk.release();
  expect(await changes.step).toMatchObject([{ job: { id: sampleJob(1).id } }]);
  expect((await bounds.step).last).toBeGreaterThan(last);
  expect(await revisions.step).toHaveLength(1);
  expect(await job.step).not.toBeNull();
});

test('what was told to be on the disk is there, whatever came between', async () => {
  const action = fc.constantFrom(
    'keep',
    'keep',
    'keep',
    'commit',
    'onDisk',
    'turn',
    'turn',
    'release',
    'release',
    'fail',
    'mend',
  );
  let next = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 30, maxLength: 60 }), async (actions) => {
      const told = new Set<number>();
      const pending: Promise<unknown>[] = [];
      const fromHere = next;
      disk.held = true;
      const tell = (values: number[]) => () => {
        for (const value of values) told.add(value);
      };
      for (const each of actions) {
        const value = next;
        if (each === 'keep') pending.push(keep(next++).then(tell([value]), () => {}));
        else if (each === 'commit') pending.push(commit(next++).catch(() => {}));
        else if (each === 'onDisk') pending.push(database.onDisk().then(tell(committed() as number[]), () => {}));
        else if (each === 'turn') await turn();
        else disk.release();
        // A crash of the machine here.
        const kept = new Set(disk.values());
        expect([...told].filter((known) => known >= fromHere && !kept.has(known))).toEqual([]);
      }
      disk.held = false;
      disk.release();
      await Promise.all(pending);
      await keep(next++);
      expect(disk.values()).toEqual(committed());
    }),
    { numRuns: 25 },
  );
});

test('tells which steps of the store wait for the disk', async () => {
  await migrate(database, silentLogger);
  const store: Store = kyselyStore(database);
  await store.addConductor(sampleConductor());
  const call = { caller: 'alice', key: 'key', fingerprint: 'f', createTime: new Date() };
  const { uuid } = await enrol(store);
  let fence = 0;
  const reserveAs = (kind: 'call' | 'held') => async () => {
    fence = await reserve(store, uuid, { kind });
  };
  /** Whether `step` ends only after a sync that began after it. */
  const waits = async (step: () => Promise<unknown>) => {
    await store.onDisk();
    const { syncs } = disk;
    await step();
    return disk.syncs > syncs;
  };
  expect(await waits(() => enrol(store, { name: 'x' }))).toBe(true);
  expect(await waits(reserveAs('call'))).toBe(false);
  expect(await waits(() => store.updateNode(uuid, fence, { name: 'y' }, new Date()))).toBe(true);
  expect(await waits(() => store.release(uuid, fence))).toBe(false);
  expect(await waits(reserveAs('held'))).toBe(true);
  expect(await waits(() => store.renewHold(uuid, fence, 60_000))).toBe(true);
  expect(await waits(() => store.endHold(uuid, fence))).toBe(true);
  expect(await waits(() => store.beginIdempotent(call, 'process-1', new Date(0)))).toBe(false);
  expect(await waits(() => store.acceptIdempotent('alice', 'key', 'process-1'))).toBe(true);
  const job = sampleJob(1);
  expect(await waits(() => store.acceptJob(job, hold(), null, {}))).toBe(false);
  expect(await waits(() => store.endJob(sampleEnd(job), hold()))).toBe(true);
  expect(await waits(() => accept(store, 2).then(() => store.onDisk()))).toBe(true);
  expect(await waits(() => store.addJob(sampleJob(3), 'process-1', () => null))).toBe(false);
  expect(await waits(() => store.addJob(sampleJob(4), 'process-1', () => sampleEnd(sampleJob(4))))).toBe(true);
});

test('the beginning and the end of a job that ends at once come to the disk together', async () => {
  await migrate(database, silentLogger);
  const store: Store = kyselyStore(database);
  await store.addConductor(sampleConductor());
  const { syncs } = disk;
  const jobs = Array.from({ length: 10 }, (_, index) => sampleJob(index));
  await Promise.all(
    jobs.map(async (job) => {
      await store.acceptJob(job, hold(), null, {});
      await Promise.all([store.onDisk(), store.endJob(sampleEnd(job), hold())]);
    }),
  );
  expect(disk.syncs).toBe(syncs + 1);
});

test('the database of the service syncs its own log', async () => {
  const other = temporaryDatabase();
  const errors: string[] = [];
  const log = { ...silentLogger, error: (_: object, message: string) => errors.push(message) };
  const opened = openSqlite(other.path, log);
  try {
    await opened.durably((db) => sql`create table kept (value integer)`.execute(db));
    expect(statSync(`${other.path}-wal`).size).toBeGreaterThan(0);
    let failed = 0;
    const sync = new LogSync(other.path, log, () => failed++);
    await sync.sync();
    sync.check();
    expect([failed, errors]).toEqual([0, []]);
    sync.close();
    // A descriptor that is closed is the nearest to a disk that fails.
    await sync.sync();
    expect(() => sync.check()).toThrow('bringing the log of the database to the disk failed (EBADF)');
    expect([failed, errors]).toEqual([1, [expect.stringContaining('calls are refused')]]);
  } finally {
    await opened.close();
    other.remove();
  }
});
