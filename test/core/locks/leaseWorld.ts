import { DatabaseSync } from 'node:sqlite';
import { sql } from 'kysely';
import { silentLogger } from '../../../src/core/logger.ts';
import type { Store } from '../../../src/core/store.ts';
import { kyselyStore } from '../../../src/store/kyselyStore.ts';
import { migrate } from '../../../src/store/migrations.ts';
import { onConnection } from '../../../src/store/sqlite/sqlite.ts';
import { enrol } from '../../store/samples.ts';

/** A period of simulated time, in milliseconds. */
export interface Period {
  at: number;
  length: number;
}

/**
 * Simulated time, a network with simulated delays, and the real store, which uses the simulated clock. Each event is
 * checked as it happens; `violations` lists those that must not happen.
 */
export class LeaseWorld {
  /** The current time in milliseconds, also by the database's clock. */
  now = 0;
  readonly violations: string[] = [];
  /** The events, as text. */
  readonly history: string[] = [];
  /** The number of requests that arrived at a machine. */
  arrivals = 0;
  readonly store: Store;
  readonly nodes: readonly string[];
  readonly #sqlite: DatabaseSync;
  readonly #newestFence = new Map<string, number>();
  #events: { time: number; order: number; act: () => unknown }[] = [];
  #seed: number;

  private constructor(sqlite: DatabaseSync, store: Store, nodes: string[], seed: number) {
    this.#sqlite = sqlite;
    this.store = store;
    this.nodes = nodes;
    this.#seed = seed;
  }

  static async open(nodeCount: number, seed: number): Promise<LeaseWorld> {
    const sqlite = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true });
    let world: LeaseWorld | null = null;
    sqlite.function('simulated_now', () => Math.round(world?.now ?? 0));
    const database = { ...onConnection(sqlite, () => {}), shared: true, now: sql<number>`simulated_now()` };
    await migrate(database, silentLogger);
    const store = kyselyStore(database);
    const nodes: string[] = [];
    for (let index = 0; index < nodeCount; index++) nodes.push((await enrol(store)).uuid);
    world = new LeaseWorld(sqlite, store, nodes, seed);
    return world;
  }

  /** Returns a number from 0, less than `below`; the same numbers for the same seed. */
  random(below: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return (this.#seed / 2 ** 32) * below;
  }

  /** Returns a delay of up to `most` milliseconds; none and the longest are frequent, since they reveal most defects. */
  delay(most: number): number {
    const kind = this.random(3);
    return kind < 1 ? 0 : kind < 2 ? most : this.random(most);
  }

  /** Schedules `act` for `time`; events at the same time happen in random order. */
  at(time: number, act: () => unknown): void {
    const event = { time: Math.max(time, this.now), order: this.random(1), act };
    const later = this.#events.findIndex(
      (other) => other.time > event.time || (other.time === event.time && other.order > event.order),
    );
    this.#events.splice(later === -1 ? this.#events.length : later, 0, event);
  }

  /** Runs all events until `end`. */
  async run(end: number): Promise<void> {
    for (;;) {
      const [next] = this.#events;
      if (next === undefined || next.time > end) break;
      this.#events.shift();
      this.now = next.time;
      await next.act();
      // Lets its waiters continue, which wait for nothing but promises.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.now = end;
  }

  note(text: string): void {
    this.history.push(`${this.now.toFixed(1)} ${text}`);
  }

  /**
   * Sends a request to the machine of `node`, where it arrives `delay` milliseconds later.
   * @param job the job that it is sent for; null for none
   */
  send(who: string, node: string, fence: number, job: string | null, delay: number): void {
    this.note(`${who} sends to ${this.#name(node)} under ${fence}`);
    const held = this.#read<{ fence: number; kind: string | null }>('reservations', 'node_uuid', node);
    if (held?.fence !== fence || held.kind !== 'call') {
      this.#violation(`${who} acts on ${this.#name(node)} under ${fence}, the store has ${held?.fence} ${held?.kind}`);
    }
    if (job !== null && this.#read<{ state: string }>('jobs', 'id', job)?.state !== 'running') {
      this.#violation(`${who} acts on ${this.#name(node)} for a job that has ended`);
    }
    this.at(this.now + delay, () => this.#arrive(who, node, fence));
  }

  /** Runs a write about a job under a fence; under an outdated one it must change nothing. */
  async writeUnder<T>(who: string, node: string, fence: number, write: () => Promise<T>): Promise<T> {
    const held = this.#read<{ fence: number; kind: string | null }>('reservations', 'node_uuid', node);
    if (held?.fence === fence && held.kind === 'call') return write();
    const before = this.#allRows();
    const result = await write();
    if (this.#allRows() !== before) this.#violation(`${who} writes under the old fence ${fence}`);
    return result;
  }

  /** Checks what must hold once nothing is in flight any more. */
  checkIdle(): void {
    for (const row of this.#sqlite.prepare("select node_uuid, fence from reservations where kind = 'call'").all()) {
      this.#violation(`${this.#name(String(row.node_uuid))} is still reserved under ${row.fence}`);
    }
    const [running] = this.#sqlite.prepare("select count(*) as count from jobs where state = 'running'").all();
    if (running?.count !== 0) this.#violation(`${running?.count} jobs have not ended`);
  }

  /** Runs one statement without the store. */
  execute(statement: string, ...values: (string | number)[]): void {
    this.#sqlite.prepare(statement).run(...values);
  }

  close(): Promise<void> {
    return this.store.close();
  }

  #arrive(who: string, node: string, fence: number): void {
    this.arrivals++;
    this.note(`of ${who} arrives at ${this.#name(node)} under ${fence}`);
    const newest = this.#newestFence.get(node) ?? 0;
    if (fence < newest) this.#violation(`of ${who} arrives at ${this.#name(node)} under ${fence}, after ${newest}`);
    this.#newestFence.set(node, Math.max(newest, fence));
  }

  #violation(text: string): void {
    this.note(`VIOLATION: ${text}`);
    this.violations.push(text);
  }

  #name(node: string): string {
    return `node ${this.nodes.indexOf(node)}`;
  }

  #read<T>(table: string, key: string, value: string): T | undefined {
    return this.#sqlite.prepare(`select * from ${table} where ${key} = ?`).get(value) as T | undefined;
  }

  #allRows(): string {
    const tables = ['jobs', 'job_revisions', 'reservations', 'nodes', 'idempotency'];
    return JSON.stringify(tables.map((table) => this.#sqlite.prepare(`select * from ${table}`).all()));
  }
}
