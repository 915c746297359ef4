import { setTimeout as sleep } from 'node:timers/promises';
import { REQUEST_TIMEOUT } from './chaosDriver.ts';
import type { Random } from './random.ts';
import { LEASE, type Replica } from './replica.ts';
import { type ChaosWorld, count } from './world.ts';

/** The approximate interval between restarts of the database in milliseconds. */
const DATABASE_INTERVAL = 40_000;

/**
 * Injects failures until `until` (by `performance.now()`), after which everything runs again.
 * @param pauses whether processes are paused as well
 */
export async function injectFailures(world: ChaosWorld, until: number, pauses: boolean): Promise<void> {
  await Promise.all([
    ...world.replicas.map((replica) => disturbReplica(world, replica, world.random.fork(), until, pauses)),
    disturbDatabase(world, world.random.fork(), until),
    disturbBmcs(world, world.random.fork(), until),
  ]);
}

async function disturbReplica(
  world: ChaosWorld,
  replica: Replica,
  random: Random,
  until: number,
  pauses: boolean,
): Promise<void> {
  for (;;) {
    await sleep(random.between(2000, 12_000));
    if (performance.now() > until) return;
    if (replica.url === null) await replica.restart();
    const kind = random.below(pauses ? 10 : 5);
    if (kind < 4 && replica.workers > 1 && random.chance(0.6)) {
      if (replica.killWorker(random)) count(world, 'kill -9 of a worker');
    } else if (kind < 4) {
      count(world, 'kill -9');
      await replica.end('SIGKILL');
      await sleep(random.below(3000));
      await replica.restart();
    } else if (kind < 5) {
      count(world, 'SIGTERM');
      await replica.end('SIGTERM');
      await sleep(random.below(1000));
      await replica.restart();
    } else {
      count(world, 'SIGSTOP');
      replica.pause(random);
      // Usually longer than any timeout, sometimes about a lease.
      const min = random.chance(0.7) ? LEASE + REQUEST_TIMEOUT : LEASE / 2;
      await sleep(min + random.below(2000));
      replica.resume();
    }
  }
}

async function disturbDatabase(world: ChaosWorld, random: Random, until: number): Promise<void> {
  const time = Math.min(DATABASE_INTERVAL, until - performance.now());
  for (;;) {
    await sleep(time * random.between(0.4, 0.6));
    if (performance.now() > until) return;
    count(world, 'database restarts');
    world.history.add(null, 'database stopped');
    await world.postgres.stop();
    await sleep(random.below(4000));
    await world.postgres.start();
    world.history.add(null, 'database running');
    await sleep(time * random.between(0.4, 0.6));
  }
}

/** Slows BMCs down, so that requests are in flight when a failure occurs. */
async function disturbBmcs(world: ChaosWorld, random: Random, until: number): Promise<void> {
  while (performance.now() < until) {
    for (const bmc of world.fleet.bmcs) {
      bmc.setLatency(random.chance(0.2) ? random.below(REQUEST_TIMEOUT * 1.2) : random.below(60));
    }
    await sleep(1000);
  }
  for (const bmc of world.fleet.bmcs) bmc.setLatency(5);
}
