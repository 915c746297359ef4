import type { Fleet } from '../../src/sim/index.ts';
import type { PostgresServer } from '../store/postgres/embeddedPostgres.ts';
import type { Arrivals } from './arrivals.ts';
import type { ChaosCall, Told } from './front.ts';
import type { History } from './history.ts';
import type { Random } from './random.ts';
import type { Replica } from './replica.ts';
import type { Watcher } from './watcher.ts';

/** A node and the machine behind it. */
export interface ChaosNode {
  uuid: string;
  /** Its place in the fleet. */
  index: number;
}

/** A call that makes a subscription of its own destination. */
export interface Creation {
  node: ChaosNode;
  destination: string;
  call: ChaosCall;
  /** What each who asked for it was told; more than one only with a key. */
  told: Told[];
}

/** A run under way: what there is, and what is known of it. */
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
  /** Each accepted job that a caller was told of, with its node. */
  readonly jobs: Map<string, ChaosNode>;
  readonly watchers: Watcher[];
  /** How often each thing happened. */
  readonly counts: Map<string, number>;
}

export function count(world: ChaosWorld, what: string, by = 1): void {
  world.counts.set(what, (world.counts.get(what) ?? 0) + by);
}

/** The address of a replica that is thought to listen, perhaps one that is stopped; null when all are down. */
export function anyReplica(world: ChaosWorld, random: Random): { name: string; url: string } | null {
  const { name, url } = random.pick(world.replicas);
  if (url !== null) return { name, url };
  const other = world.replicas.find((replica) => replica.url !== null);
  return other === undefined ? null : { name: other.name, url: other.url as string };
}
