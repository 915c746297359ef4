import { setTimeout as sleep } from 'node:timers/promises';
import { startFleet } from '../../src/sim/index.ts';
import { freePorts } from '../freePorts.ts';
import { startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { Arrivals } from './arrivals.ts';
import { Callers } from './callers.ts';
import { catchUp } from './changeViolations.ts';
import { REQUEST_TIMEOUT } from './chaosDriver.ts';
import { balance, EventTraffic } from './eventTraffic.ts';
import { catchUpWithEvents } from './eventViolations.ts';
import { EventWatcher } from './eventWatcher.ts';
import { injectFailures } from './failures.ts';
import { enrolNode, unlockNode } from './grpcClient.ts';
import { History } from './history.ts';
import { isHeldWithKeys } from './holder.ts';
import { ManyWatcher } from './manyWatcher.ts';
import { Random } from './random.ts';
import { LEASE, Replica } from './replica.ts';
import { findViolations, type Violation } from './violations.ts';
import type { ChaosNode, ChaosWorld } from './world.ts';

const REPLICAS = 3;
const REPLICAS_WITH_WORKERS = 2;
const NODES = 20;
const EVENT_WATCHERS = 3;

/** Milliseconds after the last failure within which all calls and jobs must end. */
const RECOVERY_TIMEOUT = 60_000;

/** Milliseconds within which what BMCs could not send meanwhile must be acknowledged: they send one after the other. */
const DELIVERY_TIMEOUT = 180_000;

/** The maximum number of further rounds of failures while too little has happened. */
const MAX_ROUNDS = 5;

export interface ChaosOptions {
  /** The duration of failures in milliseconds. */
  duration: number;
  seed: number;
  /** Whether processes are paused (SIGSTOP) as well. */
  pauses: boolean;
  /** The number of processes of each replica; 1 by default. With more there are fewer replicas. */
  workers?: number;
  /** The minimum number of events, until which failures continue; none by default. */
  minimum?: ReadonlyMap<string, number>;
}

export interface ChaosReport {
  counts: Map<string, number>;
  violations: Violation[];
  history: History;
}

/**
 * Runs three replicas, or two of several processes each, on one PostgreSQL, 20 nodes, callers, BMCs that send events, and watchers of
 * one job, of many jobs and nodes, and of events, while replicas are killed and the database is restarted. Then everything recovers,
 * and the promises are checked.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { duration, seed, pauses, workers = 1, minimum = new Map() } = options;
  const history = new History();
  const arrivals = new Arrivals(history);
  const ends: (() => Promise<void>)[] = [];
  try {
    const fleet = await startFleet({ count: NODES, keepRequests: 1, seed, onRequest: (each) => arrivals.add(each) });
    ends.push(() => fleet.close());
    const postgres = await startPostgres();
    ends.push(() => postgres.remove());
    const database = await postgres.createDatabase();
    const ports = await freePorts(workers > 1 ? REPLICAS_WITH_WORKERS : REPLICAS);
    const replicas = ports.map(
      (eventsPort, index) => new Replica(`replica-${index + 1}`, postgres.url(database), eventsPort, history, workers),
    );
    const random = new Random(seed);
    const balancer = await balance(replicas, random.fork());
    ends.push(async () => balancer.close());
    for (const replica of replicas) replica.eventsUrl = balancer.url;
    ends.push(async () => void (await Promise.all(replicas.map((replica) => replica.end('SIGKILL')))));
    await Promise.all(replicas.map((replica) => replica.start()));
    const nodes: ChaosNode[] = [];
    for (const [index, bmc] of fleet.bmcs.entries()) {
      const driver = index % 2 === 1 ? 'chaos' : 'redfish';
      const uuid = await enrolNode(replicas[0]?.url as string, `node-${index}`, driver, bmc.url);
      nodes.push({ uuid, index, driver });
    }
    const events = await EventTraffic.start(replicas[0]?.url as string);
    ends.push(() => events.close());
    const world: ChaosWorld = {
      replicas,
      nodes,
      fleet,
      postgres,
      database,
      history,
      arrivals,
      random,
      creations: [],
      jobs: new Map(),
      watchers: [],
      manyWatchers: [],
      events,
      eventWatchers: [],
      marks: [],
      holds: [],
      outside: [],
      lateKeys: [],
      counts: new Map(),
    };
    await play(world, duration, pauses, minimum);
    const violations = await findViolations(world, pauses);
    const { counts } = world;
    counts.set('jobs known to callers', world.jobs.size);
    counts.set('watchers', world.watchers.length);
    counts.set('requests with a fence', arrivals.count);
    counts.set('requests with an older fence than before', arrivals.late.length);
    return { counts, violations, history };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

async function play(
  world: ChaosWorld,
  duration: number,
  pauses: boolean,
  minimum: ReadonlyMap<string, number>,
): Promise<void> {
  const deadline = new AbortController();
  for (const kind of ['job', 'node'] as const) {
    for (const driver of ['', '', 'chaos']) {
      world.manyWatchers.push(new ManyWatcher(world, kind, driver, world.random.fork()));
    }
  }
  // What follows is told to all of them as changes.
  for (let watcher = 0; watcher < EVENT_WATCHERS; watcher++) {
    world.eventWatchers.push(new EventWatcher(world, world.random.fork()));
  }
  const watchers = [...world.manyWatchers, ...world.eventWatchers];
  while (watchers.some(({ start }) => start === null)) await sleep(50);
  world.events.begin();
  const callers = new Callers(world, deadline.signal);
  await injectFailures(world, performance.now() + duration, pauses);
  // On a busy machine little may have happened so far.
  const enough = () => [...minimum].every(([what, times]) => (world.counts.get(what) ?? 0) >= times);
  for (let more = 0; more < MAX_ROUNDS && !enough(); more++) {
    await injectFailures(world, performance.now() + duration, pauses);
  }
  world.history.add(null, 'failures end');
  const timer = setTimeout(() => deadline.abort(), RECOVERY_TIMEOUT);
  try {
    await Promise.all([callers.stop().finally(() => deadline.abort()), unlockAll(world, deadline.signal)]);
    await world.events.finish(DELIVERY_TIMEOUT);
    await waitUntilIdle(world);
    await catchUp(world);
    await catchUpWithEvents(world);
  } finally {
    clearTimeout(timer);
    deadline.abort();
    await Promise.all([...world.manyWatchers, ...world.eventWatchers].map((watcher) => watcher.stop()));
  }
}

/** Releases locks that took effect late, which callers would wait for. */
async function unlockAll({ postgres, database, replicas, nodes }: ChaosWorld, deadline: AbortSignal): Promise<void> {
  // The others end by themselves.
  const endless = new Set(nodes.filter((node) => !isHeldWithKeys(node)).map(({ uuid }) => uuid));
  do {
    await sleep(500);
    const held = await postgres.query<{ node_uuid: string }>(
      "select node_uuid from reservations where kind = 'held'",
      database,
    );
    for (const { node_uuid: node } of held.filter((one) => endless.has(one.node_uuid)))
      await unlockNode(replicas[0]?.url as string, node);
  } while (!deadline.aborted);
}

/** Waits until no job runs and no node is reserved, for a limited time. */
async function waitUntilIdle({ postgres, database }: ChaosWorld): Promise<void> {
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
