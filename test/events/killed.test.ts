import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EventRecord } from '../../src/core/events/event.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { openStore } from '../../src/store/open.ts';
import { type PostgresServer, startPostgres } from '../store/postgres/embeddedPostgres.ts';
import { sendUntil, watchUntil } from './senders.ts';

/** How often a process is killed. */
const KILLS = Number(process.env.EVENTS_KILLS ?? 3);
const SENDERS = 10;

/** Acknowledged events between two kills. */
const BETWEEN = 60;

/** In milliseconds. The senders take what the machine has, also from a process that starts. */
const TIMEOUT = 150_000 + KILLS * 30_000;

/** A process that receives events, always at the same ports. */
class Replica {
  readonly #store: string;
  readonly #ports: readonly number[];
  #process: ChildProcess | null = null;

  constructor(store: string, ports: readonly number[]) {
    this.#store = store;
    this.#ports = ports;
  }

  get receiver(): string {
    return `http://127.0.0.1:${this.#ports[0]}`;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#ports[1]}`;
  }

  async start(): Promise<void> {
    const program = new URL('receivingProcess.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [program, this.#store, ...this.#ports.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    const failed = once(child, 'exit').then(() => Promise.reject(new Error('the process has ended')));
    failed.catch(() => {});
    await Promise.race([once(child.stdout!, 'data'), failed]);
  }

  /** Kills the process, if it runs. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  for (const server of servers) server.close();
  return ports;
}

/** Kills replicas under load, and returns what was acknowledged, stored and told to each watcher. */
async function killUnderLoad(store: string, count: number, signal: AbortSignal) {
  const ports = await freePorts(2 * count);
  const replicas = Array.from(
    { length: count },
    (_, index) => new Replica(store, ports.slice(2 * index, 2 * index + 2)),
  );
  const [sending, watching] = [new AbortController(), new AbortController()];
  try {
    return await killThem(store, replicas, { sending, watching, signal });
  } finally {
    // Also when the test fails or takes too long.
    sending.abort();
    watching.abort();
    await Promise.all(replicas.map((replica) => replica.kill()));
  }
}

interface Stops {
  sending: AbortController;
  watching: AbortController;
  /** Fires when the test has taken too long. */
  signal: AbortSignal;
}

async function killThem(store: string, replicas: readonly Replica[], { sending, watching, signal }: Stops) {
  await Promise.all(replicas.map((replica) => replica.start()));
  const { cursor } = (await (await fetch(`${replicas[0]!.url}/v1/events`)).json()) as { cursor: string };
  const acknowledged: string[] = [];
  const seen: string[][] = [[], [], []];
  const urls = replicas.map(({ url }) => url);
  const watches = seen.map((ids, index) =>
    watchUntil(watching.signal, [...urls.slice(index % replicas.length), ...urls], cursor, (id) => ids.push(id)),
  );
  const receivers = replicas.map(({ receiver }) => receiver);
  const senders = Array.from({ length: SENDERS }, (_, sender) =>
    sendUntil(sending.signal, sender, receivers, (id) => acknowledged.push(id)),
  );
  for (let kill = 0; kill < KILLS; kill++) {
    const before = acknowledged.length;
    while (acknowledged.length < before + BETWEEN) await sleep(5, null, { signal });
    const replica = replicas[kill % replicas.length]!;
    await replica.kill();
    await replica.start();
  }
  sending.abort();
  await Promise.all(senders);
  while (seen.some((ids) => ids.length < acknowledged.length)) await sleep(20, null, { signal });
  await Promise.all(replicas.map((replica) => replica.kill()));
  watching.abort();
  await Promise.all(watches);
  const opened = await openStore(store, { log: silentLogger });
  const stored: string[] = [];
  for (let at = 0; ; ) {
    const events = await opened.eventsAbove(at, 1000);
    if (events.length === 0) break;
    stored.push(...events.map(({ content }) => (content as EventRecord).bmcEventId));
    at = events.at(-1)!.position;
  }
  await opened.close();
  return { acknowledged, stored, seen };
}

describe('every event that was acknowledged is stored once, told once to each watcher, and none is invented', () => {
  let directory: string;
  let postgres: PostgresServer;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'passthru-events-'));
    postgres = await startPostgres();
  });
  afterAll(async () => {
    await postgres.remove();
    rmSync(directory, { recursive: true });
  });

  test.for<[string, number, () => Promise<string>]>([
    ['SQLite', 1, async () => `sqlite:${join(directory, 'events.db')}`],
    ['PostgreSQL, with three replicas', 3, async () => postgres.url(await postgres.createDatabase())],
  ])('when the process is killed under load: %s', { timeout: TIMEOUT }, async ([, count, makeStore], { signal }) => {
    const { acknowledged, stored, seen } = await killUnderLoad(await makeStore(), count, signal);
    // Each sender repeated what was not acknowledged until it was.
    expect(new Set(stored).size).toBe(stored.length);
    expect([...stored].sort()).toEqual([...acknowledged].sort());
    for (const ids of seen) expect(ids).toEqual(stored);
  });
});
