import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from '../../src/sim/index.ts';
import { startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { Arrivals } from './arrivals.ts';
import { Callers } from './callers.ts';
import { REQUEST_TIMEOUT } from './chaosDriver.ts';
import { enrolNode, unlockNode } from './grpcFront.ts';
import { History } from './history.ts';
import { Random } from './random.ts';
import { LEASE, Replica } from './replica.ts';
import { makeTrouble } from './troubles.ts';
import { judge, type Violation } from './verdict.ts';
import type { ChaosNode, ChaosWorld } from './world.ts';

const REPLICAS = 3;
const NODES = 20;

/** Milliseconds after the last trouble within which everything must have come to its end. */
const HEALING = 60_000;

/** So many times things go wrong for as long again while too little has happened. */
const MOST_ROUNDS = 5;

export interface ChaosOptions {
  /** How long things go wrong, in milliseconds. */
  duration: number;
  seed: number;
  /** Whether processes are stopped (SIGSTOP) as well. */
  pauses: boolean;
  /** How often each of these things is to happen at least; things go wrong for longer until they have. Default: none is. */
  least?: ReadonlyMap<string, number>;
}

export interface ChaosReport {
  counts: Map<string, number>;
  violations: Violation[];
  history: History;
}

/**
 * Three replicas on one PostgreSQL, 20 nodes, callers and watchers, while replicas are killed and the database is
 * restarted; then everything heals, and it is looked whether all promises were kept.
 */
export async function runChaos({ duration, seed, pauses, least = new Map() }: ChaosOptions): Promise<ChaosReport> {
  const history = new History();
  const arrivals = new Arrivals(history);
  const ends: (() => Promise<void>)[] = [];
  try {
    const fleet = await startFleet({ count: NODES, keepRequests: 1, seed, onRequest: (each) => arrivals.note(each) });
    ends.push(() => fleet.close());
    const postgres = await startPostgres();
    ends.push(() => postgres.remove());
    const database = await postgres.createDatabase();
    const replicas = Array.from(
      { length: REPLICAS },
      (_, index) => new Replica(`replica-${index + 1}`, postgres.url(database), history),
    );
    ends.push(async () => void (await Promise.all(replicas.map((replica) => replica.end('SIGKILL')))));
    await Promise.all(replicas.map((replica) => replica.start()));
    const nodes: ChaosNode[] = [];
    for (const [index, bmc] of fleet.bmcs.entries()) {
      const driver = index % 2 === 1 ? 'chaos' : 'redfish';
      nodes.push({ uuid: await enrolNode(replicas[0]?.url as string, `node-${index}`, driver, bmc.url), index });
    }
    const world: ChaosWorld = {
      replicas,
      nodes,
      fleet,
      postgres,
      database,
      history,
      arrivals,
      random: new Random(seed),
      creations: [],
      jobs: new Map(),
      watchers: [],
      counts: new Map(),
    };
    await play(world, duration, pauses, least);
    const violations = await judge(world, pauses);
    const { counts } = world;
    counts.set('jobs that a caller was told of', world.jobs.size);
    counts.set('watchers', world.watchers.length);
    counts.set('requests under a reservation', arrivals.count);
    counts.set('of these under an older one than one before', arrivals.late.length);
    return { counts, violations, history };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function play(
  world: ChaosWorld,
  duration: number,
  pauses: boolean,
  least: ReadonlyMap<string, number>,
): Promise<void> {
  const ending = new AbortController();
  const callers = new Callers(world, ending.signal);
  await makeTrouble(world, performance.now() + duration, pauses);
  // On a busy machine little may have happened by then.
  const enough = () => [...least].every(([what, times]) => (world.counts.get(what) ?? 0) >= times);
  for (let more = 0; more < MOST_ROUNDS && !enough(); more++) {
    await makeTrouble(world, performance.now() + duration, pauses);
  }
  world.history.note(null, 'all heals');
  const late = setTimeout(() => ending.abort(), HEALING);
  try {
    await Promise.all([callers.stop().finally(() => ending.abort()), unlockAll(world, ending.signal)]);
    await quiet(world);
  } finally {
    clearTimeout(late);
    ending.abort();
  }
}

/** Releases what locks hold that came late, so that callers do not wait for them for ever. */
async function unlockAll({ postgres, database, replicas }: ChaosWorld, ending: AbortSignal): Promise<void> {
  do {
    await sleep(500);
    const held = await postgres.query<{ node_uuid: string }>(
      "select node_uuid from reservations where kind = 'held'",
      database,
    );
    for (const { node_uuid: node } of held) await unlockNode(replicas[0]?.url as string, node);
  } while (!ending.aborted);
}

/** Waits until nothing is under way in the store, but not for ever. */
async function quiet({ postgres, database }: ChaosWorld): Promise<void> {
  const end = performance.now() + 4 * (LEASE + REQUEST_TIMEOUT);
  while (performance.now() < end) {
    const [row] = await postgres.query<{ busy: boolean }>(
      "select exists(select from jobs where state = 'running') or exists(select from reservations where kind is not null) as busy",
      database,
    );
    if (row?.busy === false) return;
    await sleep(200);
  }
}
