import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosCall, Outcome } from './chaosClient.ts';
import { editNode, enrolBriefly } from './editor.ts';
import { grpcClient, lockNode, unlockNode } from './grpcClient.ts';
import { holdWithKey, isHeldWithKeys } from './holder.ts';
import type { Random } from './random.ts';
import { restClient } from './restClient.ts';
import { Watcher } from './watcher.ts';
import { anyReplica, type ChaosNode, type ChaosWorld, type Creation, count, newMark } from './world.ts';

/** The number of concurrent callers. */
const CALLERS = 12;

/** Milliseconds between attempts of a call with a key. */
const RETRY_INTERVAL = 300;

/** Callers that use all nodes over all protocols. */
export class Callers {
  readonly #world: ChaosWorld;
  readonly #deadline: AbortSignal;
  readonly #work: Promise<void>[] = [];
  readonly #stopping = new AbortController();
  #calls = 0;

  /** @param deadline aborts all waiting */
  constructor(world: ChaosWorld, deadline: AbortSignal) {
    this.#world = world;
    this.#deadline = deadline;
    for (let caller = 0; caller < CALLERS; caller++) this.#work.push(this.#callRepeatedly(world.random.fork()));
  }

  /** Starts no new calls; resolves when calls with a key have an outcome and all watched jobs have ended. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#work);
    await Promise.all(this.#world.watchers.map((watcher) => watcher.ended));
  }

  async #callRepeatedly(random: Random): Promise<void> {
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      const node = random.pick(this.#world.nodes);
      const kind = random.below(100);
      if (isHeldWithKeys(node) && random.chance(0.3)) await this.#hold(node, random);
      else if (kind < 55) await this.#subscribe(node, random);
      else if (kind < 65) await this.#hold(node, random);
      else if (kind < 72) await editNode(this.#world, node, random);
      else if (kind < 74) await enrolBriefly(this.#world, random, this.#deadline);
      else await this.#callHarmless(node, random);
      await sleep(random.below(150), undefined, { signal: stopping }).catch(() => {});
    }
  }

  /** Locks a node, or holds one with a key and calls within the reservation. */
  #hold(node: ChaosNode, random: Random): Promise<void> {
    if (!isHeldWithKeys(node)) return this.#lock(node, random);
    return holdWithKey(this.#world, node, random, (_node, reservationKey) => {
      if (random.chance(0.5)) return this.#callHarmless(node, random, reservationKey);
      const creation = this.#newCreation(node, random, false, reservationKey);
      return this.#attempt(creation, random);
    });
  }

  /** Creates a subscription, synchronously or by a job, with or without a key. */
  async #subscribe(node: ChaosNode, random: Random): Promise<void> {
    const creation = this.#newCreation(node, random, random.chance(0.5));
    if (creation.call.key === null) await this.#attempt(creation, random);
    else if (random.chance(0.3)) await Promise.all([this.#retry(creation, random), this.#retry(creation, random)]);
    else {
      await this.#retry(creation, random);
      // A later repetition has the same outcome.
      if (random.chance(0.5)) await this.#retry(creation, random);
    }
  }

  #newCreation(node: ChaosNode, random: Random, idempotent: boolean, reservationKey?: string): Creation {
    const number = ++this.#calls;
    const destination = `https://events.example/${number}`;
    const inSteps = node.index % 2 === 1 && random.chance(0.7);
    const call: ChaosCall = {
      node: node.uuid,
      method: inSteps ? 'subscribe_in_steps' : 'create_subscription',
      httpMethod: 'POST',
      args: inSteps ? { destination, steps: Math.floor(random.below(6)) } : { Destination: destination },
      key: idempotent ? `key-${number}` : null,
      ...(reservationKey === undefined ? {} : { reservationKey }),
    };
    const creation: Creation = { node, destination, call, outcomes: [] };
    this.#world.creations.push(creation);
    return creation;
  }

  /** Repeats a call with a key until it has an outcome. */
  async #retry(creation: Creation, random: Random): Promise<void> {
    while (!this.#deadline.aborted) {
      const outcome = await this.#attempt(creation, random);
      if (outcome !== null && outcome.kind !== 'refused' && outcome.kind !== 'no response') return;
      await sleep(RETRY_INTERVAL, undefined, { signal: this.#deadline }).catch(() => {});
    }
  }

  async #attempt(creation: Creation, random: Random): Promise<Outcome | null> {
    const outcome = await this.#call(creation.node, creation.call, random);
    if (outcome !== null) creation.outcomes.push(outcome);
    if (outcome?.kind === 'job') this.#follow(outcome.id, creation.node, random);
    return outcome;
  }

  /** Makes a call that creates nothing. */
  async #callHarmless(node: ChaosNode, random: Random, reservationKey?: string): Promise<Outcome | null> {
    const job = random.chance(0.3);
    const within = {
      node: node.uuid,
      args: {},
      key: null,
      ...(reservationKey === undefined ? {} : { reservationKey }),
    };
    const call: ChaosCall = job
      ? { ...within, method: 'eject_vmedia', httpMethod: 'POST' }
      : { ...within, method: 'get_all_subscriptions', httpMethod: 'GET' };
    const outcome = await this.#call(node, call, random);
    if (outcome?.kind === 'job') this.#follow(outcome.id, node, random);
    return outcome;
  }

  /** Returns null when all replicas are down. */
  async #call(node: ChaosNode, call: ChaosCall, random: Random): Promise<Outcome | null> {
    const replica = anyReplica(this.#world, random);
    if (replica === null) return null;
    const client = random.pick([restClient, grpcClient]);
    const { history } = this.#world;
    const within = call.reservationKey === undefined ? '' : ' within its reservation';
    const what = `${call.method}${call.key === null ? '' : ` with ${call.key}`}${within} at ${replica.name} over ${client.name}`;
    history.add(node.uuid, `calling ${what}, ${JSON.stringify(call.args)}`);
    const begun = performance.now();
    const outcome = await client.call(replica.url, call);
    const hasEffect = outcome.kind === 'result' || outcome.kind === 'job';
    // The outcome of an earlier call with the same idempotency key is returned whoever holds the node.
    if (hasEffect && call.key === null && within === '' && isHeldWithKeys(node)) {
      this.#world.outside.push({ node, begun, ended: performance.now(), what });
    }
    const detail = 'reason' in outcome ? outcome.reason : outcome.id;
    history.add(node.uuid, `${what}: ${outcome.kind} ${detail}`);
    count(this.#world, `calls: ${outcome.kind}`);
    return outcome;
  }

  /** Watches a new job, and possibly cancels it. */
  #follow(job: string, node: ChaosNode, random: Random): void {
    if (this.#world.jobs.has(job)) return;
    this.#world.jobs.set(job, node);
    this.#world.marks.push({ node: node.uuid, driver: node.driver, mark: `job ${job}` });
    const watchers = random.pick([0, 1, 1, 2]);
    for (let index = 0; index < watchers; index++) {
      this.#world.watchers.push(new Watcher(this.#world, job, node, random.fork(), this.#deadline));
    }
    if (random.chance(0.15)) this.#work.push(this.#cancel(job, node, random.fork()));
  }

  async #cancel(job: string, node: ChaosNode, random: Random): Promise<void> {
    await sleep(random.below(800));
    const replica = anyReplica(this.#world, random);
    if (replica === null) return;
    this.#world.history.add(node.uuid, `cancelling job ${job} at ${replica.name}`);
    count(this.#world, 'cancels');
    await random
      .pick([restClient, grpcClient])
      .cancel(replica.url, job)
      .catch(() => count(this.#world, 'failed cancels'));
  }

  /** Locks a node briefly. A lock whose response was lost may still take effect later. */
  async #lock(node: ChaosNode, random: Random): Promise<void> {
    const { history } = this.#world;
    const replica = anyReplica(this.#world, random);
    if (replica === null) return;
    count(this.#world, 'locks');
    const holder = newMark(this.#world, 'operator');
    try {
      await lockNode(replica.url, node.uuid, holder);
      this.#world.marks.push({ node: node.uuid, driver: node.driver, mark: `holder ${holder}` });
      history.add(node.uuid, `locked at ${replica.name}`);
      await sleep(random.below(300));
    } catch (error) {
      history.add(node.uuid, `lock failed: ${error}`);
    }
    while (!this.#deadline.aborted) {
      const other = anyReplica(this.#world, random);
      if (other !== null && (await unlockNode(other.url, node.uuid))) {
        history.add(node.uuid, `unlocked at ${other.name}`);
        return;
      }
      await sleep(RETRY_INTERVAL, undefined, { signal: this.#deadline }).catch(() => {});
    }
  }
}
