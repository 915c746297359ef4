import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosCall, Told } from './front.ts';
import { grpcFront, lockNode, unlockNode } from './grpcFront.ts';
import type { Random } from './random.ts';
import { restFront } from './restFront.ts';
import { Watcher } from './watcher.ts';
import { anyReplica, type ChaosNode, type ChaosWorld, type Creation, count } from './world.ts';

/** So many call at the same time. */
const CALLERS = 12;

/** Milliseconds between two tries of a call with a key. */
const RETRY = 300;

/** Callers who use every node by every way in. */
export class Callers {
  readonly #world: ChaosWorld;
  readonly #ending: AbortSignal;
  readonly #work: Promise<void>[] = [];
  readonly #stopping = new AbortController();
  #calls = 0;

  /** @param ending when nobody waits any longer for anything */
  constructor(world: ChaosWorld, ending: AbortSignal) {
    this.#world = world;
    this.#ending = ending;
    for (let caller = 0; caller < CALLERS; caller++) this.#work.push(this.#callAgainAndAgain(world.random.fork()));
  }

  /** No new calls; resolves when those with a key have got their outcome, and all jobs are watched to their end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#work);
    await Promise.all(this.#world.watchers.map((watcher) => watcher.ended));
  }

  async #callAgainAndAgain(random: Random): Promise<void> {
    const stopping = this.#stopping.signal;
    while (!stopping.aborted) {
      const node = random.pick(this.#world.nodes);
      const kind = random.below(100);
      if (kind < 55) await this.#create(node, random);
      else if (kind < 65) await this.#lock(node, random);
      else await this.#look(node, random);
      await sleep(random.below(150), undefined, { signal: stopping }).catch(() => {});
    }
  }

  /** Makes a subscription, at once or by a job, with a key or without one. */
  async #create(node: ChaosNode, random: Random): Promise<void> {
    const number = ++this.#calls;
    const destination = `https://events.example/${number}`;
    const inSteps = node.index % 2 === 1 && random.happens(0.7);
    const call: ChaosCall = {
      node: node.uuid,
      method: inSteps ? 'subscribe_in_steps' : 'create_subscription',
      httpMethod: 'POST',
      args: inSteps ? { destination, steps: Math.floor(random.below(6)) } : { Destination: destination },
      key: random.happens(0.5) ? `key-${number}` : null,
    };
    const creation: Creation = { node, destination, call, told: [] };
    this.#world.creations.push(creation);
    if (call.key === null) await this.#tell(creation, random);
    else if (random.happens(0.3)) await Promise.all([this.#insist(creation, random), this.#insist(creation, random)]);
    else {
      await this.#insist(creation, random);
      // Whoever asks again later is told the same.
      if (random.happens(0.5)) await this.#insist(creation, random);
    }
  }

  /** Calls with a key until there is an outcome. */
  async #insist(creation: Creation, random: Random): Promise<void> {
    while (!this.#ending.aborted) {
      const told = await this.#tell(creation, random);
      if (told !== null && told.kind !== 'refused' && told.kind !== 'unanswered') return;
      await sleep(RETRY, undefined, { signal: this.#ending }).catch(() => {});
    }
  }

  async #tell(creation: Creation, random: Random): Promise<Told | null> {
    const told = await this.#call(creation.node, creation.call, random);
    if (told !== null) creation.told.push(told);
    if (told?.kind === 'job') this.#follow(told.id, creation.node, random);
    return told;
  }

  /** A call that leaves no mark. */
  async #look(node: ChaosNode, random: Random): Promise<void> {
    const job = random.happens(0.3);
    const call: ChaosCall = job
      ? { node: node.uuid, method: 'eject_vmedia', httpMethod: 'POST', args: {}, key: null }
      : { node: node.uuid, method: 'get_all_subscriptions', httpMethod: 'GET', args: {}, key: null };
    const told = await this.#call(node, call, random);
    if (told?.kind === 'job') this.#follow(told.id, node, random);
  }

  /** Null when there is no replica to ask. */
  async #call(node: ChaosNode, call: ChaosCall, random: Random): Promise<Told | null> {
    const replica = anyReplica(this.#world, random);
    if (replica === null) return null;
    const front = random.pick([restFront, grpcFront]);
    const { history } = this.#world;
    const what = `${call.method}${call.key === null ? '' : ` with ${call.key}`} at ${replica.name} by ${front.name}`;
    history.note(node.uuid, `call of ${what}, ${JSON.stringify(call.args)}`);
    const told = await front.call(replica.url, call);
    const said = 'why' in told ? told.why : told.id;
    history.note(node.uuid, `${what} is told ${told.kind} ${said}`);
    count(this.#world, `calls: ${told.kind}`);
    return told;
  }

  /** Has a new job watched, and perhaps cancelled. */
  #follow(job: string, node: ChaosNode, random: Random): void {
    if (this.#world.jobs.has(job)) return;
    this.#world.jobs.set(job, node);
    const watchers = random.pick([0, 1, 1, 2]);
    for (let index = 0; index < watchers; index++) {
      this.#world.watchers.push(new Watcher(this.#world, job, node, random.fork(), this.#ending));
    }
    if (random.happens(0.15)) this.#work.push(this.#cancel(job, node, random.fork()));
  }

  async #cancel(job: string, node: ChaosNode, random: Random): Promise<void> {
    await sleep(random.below(800));
    const replica = anyReplica(this.#world, random);
    if (replica === null) return;
    this.#world.history.note(node.uuid, `cancel of job ${job} at ${replica.name}`);
    count(this.#world, 'cancels');
    await random
      .pick([restFront, grpcFront])
      .cancel(replica.url, job)
      .catch(() => count(this.#world, 'cancels that failed'));
  }

  /** Locks a node for a moment, as far as is known: a lock whose answer was lost may come later. */
  async #lock(node: ChaosNode, random: Random): Promise<void> {
    const { history } = this.#world;
    const replica = anyReplica(this.#world, random);
    if (replica === null) return;
    count(this.#world, 'locks');
    try {
      await lockNode(replica.url, node.uuid);
      history.note(node.uuid, `locked at ${replica.name}`);
      await sleep(random.below(300));
    } catch (error) {
      history.note(node.uuid, `lock failed: ${error}`);
    }
    while (!this.#ending.aborted) {
      const other = anyReplica(this.#world, random);
      if (other !== null && (await unlockNode(other.url, node.uuid))) {
        history.note(node.uuid, `not locked any more, says ${other.name}`);
        return;
      }
      await sleep(RETRY, undefined, { signal: this.#ending }).catch(() => {});
    }
  }
}
