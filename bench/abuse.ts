// What a well-behaved caller notices of one who abuses the service: the time in which 99 of 100 of its calls are answered,
// quiet and beside each kind of abuse. The service, the abuser and the caller are a process each.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { Pool } from 'undici';
import { PassthruService } from '../gen/passthru/v1/passthru_pb.ts';
import { startServer } from './server.ts';

/** Milliseconds. */
const QUIET_TIME = 6000;
/** Between two calls, in milliseconds. */
const INTERVAL = 4;
/** What the caller's 99th percentile is to stay within, as a multiple of its quiet value. */
const BOUND = 5;
/** How many calls a percentile is taken of at least: one long garbage collection is not to decide it. */
const LEAST_CALLS = 3000;

const server = await startServer('passthruServer.ts');
const pool = new Pool(server.url, { connections: 8 });
const client = createClient(PassthruService, createGrpcTransport({ baseUrl: server.url }));

async function callOverRest(): Promise<void> {
  const answer = await pool.request({
    path: '/v1/nodes/fake-1/vendor_passthru/methods',
    method: 'GET',
    headers: { 'X-OpenStack-Ironic-API-Version': '1.80' },
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200 || !text.includes('third_method_sync')) throw new Error(`${answer.statusCode} ${text}`);
}

let calls = 0;
async function callOverGrpc(): Promise<void> {
  const node = `fake-${100 + (calls++ % 64)}`;
  const { outcome } = await client.callNodeMethod({ node, method: 'third_method_sync', arguments: { bar: 'meow' } });
  if (outcome.case !== 'result' || outcome.value.kind.value !== true) throw new Error('a wrong answer');
}

/** Calls at a steady pace, whatever the answers take, until `isOver`; answers the times in milliseconds. */
async function callUntil(isOver: () => boolean): Promise<number[]> {
  const times: number[] = [];
  const pending: Promise<void>[] = [];
  for (let count = 0; !isOver(); count++) {
    const sent = performance.now();
    const call = count % 2 === 0 ? callOverRest() : callOverGrpc();
    pending.push(call.then(() => void times.push(performance.now() - sent)));
    await sleep(INTERVAL);
  }
  await Promise.all(pending);
  return times.sort((a, b) => a - b);
}

function percentile(times: number[], part: number): number {
  return times[Math.floor(times.length * part)] as number;
}

async function quiet(): Promise<number> {
  const end = performance.now() + QUIET_TIME;
  return percentile(await callUntil(() => performance.now() >= end), 0.99);
}

/** Once more and again, for a percentile of enough calls. */
async function besideAgain(way: string): Promise<{ times: number[]; what: string }> {
  const rounds: { times: number[]; what: string }[] = [];
  while (rounds.flatMap(({ times }) => times).length < LEAST_CALLS) rounds.push(await beside(way));
  const times = rounds.flatMap(({ times }) => times).sort((a, b) => a - b);
  return { times, what: `${rounds[0]?.what}, ${rounds.length} time(s)` };
}

async function beside(way: string): Promise<{ times: number[]; what: string }> {
  const abuser = fork(fileURLToPath(new URL('abuser.ts', import.meta.url)), [server.url, way]);
  await once(abuser, 'message');
  let what: string | null = null;
  abuser.once('message', (message) => {
    what = String(message);
  });
  const ended = once(abuser, 'exit');
  abuser.send('go');
  const times = await callUntil(() => what !== null);
  await ended;
  return { times, what: String(what) };
}

await quiet();
console.log('beside'.padEnd(22), 'calls', '  p50 ms', '  p99 ms', 'quiet p99', '  ratio', '  what was done');
for (const way of ['slow connections', 'dropped connections', 'rapid reset']) {
  // Quiet before and after: the machine itself is not always as quick.
  const before = await quiet();
  const { times, what } = await besideAgain(way);
  const reference = Math.max(before, await quiet());
  const p99 = percentile(times, 0.99);
  const ratio = p99 / reference;
  console.log(
    way.padEnd(22),
    String(times.length).padStart(5),
    percentile(times, 0.5).toFixed(2).padStart(8),
    p99.toFixed(2).padStart(8),
    reference.toFixed(2).padStart(9),
    `${ratio.toFixed(2)}${ratio > BOUND ? '!' : ' '}`.padStart(8),
    ` ${what}`,
  );
}
console.log(`every call was answered rightly; "!" marks more than ${BOUND} times the quiet value`);
await pool.close();
await server.stop();
process.exit();
