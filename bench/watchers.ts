import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { NodeService } from '../gen/passthru/v1/node_pb.ts';
import { eventStream, grpcWatcher, type Opener } from './nodeWatchers.ts';
import { startReplica } from './replica.ts';
import type { BenchServer } from './server.ts';

// What watchers of all nodes cost a service on SQLite: its processor time for one change and one watcher, and the memory of an
// idle watcher. The watchers are in this process, the service in another one: node bench/watchers.ts [WATCHERS] [NODES]
// Fails when a watcher was not told of every change once, or costs more than `MAXIMUM`.

const WATCHERS = Number(process.argv[2] ?? 1000);
const NODES = Number(process.argv[3] ?? 10_000);
const CHANGES = 50;

/** What a watcher may cost: µs of processor time for one change, and kB of resident memory while it is idle. */
const MAXIMUM = { time: 30, memory: 60 };

/** The number of changes that each watcher of a service was told of. */
let told: number[] = [];

let failed = false;
const directory = mkdtempSync(join(tmpdir(), 'passthru-watchers-'));
const nodes = join(directory, 'nodes.yaml');
writeFileSync(
  nodes,
  JSON.stringify({
    nodes: Array.from({ length: NODES }, (_, index) => ({ name: `w-${index}`, driver: 'fake-hardware' })),
  }),
);
try {
  for (const protocol of ['gRPC', 'Server-Sent Events'] as const) {
    const service = await startReplica({
      PASSTHRU_STORE: `sqlite:${join(directory, `${protocol[0]}.db`)}`,
      PASSTHRU_NODES_FILE: nodes,
      PASSTHRU_LIMITS_WATCHES_PER_CALLER: '100000',
      PASSTHRU_LIMITS_CONNECTIONS_PER_PEER: '100000',
      PASSTHRU_LIMITS_CONNECTIONS: '100000',
    });
    told = [];
    await measure(service, protocol);
    await service.stop();
  }
} finally {
  rmSync(directory, { recursive: true });
}
process.exit(failed ? 1 : 0);

async function measure(service: BenchServer, protocol: 'gRPC' | 'Server-Sent Events'): Promise<void> {
  const api = createClient(NodeService, createGrpcTransport({ baseUrl: service.url }));
  const first = api.watchNodes({})[Symbol.asyncIterator]();
  let cursor = '';
  while (cursor === '') cursor = (await first.next()).value?.cursor ?? '';
  // The watchers resume, so that the current state, of which each would be told 10,000 nodes, is not measured.
  const open: Opener = protocol === 'gRPC' ? grpcWatcher : eventStream;
  const watch = open(service.url, { cursor }, told);
  for (let index = 0; index < 20; index++) await watch();
  const before = await service.usage();
  for (let index = 0; index < WATCHERS; index += 20) await Promise.all(Array.from({ length: 20 }, watch));
  await delay(1000);
  const idle = await service.usage();

  // What the changes cost beside their watchers: the same by one watcher is in the noise of a call.
  let changes = 0;
  const change = async () => {
    await api.lockNode({ node: 'w-1' });
    await api.unlockNode({ node: 'w-1' });
    changes += 2;
    await toldOf(changes);
  };
  await change();
  const start = await service.usage();
  for (let index = 0; index < CHANGES / 2; index++) await change();
  const end = await service.usage();
  await delay(500);
  const wrong = told.filter((count) => count !== changes);
  if (wrong.length > 0)
    fail(`${protocol}: ${wrong.length} watchers were told of ${wrong.slice(0, 5)}… of ${changes} changes`);
  const time = (end.cpu - start.cpu) / CHANGES / told.length;
  const kB = (bytes: number) => bytes / WATCHERS / 1000;
  const memory = kB(idle.rss - before.rss);
  console.log(
    `${protocol}: each of ${told.length} watchers was told of ${changes} changes: ` +
      `${time.toFixed(1)} µs of processor time for one change and one watcher; ` +
      `an idle watcher takes ${memory.toFixed(1)} kB (RSS), ${kB(idle.live - before.live).toFixed(1)} kB live`,
  );
  if (time > MAXIMUM.time) fail(`${protocol}: a change costs more than ${MAXIMUM.time} µs for each watcher`);
  if (memory > MAXIMUM.memory) fail(`${protocol}: an idle watcher takes more than ${MAXIMUM.memory} kB`);
}

function fail(text: string): void {
  console.error(text);
  failed = true;
}

/** Resolves when all watchers were told of as many changes; gives up after a while. */
async function toldOf(changes: number): Promise<void> {
  const end = performance.now() + 30_000;
  while (told.some((count) => count < changes) && performance.now() < end) await delay(5);
}
