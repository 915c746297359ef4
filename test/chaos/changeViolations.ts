import { setTimeout as sleep } from 'node:timers/promises';
import { toJsonString } from '@bufbuild/protobuf';
import { JobSchema } from '../../gen/passthru/v1/job_pb.ts';
import { NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import { getJob, getNode, STATES } from './grpcClient.ts';
import type { ManyWatcher } from './manyWatcher.ts';
import type { Violation } from './violations.ts';
import { type ChaosWorld, count } from './world.ts';

/** Milliseconds in which all watchers must have been told everything once nothing changes any more. */
const CATCH_UP_TIMEOUT = 30_000;

/** A change in the log. */
interface Logged {
  position: number;
  /** Of a job or a node. */
  id: string;
  driver: string;
}

/** Waits until each watcher has been told the last change that it watches, for a limited time; then stops them. */
export async function catchUp(world: ChaosWorld): Promise<void> {
  const end = performance.now() + CATCH_UP_TIMEOUT;
  const logs = { job: await readLog(world, 'job'), node: await readLog(world, 'node') };
  const isBehind = (watcher: ManyWatcher) => {
    const last = watched(watcher, logs[watcher.kind]).at(-1)?.position ?? 0;
    return watcher.start === null || Math.max(watcher.start, watcher.positions.at(-1) ?? 0) < last;
  };
  while (world.manyWatchers.some(isBehind) && performance.now() < end) await sleep(100);
  await Promise.all(world.manyWatchers.map((watcher) => watcher.stop()));
}

/** Every watcher was told every change once and in order, as it was made, and nothing else. */
export async function changeViolations(world: ChaosWorld): Promise<Violation[]> {
  const logs = { job: await readLog(world, 'job'), node: await readLog(world, 'node') };
  const stored = await readRevisions(world);
  const now = { job: await readNow(world, 'job', logs.job), node: await readNow(world, 'node', logs.node) };
  const violations = world.manyWatchers.flatMap((watcher) =>
    [
      ...watcher.errors,
      ...positionErrors(watcher, watched(watcher, logs[watcher.kind])),
      ...lastErrors(watcher, now[watcher.kind]),
      ...(watcher.kind === 'job' ? revisionErrors(watcher, stored) : markErrors(watcher, world)),
    ].map((text) => ({ text: `${watcher.name} was told ${text}`, node: null })),
  );
  for (const kind of ['job', 'node'] as const) count(world, `changes of ${kind}s logged`, logs[kind].length);
  return violations;
}

function positionErrors({ start, positions }: ManyWatcher, log: readonly Logged[]): string[] {
  if (start === null) return ['no state'];
  const told = new Set(positions);
  const logged = log.map(({ position }) => position).filter((position) => position > start);
  const expected = new Set(logged);
  const missing = logged.filter((position) => !told.has(position));
  const invented = positions.filter((position) => !expected.has(position));
  return [
    ...(missing.length > 0 ? [`nothing of ${missing.length} changes, at ${missing.slice(0, 10)}`] : []),
    ...(invented.length > 0 ? [`of ${invented.length} changes that nobody made, at ${invented.slice(0, 10)}`] : []),
  ];
}

/** What was told of each job or node last is what it is. */
function lastErrors({ kind, driver, last }: ManyWatcher, now: ReadonlyMap<string, Now>): string[] {
  const errors: string[] = [];
  for (const [id, { text, driver: own }] of now) {
    if (driver !== '' && own !== driver) continue;
    if (last.get(id) !== text) errors.push(`${kind} ${id} in the end as ${last.get(id)} instead of ${text}`);
  }
  for (const id of last.keys()) if (!now.has(id)) errors.push(`of ${kind} ${id}, which does not exist`);
  return errors;
}

/** The revisions of each job are those that are stored, without the first ones of a job that the watcher's state showed. */
function revisionErrors({ driver, revisions }: ManyWatcher, stored: ReadonlyMap<string, StoredJob>): string[] {
  const errors: string[] = [];
  for (const [id, job] of stored) {
    if (driver !== '' && job.driver !== driver) continue;
    const told = (revisions.get(id) ?? []).map(([revision, state]) => `${revision} ${STATES.get(state)}`);
    const expected = job.revisions.slice(job.revisions.length - Math.max(told.length, 1));
    const isWhole = told.length === job.revisions.length || told[0] !== job.revisions[0];
    if (!isWhole || told.join() !== expected.join()) {
      errors.push(`the revisions ${told} of job ${id} instead of ${job.revisions}`);
    }
  }
  return errors;
}

function markErrors({ driver, marks }: ManyWatcher, world: ChaosWorld): string[] {
  return world.marks
    .filter((mark) => driver === '' || mark.driver === driver)
    .filter(({ node, mark }) => !marks.has(`${node} ${mark}`))
    .map(({ node, mark }) => `nothing of "${mark}" of node ${node}`);
}

function watched({ driver }: ManyWatcher, log: readonly Logged[]): readonly Logged[] {
  return driver === '' ? log : log.filter((change) => change.driver === driver);
}

async function readLog({ postgres, database, nodes, marks }: ChaosWorld, kind: 'job' | 'node'): Promise<Logged[]> {
  const rows = await postgres.query<{ position: string; id: string; driver: string | null }>(
    kind === 'job'
      ? `select position, job_id as id, driver from job_changes left join jobs on jobs.id = job_id order by position`
      : // A node whose enrolment had no response is known to nobody else.
        `select position, node_uuid as id, driver from node_changes left join nodes on uuid = node_uuid order by position`,
    database,
  );
  const drivers = new Map([
    ...nodes.map(({ uuid, driver }): [string, string] => [uuid, driver]),
    ...marks.map(({ node, driver }): [string, string] => [node, driver]),
  ]);
  return rows.map(({ position, id, driver }) => ({
    position: Number(position),
    id,
    driver: driver ?? drivers.get(id) ?? '',
  }));
}

interface StoredJob {
  driver: string;
  revisions: string[];
}

async function readRevisions({ postgres, database }: ChaosWorld): Promise<Map<string, StoredJob>> {
  const rows = await postgres.query<{ id: string; driver: string; revision: number; state: string }>(
    'select id, driver, job_revisions.revision, job_revisions.state from jobs join job_revisions on job_id = id order by id, revision',
    database,
  );
  const jobs = new Map<string, StoredJob>();
  for (const { id, driver, revision, state } of rows) {
    const job = jobs.get(id) ?? { driver, revisions: [] };
    jobs.set(id, job);
    job.revisions.push(`${revision} ${state}`);
  }
  return jobs;
}

/** A job or node as it is. */
interface Now {
  text: string;
  driver: string;
}

async function readNow(
  { replicas }: ChaosWorld,
  kind: 'job' | 'node',
  log: readonly Logged[],
): Promise<Map<string, Now>> {
  const url = replicas.find((replica) => replica.url !== null)?.url as string;
  const now = new Map<string, Now>();
  for (const id of new Set(log.map((change) => change.id))) {
    if (kind === 'job') {
      const job = await getJob(url, id);
      now.set(id, { text: toJsonString(JobSchema, job), driver: job.driver });
      continue;
    }
    const node = await getNode(url, id);
    if (node !== null) now.set(id, { text: toJsonString(NodeSchema, node), driver: node.driver });
  }
  return now;
}
