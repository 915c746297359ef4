import type { Fleet } from '../../src/sim/index.ts';
import type { PostgresServer } from '../store/postgres/embeddedPostgres.ts';
import type { Arrivals } from './arrivals.ts';
import type { ChaosCall, Outcome } from './chaosClient.ts';
import type { EventTraffic } from './eventTraffic.ts';
import type { EventWatcher } from './eventWatcher.ts';
import type { History } from './history.ts';
import type { CertainHold, OutsideCall } from './holder.ts';
import type { ManyWatcher } from './manyWatcher.ts';
import type { Random } from './random.ts';
import type { Replica } from './replica.ts';
import type { Watcher } from './watcher.ts';

/** A node with its BMC. */
export interface ChaosNode {
  uuid: string;
  /** The BMC's index in the fleet. */
  index: number;
  driver: string;
}

/** What a node has certainly shown, which nothing else ever shows. */
export interface Mark {
  /** Its UUID. */
  node: string;
  driver: string;
  mark: string;
}

/** A call that creates a subscription to a destination of its own. */
export interface Creation {
  node: ChaosNode;
  destination: string;
  call: ChaosCall;
  /** The outcome of each attempt; more than one only with a key. */
  outcomes: Outcome[];
}

/** The parts of a run and its records. */
export interface ChaosWorld {
  readonly replicas: readonly Replica[];
  readonly nodes: readonly ChaosNode[];
  readonly fleet: Fleet;
  readonly postgres: PostgresServer;
  readonly database: string;
  readonly history: History;
  readonly arrivals: Arrivals;
  readonly random: Random;
  readonly creations: Creation[];
  /** The accepted jobs known to callers, with their nodes. */
  readonly jobs: Map<string, ChaosNode>;
  readonly watchers: Watcher[];
  readonly manyWatchers: ManyWatcher[];
  readonly events: EventTraffic;
  readonly eventWatchers: EventWatcher[];
  /** What every watcher of nodes must have been told. */
  readonly marks: Mark[];
  /** When nodes were held with keys, and exclusive calls on these nodes without one that had an effect. */
  readonly holds: CertainHold[];
  readonly outside: OutsideCall[];
  /** Calls that had an effect with the key of a reservation that had ended. */
  readonly lateKeys: { node: ChaosNode; what: string }[];
  /** The number of each kind of event. */
  readonly counts: Map<string, number>;
}

export function count(world: ChaosWorld, what: string, by = 1): void {
  world.counts.set(what, (world.counts.get(what) ?? 0) + by);
}

/** Returns a text that was never used, by which a change is recognised. */
export function newMark(world: ChaosWorld, what: string): string {
  count(world, 'marks');
  return `${what}-${world.counts.get('marks')}`;
}

/** Returns a replica that should be listening, although it may be paused; null when all are down. */
export function anyReplica(world: ChaosWorld, random: Random): { name: string; url: string } | null {
  const { name, url } = random.pick(world.replicas);
  if (url !== null) return { name, url };
  const other = world.replicas.find((replica) => replica.url !== null);
  return other === undefined ? null : { name: other.name, url: other.url as string };
}
