import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import type { Database } from '../../../src/store/database.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { onConnection } from '../../../src/store/sqlite/sqlite.ts';
import { accept, enrol, hold, sampleConductor, sampleEnd, sampleJob } from '../samples.ts';

/** Called before each commit; may throw in its place. */
let beforeCommit: () => void;
let commits: number;

class WatchedDatabase extends DatabaseSync {
  override exec(statements: string): void {
    if (statements.startsWith('commit')) {
      beforeCommit();
      commits++;
    }
    super.exec(statements);
  }
}

let sqlite: DatabaseSync;
let database: Database;
let store: Store;

beforeEach(async () => {
  beforeCommit = () => {};
  sqlite = new WatchedDatabase(':memory:', { enableForeignKeyConstraints: true });
  database = onConnection(sqlite, () => {});
  await migrate(database, silentLogger);
  store = kyselyStore(database);
  await store.addConductor(sampleConductor());
  commits = 0;
});

afterEach(() => store.close());

/** Fails the next commit as a full disk does. */
function failNextCommit(): void {
  beforeCommit = () => {
    beforeCommit = () => {};
    throw Object.assign(new Error('database or disk is full'), { errcode: 13 });
  };
}

const kinds = (outcomes: PromiseSettledResult<unknown>[]) => outcomes.map(({ status }) => status);

test('writes that are requested in one turn share a commit, whatever they are', async () => {
  const node = await enrol(store);
  commits = 0;
  await Promise.all([
    accept(store, 1, { nodeUuid: node.uuid }),
    accept(store, 2),
    store.updateNode(node.uuid, null, { description: 'x' }, new Date()),
    enrol(store, { name: 'other' }),
  ]);
  expect(commits).toBe(1);
  expect(await store.getNodeByName('other')).not.toBeNull();
  expect(await store.getNodeByUuid(node.uuid)).toMatchObject({ description: 'x' });
});

test('a write that fails is undone alone', async () => {
  await enrol(store, { name: 'taken' });
  commits = 0;
  const outcomes = await Promise.allSettled([
    accept(store, 1),
    // Fails in its first statement.
    accept(store, 1),
    store.createNode({ ...(await enrol(store)), uuid: 'not stored', name: 'taken' }),
    accept(store, 2),
    // Fails after its first statement.
    database.durably(async (transaction) => {
      await sql`update jobs set method = 'undone'`.execute(transaction);
      throw new Error('late');
    }),
    accept(store, 3),
  ]);
  expect(kinds(outcomes)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  expect(outcomes[2]).toMatchObject({ value: { taken: 'name' } });
  const jobs = await store.listJobs({ limit: 10, olderThan: null });
  expect(jobs.map(({ id }) => id)).toEqual([3, 2, 1].map((index) => sampleJob(index).id));
  expect(new Set(jobs.map(({ method }) => method))).toEqual(new Set([sampleJob(1).method]));
});

test('an acceptance is reported after the commit, and not at all when that fails', async () => {
  let reported = 0;
  const report = () => {
    reported++;
  };
  const reportedAtCommits: number[] = [];
  beforeCommit = () => reportedAtCommits.push(reported);
  await Promise.all([accept(store, 1).then(report), accept(store, 2).then(report)]);
  expect(reportedAtCommits).toEqual([0]);

  failNextCommit();
  const outcomes = await Promise.allSettled([accept(store, 3), accept(store, 4)]);
  expect(outcomes).toMatchObject([3, 4].map(() => ({ reason: { kind: 'store_unavailable' } })));
  expect(await store.getJob(sampleJob(3).id)).toBeNull();
  expect(sqlite.isTransaction).toBe(false);
  expect(sqlite.prepare('pragma synchronous').get()).toEqual({ synchronous: 1 });
  await accept(store, 3);
});

test('reports none when one has ended the whole transaction', async () => {
  const outcomes = await Promise.allSettled([
    accept(store, 1),
    database.durably(async () => {
      sqlite.exec('rollback');
      throw new Error('ended');
    }),
    accept(store, 2),
  ]);
  expect(kinds(outcomes)).toEqual(['rejected', 'rejected', 'rejected']);
  expect(await store.listJobs({ limit: 10, olderThan: null })).toEqual([]);
});

test('nobody reads what is not committed', async () => {
  let seen: unknown = 'not asked';
  failNextCommit();
  const fail = beforeCommit;
  beforeCommit = () => {
    seen = store.getJob(sampleJob(1).id);
    fail();
  };
  await expect(accept(store, 1)).rejects.toMatchObject({ kind: 'store_unavailable' });
  expect(await seen).toBeNull();
});

test('a beginning and an end in one commit are both told, in their order', async () => {
  const before = await accept(store, 1);
  const { last } = await store.changeBounds('job');
  commits = 0;
  const job = sampleJob(2);
  await Promise.all([
    store.acceptJob(job, hold(), null, {}),
    store.endJob(sampleEnd(before), hold()),
    store.endJob(sampleEnd(job), hold()),
  ]);
  expect(commits).toBe(1);
  const changes = await store.jobChanges(last, 10);
  expect(changes.map(({ job }) => [job?.id, job?.revision, job?.state])).toEqual([
    [job.id, 1, 'running'],
    [before.id, 2, 'succeeded'],
    [job.id, 2, 'succeeded'],
  ]);
  expect((await store.listRevisions(job.id, 0)).map(({ state }) => state)).toEqual(['running', 'succeeded']);
});

test('many writes are all stored, in commits of a bounded size', async () => {
  await Promise.all(Array.from({ length: 200 }, (_, index) => accept(store, index)));
  expect(commits).toBe(4);
  expect(await store.listJobs({ limit: 1000, olderThan: null })).toHaveLength(200);
});
