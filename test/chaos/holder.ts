import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosClient, Outcome } from './chaosClient.ts';
import { grpcClient } from './grpcClient.ts';
import type { Random } from './random.ts';
import { restClient } from './restClient.ts';
import { anyReplica, type ChaosNode, type ChaosWorld, count, newMark } from './world.ts';

/** Every fifth node is held with keys, and locked in no other way, since an unlock without a key would end the hold. */
export const isHeldWithKeys = ({ index }: ChaosNode): boolean => index % 5 === 0;

/** Within this time of its end, in milliseconds, a hold counts as neither held nor ended. */
const MARGIN = 250;

/** A time, by `performance.now()`, throughout which a node was certainly held: calls without the key were refused. */
export interface CertainHold {
  node: ChaosNode;
  from: number;
  until: number;
}

/** A hold, of its holder. */
interface Hold extends CertainHold {
  /** When it has ended at the latest; null when that is unknown. */
  latest: number | null;
}

/** An exclusive call without the key of a reservation that had an effect. */
export interface OutsideCall {
  node: ChaosNode;
  begun: number;
  ended: number;
  what: string;
}

/** Makes a call on the held node, with the key if one is given. */
export type CallNode = (node: ChaosNode, reservationKey: string) => Promise<Outcome | null>;

/**
 * Holds a node for some calls within its reservation: renews it, hands the key to a second caller, and ends it or lets its time
 * run out. Nothing works with the key afterwards.
 * @param call makes a call of a random method
 */
export async function holdWithKey(world: ChaosWorld, node: ChaosNode, random: Random, call: CallNode): Promise<void> {
  const seconds = 1 + Math.floor(random.below(5));
  const reason = newMark(world, 'hold');
  const sent = performance.now();
  const key = await attempt(world, node, random, `hold for ${seconds} s`, (client, url) =>
    client.hold(url, node.uuid, seconds, reason),
  );
  if (key === null) return count(world, 'holds: not made');
  count(world, 'holds');
  world.marks.push({ node: node.uuid, driver: node.driver, mark: `reason ${reason}` });
  const from = performance.now();
  const hold: Hold = { node, from, until: sent + seconds * 1000 - MARGIN, latest: from + seconds * 1000 };
  world.holds.push(hold);
  for (let steps = 1 + random.below(4); steps > 0; steps--) {
    const kind = random.below(10);
    if (kind < 5) await noted(world, call(node, key));
    else if (kind < 8) {
      // Two who have the key: their calls run one after the other.
      count(world, 'holds: keys handed over');
      await Promise.all([noted(world, call(node, key)), noted(world, call(node, key))]);
    } else await renew(world, hold, key, random);
    await sleep(random.below(200));
  }
  if (random.chance(0.4)) {
    // A renewal without a response may take effect at any time.
    if (hold.latest === null) return;
    await sleep(Math.max(0, hold.latest + MARGIN - performance.now()));
    count(world, 'holds: run out');
  } else {
    // From here on it may end at any time.
    hold.until = Math.min(hold.until, performance.now());
    const ended = await attempt(world, node, random, 'end of the hold', async (client, url) => {
      await client.endHold(url, node.uuid, key);
      return true;
    });
    if (ended === null) return;
    count(world, 'holds: ended');
  }
  const late = await call(node, key);
  if (late?.kind === 'result' || late?.kind === 'job') {
    world.lateKeys.push({ node, what: `${late.kind} ${late.id}` });
  }
}

/** Counts the outcome of a call with a key. */
async function noted(world: ChaosWorld, call: Promise<Outcome | null>): Promise<void> {
  const outcome = await call;
  if (outcome !== null) count(world, `calls with a reservation key: ${outcome.kind}`);
}

async function renew(world: ChaosWorld, hold: Hold, key: string, random: Random): Promise<void> {
  const { node, latest } = hold;
  const seconds = 1 + Math.floor(random.below(4));
  const sent = performance.now();
  // It may be lengthened or shortened even if the response is lost.
  hold.until = Math.min(hold.until, sent);
  hold.latest = null;
  const renewed = await attempt(world, node, random, `renewal for ${seconds} s`, async (client, url) => {
    await client.renew(url, node.uuid, key, seconds);
    return true;
  });
  if (renewed === null) return;
  count(world, 'holds: renewed');
  // An earlier renewal without a response may take effect after this one.
  if (latest === null) return;
  // It was held all the time: a hold that has ended cannot be renewed.
  hold.until = sent + seconds * 1000 - MARGIN;
  hold.latest = performance.now() + seconds * 1000;
}

/** Returns null when the replicas are down, or the attempt failed or had no response. */
async function attempt<T>(
  world: ChaosWorld,
  node: ChaosNode,
  random: Random,
  what: string,
  make: (client: ChaosClient, url: string) => Promise<T>,
): Promise<T | null> {
  const replica = anyReplica(world, random);
  if (replica === null) return null;
  const client = random.pick([restClient, grpcClient]);
  try {
    const done = await make(client, replica.url);
    world.history.add(node.uuid, `${what} at ${replica.name} over ${client.name}: done`);
    return done;
  } catch (error) {
    world.history.add(node.uuid, `${what} at ${replica.name} over ${client.name} failed: ${error}`);
    return null;
  }
}
