import { setTimeout as sleep } from 'node:timers/promises';
import { readCursor } from '../../src/core/watch/cursor.ts';
import { grpcClient } from './grpcClient.ts';
import type { Random } from './random.ts';
import { restClient } from './restClient.ts';
import { anyReplica, type ChaosWorld, count } from './world.ts';

/** Watches all events, through changing replicas and protocols, by its cursor. */
export class EventWatcher {
  /** The position after which events are told; null before it has begun. */
  start: number | null = null;
  /** The positions of the events that were told, in order. */
  readonly positions: number[] = [];
  readonly errors: string[] = [];
  readonly ended: Promise<void>;
  readonly #world: ChaosWorld;
  readonly #random: Random;
  readonly #stop = new AbortController();
  #cursor = '';

  constructor(world: ChaosWorld, random: Random) {
    this.#world = world;
    this.#random = random;
    this.ended = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.ended;
  }

  async #watch(): Promise<void> {
    const stop = this.#stop.signal;
    while (!stop.aborted) {
      const replica = anyReplica(this.#world, this.#random);
      const client = this.#random.pick([restClient, grpcClient]);
      if (replica !== null) {
        count(this.#world, this.#cursor === '' ? 'watches of events: begun' : 'watches of events: resumed by a cursor');
        // It also leaves by itself.
        const signal = AbortSignal.any([stop, AbortSignal.timeout(Math.floor(this.#random.between(1000, 10_000)))]);
        try {
          for await (const { kind, cursor } of client.watchEvents(replica.url, this.#cursor, signal)) {
            this.#see(kind, cursor, `${replica.name} over ${client.name}`);
          }
        } catch {
          // The replica was killed, is shutting down, or has no database: another one is tried.
        }
      }
      await sleep(50, undefined, { signal: stop }).catch(() => {});
    }
  }

  #see(kind: 'event' | 'current' | 'reset', cursor: string, where: string): void {
    const { position } = readCursor('event', cursor);
    if (kind === 'reset') this.errors.push(`a reset, from ${where}`);
    if (kind === 'event') {
      this.positions.push(position);
      count(this.#world, 'events told');
    } else this.start ??= position;
    this.#cursor = cursor;
  }
}
