import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { NodeService } from '../gen/passthru/v1/node_pb.ts';
import { startReplica } from './replica.ts';
import { describeLoad, describeMachine } from './serving/machine.ts';

// How long an exclusive call on another node takes while every watcher of a node is told of its changes, beside the same call while
// they are quiet, on SQLite: node bench/watcherLatency.ts [WATCHERS]. Fails when the p99 is more than `MAXIMUM` times as long.

const WATCHERS = Number(process.argv[2] ?? 10_000);
const MAXIMUM = 5;

/** The number of rounds, A B A B, and of changes in one of them. */
const ROUNDS = 4;
const CHANGES = 6;

/** Milliseconds between two calls. */
const PAUSE = 2;

const directory = mkdtempSync(join(tmpdir(), 'passthru-latency-'));
const service = await startReplica({
  PASSTHRU_STORE: `sqlite:${join(directory, 'latency.db')}`,
  PASSTHRU_LIMITS_WATCHES_PER_CALLER: '100000',
  PASSTHRU_LIMITS_CONNECTIONS_PER_PEER: '100000',
  PASSTHRU_LIMITS_CONNECTIONS: '100000',
});
const api = createClient(NodeService, createGrpcTransport({ baseUrl: service.url }));
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const times: Record<'quiet' | 'told', number[]> = { quiet: [], told: [] };
try {
  for (const name of ['watched', 'other']) await api.createNode({ node: { name, driver: 'fake-hardware' } });
  const watchers = await startWatchers();
  for (let call = 0; call < 2000; call++) await timeCall();
  await change(watchers);
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now();
    await callUntil(changeAll(watchers), times.told);
    await callUntil(delay(performance.now() - begun), times.quiet);
  }
  watchers.process.disconnect();
} finally {
  await service.stop();
  rmSync(directory, { recursive: true });
}
console.log(`${describeMachine()}; load ${describeLoad()}`);
for (const [what, each] of Object.entries(times)) {
  console.log(
    `${what}: ${each.length} calls, p50 ${at(each, 0.5)} ms, p99 ${at(each, 0.99)} ms, worst ${at(each, 1)} ms`,
  );
}
const ratio = Number(at(times.told, 0.99)) / Number(at(times.quiet, 0.99));
console.log(
  `p99 of a call while ${WATCHERS} watchers are told of changes / quiet: ${ratio.toFixed(1)} (at most ${MAXIMUM})`,
);
process.exit(ratio > MAXIMUM ? 1 : 0);

/** Watchers in a process of their own, so that the calls that are timed here need not wait for what they read. */
interface Watchers {
  process: ReturnType<typeof fork>;
  changes: number;
}

async function startWatchers(): Promise<Watchers> {
  let cursor = '';
  for await (const told of api.watchNodes({})) {
    cursor = told.cursor;
    if (cursor !== '') break;
  }
  const script = fileURLToPath(new URL('./watcherProcess.ts', import.meta.url));
  const child = fork(script, [service.url, cursor, 'watched', String(WATCHERS)]);
  await once(child, 'message');
  return { process: child, changes: 0 };
}

async function changeAll(watchers: Watchers): Promise<void> {
  for (let index = 0; index < CHANGES; index += 2) await change(watchers);
}

/** Changes the watched node twice, each time until all watchers were told. */
async function change(watchers: Watchers): Promise<void> {
  for (const step of [() => api.lockNode({ node: 'watched' }), () => api.unlockNode({ node: 'watched' })]) {
    await step();
    watchers.process.send(++watchers.changes);
    const [missing] = await once(watchers.process, 'message');
    if (missing > 0) throw new Error(`${missing} watchers were not told of a change`);
  }
}

/** Calls until `end` resolves, and adds how long each call took. */
async function callUntil(end: Promise<unknown>, into: number[]): Promise<void> {
  let ended = false;
  void end.finally(() => {
    ended = true;
  });
  while (!ended) {
    into.push(await timeCall());
    await delay(PAUSE);
  }
  await end;
}

/** Returns how long an exclusive call took, in milliseconds. */
async function timeCall(): Promise<number> {
  const begun = performance.now();
  const sent = request(`${service.url}/v1/nodes/other/vendor_passthru/third_method_sync`, {
    method: 'POST',
    agent,
    headers: { 'X-OpenStack-Ironic-API-Version': '1.80', 'Content-Type': 'application/json' },
  });
  sent.end('{"bar":"x"}');
  const [response] = await once(sent, 'response');
  await response.resume().toArray();
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
  return performance.now() - begun;
}

/** Returns a percentile in milliseconds. */
function at(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toFixed(2);
}
