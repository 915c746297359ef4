// Puts a mixed load on a service for a long time, and reports whether its memory, files and timers grow.
// Usage: npm run soak [-- --minutes N] [--rate OPERATIONS_PER_SECOND] [--seed S]
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startFleet } from '../src/sim/index.ts';
import { htpasswd } from '../test/auth/users.ts';
import { Random } from '../test/chaos/random.ts';
import { startReplica } from './replica.ts';
import { SoakLoad } from './soakLoad.ts';

/** The minute whose memory later ones are compared with: caches are full and code is compiled. */
const SETTLED = 5;

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
  const load = new SoakLoad(replica.url, new Random(seed));
  await load.enrol(fleet.bmcs.map(({ url }) => url));
  const stop = new AbortController();
  const work = load.run(rate, stop.signal);
  console.log(`${rate} operations a second for ${minutes} minutes, seed ${seed}, process ${replica.pid}`);
  console.log('minute   RSS MB (median, min, max)    files     operations  unexpected');
  let settled: number | null = null;
  let last = 0;
  for (let minute = 1; minute <= minutes; minute++) {
    const { median, min, max } = await memoryOfMinute();
    last = median;
    if (minute === SETTLED) settled = median;
    if (minute <= SETTLED || minute % 5 === 0 || minute === minutes) {
      const memory = [median, min, max].map((bytes) => megabytes(bytes).padStart(8)).join('');
      const { operations, unexpected } = load;
      const files = String(readdirSync(`/proc/${replica.pid}/fd`).length).padStart(9);
      console.log(
        `${String(minute).padStart(6)} ${memory} ${files} ${String(operations).padStart(14)} ${unexpected.size}`,
      );
      for (const what of unexpected.keys()) console.log(`       ${what}`);
    }
  }
  stop.abort();
  await work;
  // Longer than idle connections, watches and delayed log-outs last.
  await sleep(15_000);
  await report('at rest');
  for (const [what, times] of [...load.counts].sort()) console.log(`  ${what.padEnd(40)} ${times}`);
  for (const [what, times] of load.unexpected) console.log(`UNEXPECTED ${times} x ${what}`);
  const growth = (last / settled! - 1) * 100;
  console.log(
    `RSS of minute ${minutes}: ${megabytes(last)} MB, of minute ${SETTLED}: ${megabytes(settled!)} MB, ${growth.toFixed(1)} %`,
  );
  process.exitCode = growth > 10 || load.unexpected.size > 0 ? 1 : 0;
} finally {
  await replica.stop();
  await fleet.close();
  rmSync(folder, { recursive: true });
}
process.exit();

/** Returns the resident memory over the next minute, in bytes. It goes up and down with the garbage collector. */
async function memoryOfMinute(): Promise<{ median: number; min: number; max: number }> {
  const samples: number[] = [];
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(1000)) {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${replica.pid}/status`, 'utf8')) ?? [];
    samples.push(Number(kilobytes) * 1024);
  }
  samples.sort((one, other) => one - other);
  return { median: samples[samples.length >> 1]!, min: samples[0]!, max: samples.at(-1)! };
}

/** Reports after a garbage collection, which changes the memory of the following minutes. */
async function report(when: string): Promise<void> {
  const { rss, live, files, timers } = await replica.usage();
  console.log(
    `${when}, after a collection: RSS ${megabytes(rss)} MB, live ${megabytes(live)} MB, ${files} files, ${timers} timers`,
  );
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
