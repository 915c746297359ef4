// Puts a mixed load on a service for a long time, and reports whether its memory, files and timers grow.
// Usage: npm run soak [-- --minutes N] [--rate OPERATIONS_PER_SECOND] [--seed S]
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startFleet } from '../../src/sim/index.ts';
import { htpasswd } from '../../test/auth/users.ts';
import { Random } from '../../test/chaos/random.ts';
import { startReplica } from '../replica.ts';
import { createTransports, SoakClient, type SoakNodes, type SoakTarget } from './client.ts';
import { SoakLoad } from './load.ts';

/** The minute whose memory later ones are compared with: code is compiled, and connections are open. */
const SETTLED = 5;

/** By how many per cent the memory may grow after that minute. */
const MAX_GROWTH = 10;

const FAKE_NODES = 20;
const BMCS = 10;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
  },
});
const [minutes, rate, seed] = [values.minutes, values.rate, values.seed].map(Number) as [number, number, number];
if (!(minutes > SETTLED) || !(rate > 0) || !Number.isInteger(seed)) {
  console.error(`usage: npm run soak -- [--minutes N, more than ${SETTLED}] [--rate OPERATIONS_PER_SECOND] [--seed S]`);
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), 'passthru-soak-'));
writeFileSync(join(folder, 'users'), htpasswd('admin', 'caller'), { mode: 0o600 });
const fleet = await startFleet({ count: BMCS, keepRequests: 1, seed });
const log = openSync(join(folder, 'log'), 'w');
const environment = {
  PASSTHRU_STORE: `sqlite:${join(folder, 'passthru.db')}`,
  PASSTHRU_AUTH_TYPE: 'http_basic',
  PASSTHRU_AUTH_HTTP_BASIC_AUTH_USER_FILE: join(folder, 'users'),
  PASSTHRU_AUTH_DEFAULT_ROLE: 'admin',
  PASSTHRU_FAKE_VENDOR_DELAY: '200ms',
  PASSTHRU_AUDIT_LOG: 'on',
  PASSTHRU_LOG_LEVEL: 'info',
};
const replica = await startReplica(environment, log);
try {
  const target = {
    url: replica.url,
    random: new Random(seed),
    transports: createTransports(replica.url, 'admin'),
    nodes: { fake: names('f', FAKE_NODES), bmc: names('r', BMCS) },
  };
  await enrol(target);
  const load = new SoakLoad(target);
  const stop = new AbortController();
  const work = load.run(rate, stop.signal);
  console.log(`${rate} operations a second for ${minutes} minutes, seed ${seed}, process ${replica.pid}`);
  console.log('MB:       RSS, by the second    JS heap  JS heap             shared');
  console.log('minute  median     min     max     size     used  external    files   files operations unexpected');
  const reported = new Set<string>();
  let settled: number | null = null;
  let last = 0;
  for (let minute = 1; minute <= minutes; minute++) {
    const of = await memoryOfMinute();
    last = of.median;
    if (minute === SETTLED) settled = of.median;
    if (minute <= SETTLED || minute % 5 === 0 || minute === minutes) {
      const memory = [of.median, of.min, of.max, of.heap, of.heapUsed, of.external, of.files].map(megabytes);
      const files = readdirSync(`/proc/${replica.pid}/fd`).length;
      const columns = [...memory, files, load.operations, load.unexpected.size].map((value) =>
        String(value).padStart(8),
      );
      console.log(`${String(minute).padStart(6)}${columns.join('')}`);
      for (const what of load.unexpected.keys()) {
        if (!reported.has(what)) console.log(`        ${what}`);
        reported.add(what);
      }
    }
  }
  stop.abort();
  await work;
  // Longer than idle connections, watches and delayed log-outs last.
  await sleep(15_000);
  await reportRest();
  reportLoad(load);
  const growth = (last / settled! - 1) * 100;
  const passed = growth <= MAX_GROWTH && load.unexpected.size === 0;
  console.log(
    `${passed ? 'passed' : 'FAILED'}: RSS of minute ${minutes} ${megabytes(last)} MB, of minute ${SETTLED} ` +
      `${megabytes(settled!)} MB, ${growth.toFixed(1)} % (at most ${MAX_GROWTH}); ${load.unexpected.size} kinds of errors`,
  );
  process.exitCode = passed ? 0 : 1;
} finally {
  await replica.stop();
  await fleet.close();
  rmSync(folder, { recursive: true });
}
process.exit();

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** Enrols the nodes: some of the fake driver, and one at each BMC. */
async function enrol(target: SoakTarget): Promise<void> {
  const client = new SoakClient(target, AbortSignal.timeout(60_000));
  const { fake, bmc }: SoakNodes = target.nodes;
  for (const name of fake) await client.rest('POST', '/v1/nodes', [201], { body: { name, driver: 'fake-hardware' } });
  for (const [index, name] of bmc.entries()) {
    const address = { redfish_address: fleet.bmcs[index]!.url, redfish_username: 'u', redfish_password: 'p' };
    await client.rest('POST', '/v1/nodes', [201], { body: { name, driver: 'redfish', driver_info: address } });
  }
}

/**
 * Returns the memory of the process over the next minute, in bytes: RSS, which goes up and down with the garbage collector,
 * and the least of each of its parts.
 */
async function memoryOfMinute() {
  const rss: number[] = [];
  const least = {
    heap: Number.POSITIVE_INFINITY,
    heapUsed: Number.POSITIVE_INFINITY,
    external: Number.POSITIVE_INFINITY,
  };
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(1000)) {
    const { heapTotal, heapUsed, external } = await replica.memory();
    least.heap = Math.min(least.heap, heapTotal);
    least.heapUsed = Math.min(least.heapUsed, heapUsed);
    least.external = Math.min(least.external, external);
    rss.push(status('VmRSS'));
  }
  rss.sort((one, other) => one - other);
  return { median: rss[rss.length >> 1]!, min: rss[0]!, max: rss.at(-1)!, ...least, files: status('RssFile') };
}

/** Returns a figure of the kernel's about the memory of the process, in bytes. */
function status(name: string): number {
  const text = readFileSync(`/proc/${replica.pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
}

/** Reports what is left when nothing runs. Collects garbage, which changes the memory of the following minutes. */
async function reportRest(): Promise<void> {
  const { rss, live, files, timers } = await replica.usage();
  console.log(
    `at rest, after a collection: RSS ${megabytes(rss)} MB, live ${megabytes(live)} MB, ${files} files, ${timers} timers`,
  );
}

function reportLoad({ tallies, told, unexpected }: SoakLoad): void {
  console.log(`${'operation'.padEnd(36)}   done locked failed longest`);
  for (const [name, { done, locked, failed, longest }] of tallies) {
    const columns = [done, locked, failed, `${Math.round(longest)} ms`];
    console.log(name.padEnd(36) + columns.map((value) => String(value).padStart(7)).join(''));
  }
  for (const [name, messages] of told) console.log(`${name.padEnd(36)}${String(messages).padStart(7)} messages`);
  for (const [what, times] of unexpected) console.log(`UNEXPECTED ${times} x ${what}`);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
