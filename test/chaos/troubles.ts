import { setTimeout as sleep } from 'node:timers/promises';
import { REQUEST_TIMEOUT } from './chaosDriver.ts';
import type { Random } from './random.ts';
import { LEASE, type Replica } from './replica.ts';
import { type ChaosWorld, count } from './world.ts';

/** Milliseconds between two restarts of the database, about. */
const DATABASE_INTERVAL = 40_000;

/**
 * Kills, stops and restarts what there is, until `until` (by `performance.now()`); then all runs again.
 * @param pauses whether processes are stopped as well
 */
export async function makeTrouble(world: ChaosWorld, until: number, pauses: boolean): Promise<void> {
  await Promise.all([
    ...world.replicas.map((replica) => troubleReplica(world, replica, world.random.fork(), until, pauses)),
    troubleDatabase(world, world.random.fork(), until),
    troubleMachines(world, world.random.fork(), until),
  ]);
}

async function troubleReplica(
  world: ChaosWorld,
  replica: Replica,
  random: Random,
  until: number,
  pauses: boolean,
): Promise<void> {
  for (;;) {
    await sleep(random.between(2000, 12_000));
    if (performance.now() > until) return;
    if (replica.url === null) await replica.startAgain();
    const kind = random.below(pauses ? 10 : 5);
    if (kind < 4) {
      count(world, 'kill -9');
      await replica.end('SIGKILL');
      await sleep(random.below(3000));
      await replica.startAgain();
    } else if (kind < 5) {
      count(world, 'SIGTERM');
      await replica.end('SIGTERM');
      await sleep(random.below(1000));
      await replica.startAgain();
    } else {
      count(world, 'SIGSTOP');
      replica.pause();
      // Most times longer than anybody waits for it, sometimes about a lease.
      const least = random.happens(0.7) ? LEASE + REQUEST_TIMEOUT : LEASE / 2;
      await sleep(least + random.below(2000));
      replica.resume();
    }
  }
}

async function troubleDatabase(world: ChaosWorld, random: Random, until: number): Promise<void> {
  const time = Math.min(DATABASE_INTERVAL, until - performance.now());
  for (;;) {
    await sleep(time * random.between(0.4, 0.6));
    if (performance.now() > until) return;
    count(world, 'restarts of the database');
    world.history.note(null, 'the database stops');
    await world.postgres.stop();
    await sleep(random.below(4000));
    await world.postgres.start();
    world.history.note(null, 'the database runs again');
    await sleep(time * random.between(0.4, 0.6));
  }
}

/** Makes BMCs slow for a while, so that requests are under way when something happens. */
async function troubleMachines(world: ChaosWorld, random: Random, until: number): Promise<void> {
  while (performance.now() < until) {
    for (const bmc of world.fleet.bmcs) {
      bmc.setLatency(random.happens(0.2) ? random.below(REQUEST_TIMEOUT * 1.2) : random.below(60));
    }
    await sleep(1000);
  }
  for (const bmc of world.fleet.bmcs) bmc.setLatency(5);
}
