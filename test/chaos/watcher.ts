import { setTimeout as sleep } from 'node:timers/promises';
import { TERMINAL } from './chaosClient.ts';
import { grpcClient } from './grpcClient.ts';
import type { Random } from './random.ts';
import { restClient } from './restClient.ts';
import { anyReplica, type ChaosNode, type ChaosWorld, count } from './world.ts';

/** Watches a job to its end, through changing replicas and protocols. */
export class Watcher {
  readonly job: string;
  readonly node: ChaosNode;
  /** The last state seen; null before the first. */
  state: string | null = null;
  revision: number | null = null;
  /** Revisions seen twice, out of order, or not at all. */
  readonly errors: string[] = [];
  readonly ended: Promise<void>;
  readonly #world: ChaosWorld;
  readonly #random: Random;
  readonly #signal: AbortSignal;

  /** @param signal ends the watcher at once */
  constructor(world: ChaosWorld, job: string, node: ChaosNode, random: Random, signal: AbortSignal) {
    this.job = job;
    this.node = node;
    this.#world = world;
    this.#random = random;
    this.#signal = signal;
    this.ended = this.#watch();
  }

  get sawEnd(): boolean {
    return this.state !== null && TERMINAL.has(this.state);
  }

  async #watch(): Promise<void> {
    while (!this.sawEnd && !this.#signal.aborted) {
      const replica = anyReplica(this.#world, this.#random);
      const client = this.#random.pick([restClient, grpcClient]);
      if (replica !== null) {
        count(this.#world, 'watcher streams');
        try {
          for await (const { revision, state } of client.watch(replica.url, this.job, this.revision, this.#signal)) {
            this.#see(revision, state, `${replica.name} over ${client.name}`);
          }
        } catch {
          // The replica was killed, is shutting down, or has no database: another one is tried.
        }
      }
      if (!this.sawEnd) await sleep(100, undefined, { signal: this.#signal }).catch(() => {});
    }
  }

  #see(revision: number, state: string, where: string): void {
    if (this.revision !== null && revision !== this.revision + 1) {
      this.errors.push(`revision ${revision} after ${this.revision}, from ${where}`);
    }
    if (this.sawEnd) this.errors.push(`${state} after ${this.state}, from ${where}`);
    this.revision = revision;
    this.state = state;
    if (TERMINAL.has(state)) {
      this.#world.history.add(this.node.uuid, `watcher saw job ${this.job} ${state}, from ${where}`);
    }
  }
}
