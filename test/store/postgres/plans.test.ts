import { CompiledQuery, createQueryId, type KyselyPlugin, sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { reap } from '../../../src/core/chores.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { NodeQuery, Store } from '../../../src/core/store.ts';
import type { Database } from '../../../src/store/database.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { openPostgres } from '../../../src/store/postgres/postgres.ts';
import { storePromises } from '../promises.ts';
import { hold, reserve, sampleConductor, sampleJob } from '../samples.ts';
import { type PostgresServer, startPostgres } from './embeddedPostgres.ts';

/** Numbers of nodes, and of jobs. PostgreSQL plans differently for many than for few. */
const SIZES = [5_000, 20_000];

let server: PostgresServer;
let database: Database;
let store: Store;
/** The queries built since this was last cleared. */
const built: { sql: string; parameters: readonly unknown[] }[] = [];

const recorder: KyselyPlugin = {
  transformQuery({ node }) {
    const query = database.kysely.getExecutor().compileQuery(node, createQueryId());
    // Those that are compiled with blanks are recorded when they run.
    if (!query.parameters.some((parameter) => parameter?.constructor.name === 'Blank')) built.push(query);
    return node;
  },
  transformResult: async ({ result }) => result,
};

beforeAll(async () => {
  server = await startPostgres();
}, 60_000);

afterAll(async () => {
  await server.remove();
});

/** Opens a store with `size` nodes and jobs, of which ten run, and as many idempotency keys. */
async function open(size: number): Promise<void> {
  database = await openPostgres(server.url(await server.createDatabase()), silentLogger);
  await migrate(database, silentLogger);
  const kysely = database.kysely.withPlugin(recorder);
  store = kyselyStore({
    ...database,
    kysely,
    run: async (query) => {
      built.push(query);
      return database.run(query);
    },
  });
  const { kysely: db } = database;
  await sql`insert into nodes (uuid, name, driver, vendor_interface, driver_info, extra, properties, attributes, maintenance, create_time)
    select '00000000-0000-4000-8000-' || lpad(i::text, 12, '0'), case when i % 10 = 0 then null else 'node-' || i end,
      'driver-' || i % 3, 'v', '{}', '{}', '{}', '{}', 0, i from generate_series(1, ${sql.lit(size)}) i`.execute(db);
  await sql`insert into reservations (node_uuid) select uuid from nodes`.execute(db);
  await sql`insert into node_attributes select uuid, 'owner', 'owner-' || id % 1000 from nodes`.execute(db);
  await sql`insert into event_sources (node_uuid, selection, generation, revision, state, state_time, token_digest, token_generation,
      previous_digest, due_time, renewals, owner, create_time)
    select uuid, '{}', 1, 1, case when id % 100 = 0 then 'degraded' else 'active' end, 1, 'd' || id, 1,
      case when id % 100 = 0 then 'p' || id end, id, 0, 'process-1', 1 from nodes`.execute(db);
  await sql`insert into jobs (id, node_uuid, driver, method, state, create_time, end_time, requested_by, owner)
    select '0197c5a0-0000-7000-8000-' || lpad(i::text, 12, '0'), '00000000-0000-4000-8000-' || lpad((i % 1000)::text, 12, '0'),
      'driver-' || i % 3, 'm', case when i <= 10 then 'running' else 'succeeded' end, i, case when i <= 10 then null else i end,
      'a', 'process-' || i % 3 from generate_series(1, ${sql.lit(size)}) i`.execute(db);
  // Logging each row takes longer than a statement may.
  await sql`alter table job_revisions disable trigger user`.execute(db);
  await sql`insert into job_revisions (job_id, revision, state)
    select id, r, case when r = 3 then state else 'running' end from jobs, generate_series(1, 3) r`.execute(db);
  await sql`alter table job_revisions enable trigger user`.execute(db);
  await sql`insert into idempotency (caller, key, fingerprint, state, create_time)
    select 'a', i, 'f', 'done', i from generate_series(1, ${sql.lit(size)}) i`.execute(db);
  await sql`insert into transcripts (id, job_id, role, end_time, document)
    select id, id, 'operator', end_time, '' from jobs where end_time is not null`.execute(db);
  await sql`insert into transcripts (id, role, end_time, document)
    select 'call-' || i, 'operator', i, '' from generate_series(1, ${sql.lit(size)}) i`.execute(db);
  await sql`vacuum analyze`.execute(db);
  await store.addConductor(sampleConductor());
  // Removes the conductor that the migration inserted.
  await reap(store, silentLogger, { all: false, orphans: false });
}

interface Plan {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Index Cond'?: string;
  Filter?: string;
  'Plan Rows': number;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Join Filter'?: number;
  Plans?: Plan[];
}

/** Returns the number of rows read by the queries of `step`: those of all plan nodes, filtered ones included. */
async function rowsRead(step: () => Promise<unknown>): Promise<number> {
  built.length = 0;
  await step();
  const queries = [...built];
  expect(queries.length).toBeGreaterThan(0);
  let rows = 0;
  const count = (plan: Plan): void => {
    const each =
      plan['Actual Rows'] + (plan['Rows Removed by Filter'] ?? 0) + (plan['Rows Removed by Join Filter'] ?? 0);
    rows += each * plan['Actual Loops'];
    plan.Plans?.forEach(count);
  };
  for (const query of queries) {
    const explain = CompiledQuery.raw(`explain (analyze, format json) ${query.sql}`, [...query.parameters]);
    const explained = await database.kysely
      .transaction()
      .execute((transaction) => transaction.executeQuery<{ 'QUERY PLAN': { Plan: Plan }[] }>(explain as never));
    count(explained.rows[0]!['QUERY PLAN'][0]!.Plan);
  }
  return rows;
}

describe.each(SIZES)('with %d nodes and jobs', (size) => {
  /** A node and a job in the middle. */
  const node = nodeUuid(size / 2);
  const job = sampleJob(size / 2).id;

  beforeAll(() => open(size), 60_000);
  afterAll(() => store.close());

  const page = (given: Partial<NodeQuery>) => () =>
    store.listNodes({ limit: 10, marker: null, sortKey: 'id', sortDirection: 'asc', ...given });
  const jobs = (given: object) => () => store.listJobs({ limit: 10, olderThan: job, ...given });

  test.each<[string, () => Promise<unknown>]>([
    ['a node by UUID', () => store.getNodeByUuid(node)],
    ['a node by name', () => store.getNodeByName(`node-${size / 2 + 1}`)],
    ['a job', () => store.getJob(job)],
    ['a job’s revisions', () => store.listRevisions(job, 0)],
    ['the progress of a job', () => store.recordProgress(sampleJob(5).id, hold(), { fraction: null, message: '' })],
    ['the newest revisions of jobs', () => store.newestRevisions([job, sampleJob(5).id])],
    ['cancellation requests of a conductor', () => store.listCancelRequests('process-1')],
    ['the running jobs of a conductor', () => store.listRunningJobs('process-1')],
    ['requesting the cancellation of a job', () => store.requestCancel(sampleJob(6).id, 'alice')],
    ['waiting for a node', () => store.want(node, 1)],
    ['releasing a node whose acquisition is unknown', () => store.releaseOwn(node, 'process-1', null)],
    ['the hold on a node', () => store.getHold(node)],
    ['ending holds that have run out', () => store.endOverdueHolds()],
    ['reserving and releasing a node', () => reserve(store, node).then((fence) => store.release(node, fence))],
    ['looking for lost conductors', () => reap(store, silentLogger, { all: false, orphans: false })],
    ['removing old jobs when there are none', () => store.removeEndedJobs({ endTime: new Date(1), id: '' }, 10)],
    ['removing old jobs', () => store.removeEndedJobs({ endTime: new Date(100), id: '' }, 10)],
    ['a transcript', () => store.getTranscript(sampleJob(size / 2 + 1).id).catch(() => {})],
    ['removing old transcripts', () => store.removeTranscripts({ endTime: new Date(100), id: '' }, 10)],
    ['finding surplus transcripts', () => store.transcriptAfterNewest(50)],
    ['finding surplus jobs', () => store.placeAfterNewest(50)],
    ['removing old idempotency keys', () => store.removeIdempotent(new Date(100), 10)],
    ['jobs, the first page', jobs({ olderThan: null })],
    ['jobs, a later page', jobs({})],
    ['jobs of a node', jobs({ nodeUuid: nodeUuid(500) })],
    ['jobs of a driver', jobs({ driver: 'driver-1' })],
    ['jobs in a state', jobs({ state: 'running' })],
    ['nodes, the first page', page({})],
    ['nodes, a later page', page({ marker: node })],
    ['nodes, a later page backwards', page({ marker: node, sortDirection: 'desc' })],
    ['nodes of a driver', page({ driver: 'driver-1', marker: node })],
    ['nodes by name', page({ sortKey: 'name' })],
    ['nodes by name backwards', page({ sortKey: 'name', sortDirection: 'desc' })],
    ['nodes by name, a later page', page({ sortKey: 'name', marker: nodeUuid(size / 2 + 1) })],
    ['nodes by UUID', page({ sortKey: 'uuid' })],
    ['nodes by UUID, a later page', page({ sortKey: 'uuid', marker: node })],
    ['nodes of an owner', page({ attributes: { owner: 'x' } })],
  ])('%s: reads little more by index than it returns', async (_, step) => {
    expect(await rowsRead(step)).toBeLessThan(400);
  });
});

function nodeUuid(number: number): string {
  return `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
}

/** Every distinct statement that the promises suite sent, with its first parameters. */
const statements = new Map<string, unknown[]>();

// Runs the promises suite first, so that every statement is sent; the tests below explain them.
let promised: string;
storePromises('PostgreSQL, recorded', async () => {
  promised ??= await server.createDatabase();
  const query = vi.spyOn(pg.Client.prototype, 'query');
  const open = async () => {
    const opened = await openPostgres(server.url(promised), silentLogger);
    await migrate(opened, silentLogger);
    query.mockClear();
    return kyselyStore(opened);
  };
  const record = () => {
    for (const [given] of query.mock.calls as unknown as [{ text?: string; values?: unknown[] }][]) {
      const { text = '', values = [] } = given;
      if (/^(with |(select|insert|update|delete) .*")/.test(text) && !statements.has(text))
        statements.set(text, values);
    }
  };
  await server.query('drop schema public cascade; create schema public', promised);
  let opened = await open();
  return {
    store: opened,
    async reopen() {
      await opened.close();
      record();
      opened = await open();
      return opened;
    },
    execute: (statement) => server.query(statement, promised).then(() => {}),
    async remove() {
      await opened.close();
      record();
      query.mockRestore();
    },
  };
});

/** Indexes of running calls and of rows that still lack something alone, which may be read whole. */
const SMALL_INDEXES = [...['idempotency_owner', 'job_changes_new', 'node_changes_new', 'node_attributes_unread']];

/** The maximum number of rows to sort, as PostgreSQL estimates it: those of a page. */
const MAX_SORTED = 1000;

/** Allowed scans and sorts by a part of the statement; the test fails on one that no statement needs. */
const EXCEPTIONS: { part: RegExp; fault: RegExp; reason: string }[] = [
  {
    part: /exists \(select "node_attributes"/,
    fault: /^Index Scan nodes$/,
    reason: 'whether a node has an attribute is looked up node by node, in order to the limit',
  },
  {
    part: /where "state" = 'succeeded'/,
    fault: /^Index Scan jobs$/,
    reason: 'nearly all jobs are in this state, as PostgreSQL knows; the newest are read in order to the limit',
  },
  {
    part: /strpos\(lower/,
    fault: /^Index Scan nodes$/,
    reason: 'no index finds a part of a description; nodes are walked in order to the limit',
  },
  {
    part: /order by ("nodes"\."(description|maintenance_reason|last_error)"|"reservations"\."holder"|\(select node_attributes\.value)/,
    fault: /^(Index Scan (nodes|reservations)|Sort)$/,
    reason: 'lists sorted by what few ask for sort all nodes, as in Ironic',
  },
  {
    part: /as "of_all" from "nodes"/,
    fault: /^Index Only Scan nodes$/,
    reason: 'the list of shards counts all nodes',
  },
  {
    part: /^select count\(\*\) as "count" from "reservations"/,
    fault: / reservations$/,
    reason: 'the locked nodes are counted among one row for each node, every ten seconds',
  },
  {
    part: /^update "reservations" set "fence" = \$1$|max\("fence"\)|"kind" = 'held'/,
    fault: / reservations$/,
    reason: 'run once at start, and on SQLite alone',
  },
  {
    part: /"kind" = 'call' and ("owner" is not null union|"owner" in)|where "owner" = \$1 and "kind" = 'call'/,
    fault: /^Seq Scan reservations$/,
    reason:
      'an index of callers would be written at each call, twice; calls are looked for by owner after a process was lost or a reservation failed, and else once a minute',
  },
  {
    part: /from "node_log_readers" where "read_time"/,
    fault: /^Seq Scan node_log_readers$/,
    reason: 'one row for each process',
  },
  {
    part: /case when "nodes"\."(driver_info|attributes)" like/,
    fault: /^(Seq Scan|Index Scan) nodes$/,
    reason: 'the keys of all secrets are counted at the start, for a rotation, and while a key is missing',
  },
  {
    part: /^update "event_sources" set "owner" = \$1, "due_time"/,
    fault: / event_sources$/,
    reason: 'sources without an owner are looked for among one row for each node, every few seconds',
  },
  {
    part: /from "event_sources" group by "state"/,
    fault: /^Index Only Scan event_sources$/,
    reason: 'metrics count all sources',
  },
];
const used = new Set<object>();

/**
 * Returns the plan nodes of a statement that read a whole table, filter a whole index, or sort more than a page, even
 * though scans are disabled; empty when it finds by index what it returns.
 */
async function faultsOf(client: pg.Client, text: string, values: unknown[]): Promise<string[]> {
  const { rows } = await client.query({ text: `explain (format json) ${text}`, values });
  const faults: string[] = [];
  const look = (plan: Plan, ends: boolean): void => {
    const type = plan['Node Type'];
    const relation = plan['Relation Name'];
    if (relation !== undefined && relation !== 'conductors') {
      const small = SMALL_INDEXES.includes(plan['Index Name'] ?? '');
      const whole =
        /^Index (Only )?Scan$/.test(type) &&
        plan['Index Cond'] === undefined &&
        !small &&
        (!ends || plan.Filter !== undefined);
      if (type === 'Seq Scan' || whole) faults.push(`${type} ${relation}`);
    }
    if (type === 'Sort' && plan['Plan Rows'] > MAX_SORTED) faults.push(type);
    // A limit ends the ordered read below it.
    const below = type === 'Limit' || (ends && !/^Sort|Hash|Aggregate|Materialize/.test(type));
    for (const part of plan.Plans ?? []) look(part, below);
  };
  look(rows[0]['QUERY PLAN'][0].Plan, false);
  return faults.filter((fault) => {
    const exception = EXCEPTIONS.find((each) => each.part.test(text) && each.fault.test(fault));
    if (exception !== undefined) used.add(exception);
    return exception === undefined;
  });
}

describe('the plans of all statements', () => {
  let client: pg.Client;

  beforeAll(async () => {
    await open(5000);
    client = new pg.Client(server.url(`test_${SIZES.length + 2}`));
    await client.connect();
    await client.query('set enable_seqscan = off; set enable_bitmapscan = off');
  }, 60_000);

  afterAll(async () => {
    await client.end();
    await store.close();
  });

  test('search by index, and neither scan nor sort a growing table', async () => {
    expect(statements.size).toBeGreaterThan(80);
    const faults = [];
    for (const [text, values] of statements) faults.push({ text, faults: await faultsOf(client, text, values) });
    expect(faults.filter((each) => each.faults.length > 0)).toEqual([]);
    expect(EXCEPTIONS.filter((each) => !used.has(each))).toEqual([]);
  });

  test('need every index: without it one of the statements scans or sorts', async () => {
    const { rows } = await client.query(
      `select indexname from pg_indexes where schemaname = 'public' and indexname not like '%key' and indexname not like 'kysely%'`,
    );
    expect(rows.length).toBeGreaterThan(10);
    const needless: string[] = [];
    for (const { indexname } of rows) {
      await client.query(`begin; drop index ${indexname}`);
      const faults = [];
      for (const [text, values] of statements) faults.push(...(await faultsOf(client, text, values)));
      if (faults.length === 0) needless.push(indexname);
      await client.query('rollback');
    }
    // PostgreSQL lists them in any order.
    expect(needless.sort()).toEqual([
      // Without them events are read by the primary key to the limit, and those that a filter does not select are skipped.
      ...['events_critical', 'events_message', 'events_node', 'events_registry', 'events_warning'],
      // Its loss shows in the rows read for 'nodes of an owner' above: each node is then looked up by the primary key.
      'node_attributes_digest',
    ]);
  });
});
