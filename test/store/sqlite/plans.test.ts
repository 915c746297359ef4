import { CompiledQuery, createQueryId, type KyselyPlugin, type RootOperationNode } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { reap } from '../../../src/core/chores.ts';
import { silentLogger } from '../../../src/core/logger.ts';
import type { NodeQuery, Store } from '../../../src/core/store.ts';
import type { Database } from '../../../src/store/database.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { openSqlite } from '../../../src/store/sqlite/sqlite.ts';
import { accept, enrol, hold, sampleConductor, sampleEnd, sampleJob, sampleReservation, update } from '../samples.ts';

let database: Database;
let store: Store;
let uuid: string;
/** The queries that were built since it was emptied. */
const built: RootOperationNode[] = [];

const recorder: KyselyPlugin = {
  transformQuery({ node }) {
    built.push(node);
    return node;
  },
  transformResult: async ({ result }) => result,
};

beforeAll(async () => {
  database = openSqlite(':memory:', silentLogger);
  await migrate(database, silentLogger);
  store = kyselyStore({ ...database, kysely: database.kysely.withPlugin(recorder) });
  // Who has migrated counts as lost.
  await reap(store, silentLogger, false);
  ({ uuid } = await enrol(store, { name: 'node-1', attributes: { owner: 'x' } }));
});

afterAll(async () => {
  await store.close();
});

/** The steps of SQLite's plan for each of `queries`. */
async function plans(queries: RootOperationNode[]): Promise<string[]> {
  const steps: string[] = [];
  for (const query of queries) {
    const compiled = database.kysely.getExecutor().compileQuery(query, createQueryId());
    const explain = CompiledQuery.raw(`explain query plan ${compiled.sql}`);
    const { rows } = await database.kysely.executeQuery<{ detail: string }>(
      explain as CompiledQuery<{ detail: string }>,
    );
    steps.push(...rows.map((row) => row.detail));
  }
  return steps;
}

/** The plan of what `step` asks the database. */
async function planOf(step: () => Promise<unknown>): Promise<string> {
  built.length = 0;
  await step();
  const queries = [...built];
  expect(queries.length).toBeGreaterThan(0);
  return (await plans(queries)).join('\n');
}

async function endJobs(count: number): Promise<void> {
  for (let number = 1; number <= count; number++) {
    const end = sampleEnd(await accept(store, number), { endTime: new Date(number) });
    await store.endJob(end, hold());
  }
}

const page = (given: Partial<NodeQuery>) => () =>
  store.listNodes({ limit: 10, marker: null, sortKey: 'id', sortDirection: 'asc', ...given });
const jobs = (given: object) => () => store.listJobs({ limit: 10, olderThan: sampleJob(9).id, ...given });

test("what is prepared once (nodes by name and UUID, reservations, a job's beginning, end and look-up) searches by index", async () => {
  built.length = 0;
  kyselyStore({ ...database, kysely: database.kysely.withPlugin(recorder) });
  const steps = await plans([...built]);
  expect(steps.join('\n')).toMatch(/SEARCH nodes USING INDEX \S+ \(uuid=\?\)/);
  expect(steps.join('\n')).toMatch(/SEARCH nodes USING INDEX \S+ \(name=\?\)/);
  expect(steps.join('\n')).toMatch(/SEARCH reservations USING INDEX \S+ \(node_uuid=\?\)/);
  expect(steps.join('\n')).toMatch(/SEARCH jobs USING INDEX \S+ \(id=\?\)/);
  // Hosts, and what is read once at start.
  const few = /^SCAN (conductors|reservations|idempotency USING INDEX idempotency_owner)$|FOR DISTINCT$/;
  expect(steps.filter((step) => /SCAN (?!CONSTANT)|TEMP B-TREE/.test(step) && !few.test(step))).toEqual([]);
});

test.each<[string, () => Promise<unknown>]>([
  ['a job’s revisions', () => store.listRevisions(sampleJob(1).id, 0)],
  ['an update of a node', () => update(store, uuid, { attributes: { owner: 'x' } }, new Date())],
  [
    'a locked node',
    () => store.acquire(uuid, sampleReservation(), 'p').then(() => store.acquire(uuid, sampleReservation(), 'p')),
  ],
  [
    'an idempotent call',
    () => store.beginIdempotent({ caller: 'a', key: 'k', fingerprint: 'f', createTime: new Date() }, 'p', new Date(0)),
  ],
  ['the removal of old idempotent calls', () => store.removeIdempotent(new Date(), 10)],
  ['the removal of old jobs', () => store.removeEndedJobs({ endTime: new Date(), id: 'x' }, 10)],
  ['the wish for a node', () => store.want(uuid, 1)],
  ['the release of a node whose acquisition is not known', () => store.releaseOwn(uuid, 'process-1')],
  ['the request to stop a job', () => store.requestCancel(sampleJob(1).id, 'alice')],
  ['the renewal of a lease', () => store.renewConductor('process-1')],
  ['the newest revisions of jobs', () => store.newestRevisions([sampleJob(1).id, sampleJob(2).id])],
  ['requests to stop jobs', () => store.listCancelRequests('process-1')],
  ['the running jobs of a conductor', () => store.listRunningJobs('process-1')],
  ['the end of an idempotent call', () => store.finishIdempotent('a', 'k', {})],
  ['jobs of a node', jobs({ nodeUuid: 'x' })],
  ['jobs of a driver', jobs({ driver: 'x' })],
  ['jobs in a state', jobs({ state: 'running' })],
  ['jobs, a later page', jobs({})],
  ['nodes, a later page', () => page({ marker: uuid })()],
  ['nodes, a later page backwards', () => page({ marker: uuid, sortDirection: 'desc' })()],
  ['nodes of a driver', page({ driver: 'x' })],
  ['nodes by name, a later page', () => page({ marker: uuid, sortKey: 'name' })()],
  ['nodes by UUID, a later page', () => page({ marker: uuid, sortKey: 'uuid' })()],
])('%s: searches by index, reads no table through and sorts nothing', async (_, step) => {
  const plan = await planOf(step);
  expect(plan).not.toMatch(/SCAN (?!CONSTANT)/);
  expect(plan).not.toMatch(/TEMP B-TREE/);
});

test.each<[string, () => Promise<unknown>]>([
  ['jobs', jobs({ olderThan: null })],
  ['nodes', page({})],
  ['nodes by name', page({ sortKey: 'name' })],
])('%s, the first page: reads in order and stops at the limit', async (_, step) => {
  expect(await planOf(step)).not.toMatch(/TEMP B-TREE/);
});

test('jobs that are too many: the oldest kept is found by walking the index alone', async () => {
  await endJobs(3);
  const plan = await planOf(() => store.placeAfterNewest(2));
  expect(plan).toContain('SEARCH jobs USING COVERING INDEX jobs_end_time');
  expect(plan).not.toMatch(/SCAN (?!CONSTANT)|TEMP B-TREE/);
});

test('the jobs of lost conductors are found among those that run', async () => {
  await store.addConductor(sampleConductor({ id: 'process-lost', lease: -1, grace: 3_600_000 }));
  const plan = await planOf(() => reap(store, silentLogger, false));
  expect(plan).toContain('SEARCH jobs USING INDEX jobs_state (state=?)');
  expect(plan).not.toMatch(/SCAN (jobs|job_revisions|nodes)|TEMP B-TREE/);
});

test('nodes of an owner: are found by index, so that only they are sorted', async () => {
  expect(await planOf(page({ attributes: { owner: 'x' } }))).not.toMatch(/SCAN (?!CONSTANT)/);
});

test.each([
  [{ nodeUuid: 'x' }, 'jobs_node_uuid'],
  [{ driver: 'x' }, 'jobs_driver'],
  [{ state: 'running' }, 'jobs_state'],
])('a page of jobs by %j uses the index %s', async (query, index) => {
  expect(await planOf(jobs(query))).toContain(`SEARCH listed USING COVERING INDEX ${index}`);
});
