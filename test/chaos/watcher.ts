import { setTimeout as sleep } from 'node:timers/promises';
import { TERMINAL } from './front.ts';
import { grpcFront } from './grpcFront.ts';
import type { Random } from './random.ts';
import { restFront } from './restFront.ts';
import { anyReplica, type ChaosNode, type ChaosWorld, count } from './world.ts';

/** Somebody who watches a job to its end, through one replica after the other. */
export class Watcher {
  readonly job: string;
  readonly node: ChaosNode;
  /** The last state that was seen; null before the first. */
  state: string | null = null;
  revision: number | null = null;
  /** Revisions that came twice, out of order, or not at all. */
  readonly faults: string[] = [];
  readonly ended: Promise<void>;
  readonly #world: ChaosWorld;
  readonly #random: Random;
  readonly #signal: AbortSignal;

  /** @param signal ends it, whatever it has seen */
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
      const front = this.#random.pick([restFront, grpcFront]);
      if (replica !== null) {
        count(this.#world, 'streams of watchers');
        try {
          for await (const { revision, state } of front.watch(replica.url, this.job, this.revision, this.#signal)) {
            this.#see(revision, state, `${replica.name} by ${front.name}`);
          }
        } catch {
          // The replica was killed, is shutting down, or its database does not answer: another is asked.
        }
      }
      if (!this.sawEnd) await sleep(100, undefined, { signal: this.#signal }).catch(() => {});
    }
  }

  #see(revision: number, state: string, where: string): void {
    if (this.revision !== null && revision !== this.revision + 1) {
      this.faults.push(`revision ${revision} came after ${this.revision}, from ${where}`);
    }
    if (this.sawEnd) this.faults.push(`${state} came after ${this.state}, from ${where}`);
    this.revision = revision;
    this.state = state;
    if (TERMINAL.has(state)) {
      this.#world.history.note(this.node.uuid, `a watcher sees job ${this.job} ${state}, from ${where}`);
    }
  }
}
