import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { type Received, startWebhookServer, type WebhookServer } from './webhookServer.ts';

/** How often the process that hands over is killed. */
const KILLS = Number(process.env.EVENTS_KILLS ?? 3);

/** Deliveries between two kills. */
const BETWEEN = 40;

const PROGRAM = new URL('handoverProcess.ts', import.meta.url).pathname;

/** The processes that store and hand over, and what they have stored. */
class Processes {
  readonly stored: string[] = [];
  readonly #children = new Map<string, ChildProcess>();
  readonly #arguments: readonly string[];

  constructor(store: string, target: string, batch: number) {
    this.#arguments = [PROGRAM, store, target, String(batch)];
  }

  async start(name: string): Promise<void> {
    const child = spawn(process.execPath, [...this.#arguments, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.set(name, child);
    const lines = createInterface({ input: child.stdout! });
    const ready = once(lines, 'line');
    ready.then(() => lines.on('line', (id) => this.stored.push(id)));
    await Promise.race([ready, once(child, 'exit').then(() => Promise.reject(new Error('the process has ended')))]);
  }

  async kill(name: string): Promise<void> {
    const child = this.#children.get(name)!;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

type CloudEvent = Received['event'];
const numberOf = ({ data }: CloudEvent) => (data as { bmc_event_id: string }).bmc_event_id;

/** Returns the first delivery of each event. */
function firsts(events: readonly CloudEvent[]): CloudEvent[] {
  const seen = new Set<unknown>();
  return events.filter(({ id }) => !seen.has(id) && seen.add(id));
}

describe('every event that was stored is handed over, in their order, when processes are killed', () => {
  let folder: string;
  let postgres: PostgresServer;
  let receiver: WebhookServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'passthru-handover-'));
    postgres = await startPostgres();
    receiver = await startWebhookServer();
  });
  afterAll(async () => {
    await receiver[Symbol.asyncDispose]();
    await postgres.remove();
    rmSync(folder, { recursive: true });
  });

  test.each([
    ['SQLite', ['a'], 1, async () => `sqlite:${join(folder, 'events.db')}`],
    ['SQLite, in batches', ['a'], 50, async () => `sqlite:${join(folder, 'batches.db')}`],
    ['PostgreSQL, with two replicas', ['a', 'b'], 1, async () => postgres.url(await postgres.createDatabase())],
    [
      'PostgreSQL, with two replicas, in batches',
      ['a', 'b'],
      50,
      async () => postgres.url(await postgres.createDatabase()),
    ],
  ])('%s', { timeout: 300_000 }, async (_, names, batch, makeStore) => {
    const { received } = receiver;
    received.splice(0);
    const processes = new Processes(await makeStore(), receiver.url, batch);
    for (const name of names) await processes.start(name);
    for (let kill = 0; kill < KILLS; kill++) {
      // The one that hands over is among those that are killed in turn; its last deliveries were not stored as such yet.
      const name = names[kill % names.length]!;
      const before = received.length;
      await vi.waitUntil(() => received.length >= before + BETWEEN, { timeout: 60_000, interval: 1 });
      await processes.kill(name);
      await processes.start(name);
    }
    await vi.waitUntil(() => {
      const seen = new Set(received.flatMap(({ events }) => events.map(numberOf)));
      return processes.stored.every((id) => seen.has(id));
    }, 120_000);
    for (const name of names) await processes.kill(name);
    const all = received.flatMap(({ events }) => events);
    const once = firsts(all);
    const sequences = once.map(({ sequence }) => String(sequence));
    expect(sequences).toEqual([...sequences].sort());
    expect(new Set(once.map(numberOf)).size).toBe(once.length);
    // What came again was the same; and something came again, or nothing was killed between a delivery and its commit.
    const first = new Map(once.map((event) => [event.id, event]));
    for (const event of all) expect(event).toEqual(first.get(event.id));
    // A request of the same name has the same events, so that a receiver may know it by that.
    const bodies = new Map(received.map(({ id, body }) => [id, body]));
    for (const { id, body } of received) expect(body).toBe(bodies.get(id));
    expect(all.length).toBeGreaterThan(once.length);
  });
});
