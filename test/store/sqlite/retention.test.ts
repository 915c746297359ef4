import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { onConnection } from '../../../src/store/sqlite/sqlite.ts';
import { accept, hold, sampleConductor, sampleEnd, sampleJob } from '../samples.ts';

/** The maximum number of rows that one statement may change or step over; everything else waits for it. */
const BITE = 12_000;

/** Records the statements. */
class MeasuredDatabase extends DatabaseSync {
  changes = 0;
  offsets: number[] = [];

  override prepare(text: string): StatementSync {
    const statement = super.prepare(text);
    const total = super.prepare('select total_changes() as changes');
    const before = () => Number(total.get()!.changes);
    const all = statement.all.bind(statement) as (...values: unknown[]) => ReturnType<StatementSync['all']>;
    statement.all = ((...values: unknown[]) => {
      const start = before();
      if (/offset \?/.test(text)) this.offsets.push(Number(values.at(-1)));
      const rows = all(...values);
      this.changes = Math.max(this.changes, before() - start);
      return rows;
    }) as StatementSync['all'];
    return statement;
  }
}

let sqlite: MeasuredDatabase;
let store: Store;

beforeEach(async () => {
  sqlite = new MeasuredDatabase(':memory:');
  const database = onConnection(sqlite, () => {});
  await migrate(database, silentLogger);
  store = kyselyStore(database);
  await store.addConductor(sampleConductor());
});

afterEach(() => store.close());

/** Adds jobs numbered `from` to `to`, which ended in this order, each with `revisions` revisions. */
function addEnded(from: number, to: number, revisions = 1): void {
  sqlite.exec(`
    with recursive n(i) as (select ${from} union all select i + 1 from n where i < ${to})
    insert into jobs (id, driver, method, state, create_time, end_time, requested_by)
      select '0197c5a0-0000-7000-8000-' || printf('%012d', i), 'd', 'm', 'succeeded', i, i, 'a' from n;
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${revisions})
    insert into job_revisions (job_id, revision, state)
      select id, i, case when i = ${revisions} then 'succeeded' else 'running' end from jobs, n where end_time >= ${from}`);
}

const placeOf = (number: number) => ({ endTime: new Date(number), id: sampleJob(number).id });

test('removes jobs with many revisions in steps of a bounded number of rows', async () => {
  addEnded(1, 10, 3000);
  addEnded(11, 12);
  expect(await store.removeEndedJobs(placeOf(10), 200)).toBe(10);
  expect(sqlite.changes).toBeLessThan(BITE);
  expect(sqlite.prepare('select count(*) as left from job_revisions').get()).toEqual({ left: 2 });
});

test('a job can be read until its removal is complete', async () => {
  addEnded(1, 1, 5000);
  const { id } = sampleJob(1);
  const removed = store.removeEndedJobs(placeOf(1), 200);
  const seen = [];
  for (let job = await store.getJob(id); job !== null; job = await store.getJob(id)) {
    seen.push(job.state);
    await new Promise(setImmediate);
  }
  expect(await removed).toBe(1);
  expect(seen.length).toBeGreaterThan(1);
  expect(new Set(seen)).toEqual(new Set(['succeeded']));
});

test('finds surplus jobs in steps, and visits the surplus alone in later rounds', async () => {
  addEnded(1, 35_000);
  let turns = 0;
  const immediate = setInterval(() => turns++, 0);
  expect(await store.placeAfterNewest(10_000)).toEqual(placeOf(25_000));
  clearInterval(immediate);
  expect(turns).toBeGreaterThan(1);
  expect(Math.max(...sqlite.offsets)).toBeLessThan(BITE);

  sqlite.offsets = [];
  for (const number of [40_001, 40_002]) {
    const job = await accept(store, number);
    await store.endJob(sampleEnd(job), hold());
  }
  expect(await store.placeAfterNewest(35_000)).toEqual(placeOf(2));
  expect(sqlite.offsets).toEqual([1]);
});

test('the number of ended jobs follows ends and removals', async () => {
  addEnded(1, 5);
  expect(await store.placeAfterNewest(5)).toBeNull();
  const [ended, lost] = [await accept(store, 6), await accept(store, 7)];
  await store.endJob(sampleEnd(ended), hold());
  expect(await store.endJob(sampleEnd(ended), hold())).toBeNull();
  expect(await store.placeAfterNewest(5)).toEqual(placeOf(1));
  await store.removeEndedJobs(placeOf(3), 2);
  expect(await store.placeAfterNewest(4)).toBeNull();
  expect(await store.placeAfterNewest(3)).toEqual(placeOf(3));
  const error = { kind: 'worker_lost' as const, message: 'lost', violations: [], lock: null, bmc: null };
  await store.reap({ all: true, orphans: true, now: new Date(), error, lastError: () => '', unknown: {} });
  expect(await store.getJob(lost.id)).toMatchObject({ state: 'failed' });
  expect(await store.placeAfterNewest(4)).toEqual(placeOf(3));
});
