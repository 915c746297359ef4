import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { reap } from '../src/core/chores.ts';
import type { JobQuery } from '../src/core/jobs/jobStore.ts';
import { silentLogger } from '../src/core/logger.ts';
import type { NodeQuery, Store } from '../src/core/store.ts';
import type { Database } from '../src/store/database.ts';
import { kyselyStore } from '../src/store/kyselyStore.ts';
import { migrate } from '../src/store/migrations.ts';
import { attributeDigest } from '../src/store/rows.ts';
import { sampleConductor, sampleEnd, sampleJob, sampleReservation } from '../test/store/samples.ts';

/** The numbers of nodes, and of jobs with three revisions each. */
export const SIZES = [100, 1_000, 10_000, 100_000] as const;

/** The median time of a step at each of `SIZES`, in microseconds. */
export interface GrowingCost {
  step: string;
  times: number[];
}

/** How long a step is repeated, in milliseconds, and how often at least and at most. */
const BUDGET = 400;
const MIN_RUNS = 15;
const MAX_RUNS = 400;

const PAGE = 50;

/** The number of rows that one step of retention removes, and the number of such steps. */
const BATCH = 200;
const BATCHES = 7;

/** Older than everything else. */
const OLD = new Date(0);

const CONDUCTOR = 'process-1';

/** Grows an empty `database`, and times each step of the store at each of `SIZES`. */
export async function growingCosts(database: Database): Promise<GrowingCost[]> {
  await migrate(database, silentLogger);
  const store = kyselyStore(database);
  await store.addConductor(sampleConductor({ id: CONDUCTOR }));
  const costs = new Map<string, number[]>();
  let from = 0;
  for (const size of SIZES) {
    await grow(database, from, size);
    from = size;
    const note = (step: string, time: number) => costs.set(step, [...(costs.get(step) ?? []), time]);
    for (const [step, run] of steps(store, size)) note(step, await median(run, MAX_RUNS));
    const ended = await addOld(database);
    // Runs once in a round of retention, not for each batch: it walks over the kept jobs.
    note('retention: where the kept jobs begin', await median(() => some(store.placeAfterNewest(ended - 1)), BATCHES));
    const place = { endTime: OLD, id: '~' };
    note('retention: 200 jobs', await median(() => removed(store.removeEndedJobs(place, BATCH)), BATCHES));
    note('retention: 200 idempotency keys', await median(() => removed(store.removeIdempotent(OLD, BATCH)), BATCHES));
  }
  await store.close();
  return [...costs].map(([step, times]) => ({ step, times }));
}

/** Returns the steps, each on rows in the middle; the number makes each run different. */
function steps(store: Store, size: number): [step: string, run: (number: number) => Promise<unknown>][] {
  const middle = (number: number) => (size >> 2) + 1 + ((number * 7) % (size >> 2));
  const nodes = (given: Partial<NodeQuery>) => async (number: number) => {
    const marker = given.marker === null ? null : nodeUuid(middle(number));
    const page = await store.listNodes({ limit: PAGE, sortKey: 'id', sortDirection: 'asc', ...given, marker });
    if (page === null || page.length === 0) throw new Error('an empty page');
  };
  const jobs = (given: Partial<JobQuery>) => async (number: number) => {
    const olderThan = given.olderThan === null ? null : sampleJob(size - (number % 10)).id;
    const page = await store.listJobs({ limit: PAGE, ...given, olderThan });
    if (page.length === 0) throw new Error('an empty page');
  };
  const exclusively = async (number: number, work: (uuid: string, fence: number) => Promise<unknown>) => {
    const uuid = nodeUuid(middle(number));
    const taken = await store.acquire(uuid, sampleReservation(), CONDUCTOR);
    if (taken.outcome !== 'acquired') throw new Error(taken.outcome);
    await work(uuid, taken.fence);
  };
  return [
    ['nodes, first page', nodes({ marker: null })],
    ['nodes, later page', nodes({})],
    ['nodes by name, later page', nodes({ sortKey: 'name' })],
    ['nodes of a driver, later page', nodes({ driver: 'driver-1' })],
    ['nodes of an owner', nodes({ marker: null, attributes: { owner: 'one' } })],
    ['node by name', (number) => some(store.getNodeByName(`node-${middle(number)}`))],
    ['node by UUID', (number) => some(store.getNodeByUuid(nodeUuid(middle(number))))],
    ['acquire and release', (number) => exclusively(number, (uuid, fence) => store.release(uuid, fence))],
    [
      'acquire, accept a job, progress, end it',
      (number) =>
        exclusively(number, async (uuid, fence) => {
          const job = sampleJob(0, { id: randomUUID(), nodeUuid: uuid, createTime: new Date() });
          const hold = { owner: CONDUCTOR, fence };
          await store.acceptJob(job, hold, null, {});
          await store.recordProgress(job.id, hold, { fraction: 0.5, message: 'half' });
          const end = { endTime: new Date(size + number), lastError: 'failed' };
          if ((await store.endJob(sampleEnd(job, end), hold)) === null) throw new Error('the hold is lost');
        }),
    ],
    ['job', (number) => some(store.getJob(sampleJob(middle(number)).id))],
    ['jobs, first page', jobs({ olderThan: null })],
    ['jobs, later page', jobs({})],
    ['jobs of a node', (number) => jobs({ olderThan: null, nodeUuid: nodeUuid(middle(number)) })(number)],
    ['jobs of a driver', jobs({ driver: 'driver-1' })],
    ['jobs in a state', jobs({ state: 'succeeded' })],
    ['a watcher catches up', (number) => store.listRevisions(sampleJob(middle(number)).id, 1)],
    [
      'newest revisions of 100 watched jobs',
      (number) =>
        store.newestRevisions(Array.from({ length: 100 }, (_, job) => sampleJob(1 + ((number * 100 + job) % size)).id)),
    ],
    ['cancellation requests of a conductor', () => store.listCancelRequests(CONDUCTOR)],
    ['reap, no conductor lost', () => reap(store, silentLogger, { all: false, orphans: false })],
    [
      'idempotent call: begin, accept, finish',
      async (number) => {
        const call = { caller: 'bench', key: `${size}-${number}-${randomUUID()}`, fingerprint: 'f' };
        await store.beginIdempotent({ ...call, createTime: new Date() }, CONDUCTOR, new Date(0));
        await store.acceptIdempotent(call.caller, call.key, CONDUCTOR);
        await store.finishIdempotent(call.caller, call.key, {});
      },
    ],
  ];
}

async function some(row: Promise<unknown>): Promise<void> {
  if ((await row) === null) throw new Error('nothing found');
}

async function removed(rows: Promise<number>): Promise<void> {
  if ((await rows) !== BATCH) throw new Error('not all rows were removed');
}

/** Returns the median time of `run` in microseconds, without the first run. */
async function median(run: (number: number) => Promise<unknown>, most: number): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + BUDGET;
  for (let number = 0; number < most && (number < MIN_RUNS || performance.now() < end); number++) {
    const begun = performance.now();
    await run(number);
    times.push((performance.now() - begun) * 1000);
  }
  return times.slice(1).sort((a, b) => a - b)[(times.length - 1) >> 1]!;
}

function nodeUuid(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

const padded = sql`substr(cast(1000000000000 + i as text), 2)`;

/** Adds nodes, all free, and jobs, of which ten run, up to `size` of each. */
async function grow(database: Database, from: number, size: number): Promise<void> {
  const db = database.kysely;
  const numbers = sql`with recursive numbers (i) as
    (select ${sql.lit(from + 1)} union all select i + 1 from numbers where i < ${sql.lit(size)})`;
  const uuid = sql`'00000000-0000-4000-8000-' || ${padded}`;
  const job = sql`'0197c5a0-0000-7000-8000-' || ${padded}`;
  await db.transaction().execute(async (db) => {
    await sql`insert into nodes (uuid, name, driver, vendor_interface, driver_info, extra, properties, attributes,
        maintenance, create_time)
      ${numbers} select ${uuid}, 'node-' || i, 'driver-' || (i % 3), 'v', '{"address": "x"}', '{}', '{}', '{}', 0, i
      from numbers`.execute(db);
    await sql`insert into reservations (node_uuid, fence, wanted) ${numbers} select ${uuid}, 0, 0 from numbers`.execute(
      db,
    );
    await sql`insert into jobs (id, node_uuid, node_name, driver, method, state, create_time, end_time, requested_by, owner)
      ${numbers} select ${job}, ${uuid}, 'node-' || i, 'driver-' || (i % 3), 'm',
      case when i <= 10 then 'running' else 'succeeded' end, i, case when i <= 10 then null else i end, 'a',
      'process-' || (2 + i % 3) from numbers`.execute(db);
    for (const revision of [1, 2, 3]) {
      await sql`insert into job_revisions (job_id, revision, state) ${numbers} select ${job}, ${sql.lit(revision)},
        case when i <= 10 or ${sql.lit(revision)} < 3 then 'running' else 'succeeded' end from numbers`.execute(db);
    }
    await sql`insert into idempotency (caller, key, fingerprint, state, outcome, create_time)
      ${numbers} select 'a', cast(i as text), 'f', 'done', '{}', i from numbers`.execute(db);
  });
  if (from === 0) {
    const digest = attributeDigest('one');
    await sql`insert into node_attributes select uuid, 'owner', ${digest} from nodes where id <= 20`.execute(db);
  }
  // As PostgreSQL does by itself after a while; SQLite keeps no statistics. The checkpoint writes the rows to the disk.
  if (database.shared) await sql`vacuum analyze`.execute(db);
  await (database.shared ? sql`checkpoint` : sql`pragma wal_checkpoint(truncate)`).execute(db);
}

/** Adds jobs and idempotency keys that are older than all others. Returns the number of ended jobs. */
async function addOld({ kysely: db }: Database): Promise<number> {
  const numbers = sql`with recursive numbers (i) as
    (select 1 union all select i + 1 from numbers where i < ${sql.lit(BATCH * BATCHES)})`;
  const job = sql`'00000000-0000-7000-8000-' || ${padded}`;
  await sql`insert into jobs (id, driver, method, state, create_time, end_time, requested_by)
    ${numbers} select ${job}, 'driver-1', 'm', 'succeeded', -i, -i, 'a' from numbers`.execute(db);
  await sql`insert into job_revisions (job_id, revision, state)
    ${numbers} select ${job}, 1, 'succeeded' from numbers`.execute(db);
  await sql`insert into idempotency (caller, key, fingerprint, state, create_time)
    ${numbers} select 'b', cast(i as text), 'f', 'done', -i from numbers where true on conflict do nothing`.execute(db);
  const { ended } = await db
    .selectFrom('jobs')
    .select((count) => count.fn.count<number | string>('end_time').as('ended'))
    .executeTakeFirstOrThrow();
  return Number(ended);
}
