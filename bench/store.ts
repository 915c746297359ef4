// Measures the cost of the store, and that it stays flat as nodes, jobs and watchers grow. Ratios are within one run, so that
// the machine's speed does not matter. Usage: npm run bench:store [-- reservations|growth|watchers|idle|changes ...]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../src/core/logger.ts';
import { openPostgres } from '../src/store/postgres/postgres.ts';
import { openSqlite } from '../src/store/sqlite/sqlite.ts';
import { type PostgresServer, startPostgres } from '../test/store/postgres/embeddedPostgres.ts';
import { loggedCosts } from './storeChanges.ts';
import { type GrowingCost, growingCosts, SIZES } from './storeGrowth.ts';
import { idleCosts } from './storeIdleWatchers.ts';
import { postgresReservations, type ReservationCost, sqliteReservations } from './storeReservations.ts';
import { lateness } from './storeWatchers.ts';

const PARTS = ['reservations', 'growth', 'watchers', 'idle', 'changes'];
const parts = process.argv.length > 2 ? process.argv.slice(2) : PARTS;
const unknown = parts.find((part) => !PARTS.includes(part));
if (unknown !== undefined) throw new Error(`unknown part '${unknown}'; allowed are ${PARTS.join(', ')}`);

const folder = mkdtempSync(join(tmpdir(), 'passthru-bench-'));
try {
  if (parts.includes('reservations')) await withPostgres('on', reservations);
  // Without the disk, whose share does not depend on the size and varies over time.
  if (parts.includes('growth')) await withPostgres('off', growth);
  if (parts.includes('watchers')) await withPostgres('on', watchers);
  if (parts.includes('idle')) await withPostgres('off', idle);
  if (parts.includes('changes')) await withPostgres('off', changes);
} finally {
  rmSync(folder, { recursive: true });
}
process.exit();

/** @param fsync `on`: commits wait for the disk, as in production */
async function withPostgres(fsync: 'on' | 'off', part: (postgres: PostgresServer) => Promise<void>): Promise<void> {
  const postgres = await startPostgres({ fsync });
  try {
    await part(postgres);
  } finally {
    await postgres.remove();
  }
}

async function reservations(postgres: PostgresServer): Promise<void> {
  console.log('acquire and release beside a bare update … returning pair       store/s    bare/s   ratio');
  const report = (name: string, { store, bare }: ReservationCost) =>
    console.log(
      [name.padEnd(62), store.toFixed(0).padStart(9), bare.toFixed(0).padStart(10), ratio(store, bare)].join(''),
    );
  report('  SQLite, one caller on the same connection', await sqliteReservations(join(folder, 'reservations.db')));
  const { one, many } = await postgresReservations(postgres.url(await postgres.createDatabase()));
  report('  PostgreSQL, one caller', one);
  report('  PostgreSQL, 32 callers on 10 connections', many);
}

async function growth(postgres: PostgresServer): Promise<void> {
  const sqlite = await growingCosts(openSqlite(join(folder, 'growth.db'), silentLogger));
  const url = postgres.url(await postgres.createDatabase());
  const other = await growingCosts(await openPostgres(url, silentLogger));
  const sizes = SIZES.map((size, index) => (index === 0 ? 'us at 100' : `at ${size}`).padStart(11)).join('');
  console.log(`time of a step as nodes and jobs grow   SQLite:${sizes}   PostgreSQL:${sizes}`);
  for (const [index, { step, times }] of sqlite.entries()) {
    console.log(`  ${step.padEnd(45)}${growing(times)}              ${growing((other[index] as GrowingCost).times)}`);
  }
}

async function watchers(postgres: PostgresServer): Promise<void> {
  const { jobs, watchers, rate, repeated, p50, p99, worst } = await lateness(
    postgres.url(await postgres.createDatabase()),
    folder,
  );
  console.log(`from the end of a job to its watcher at another replica (ms)          p50       p99     worst`);
  const name = `  ${jobs} jobs, ${rate.toFixed(0)} per second, ${watchers} watchers, ${repeated} retries`;
  console.log(name.padEnd(62) + [p50, p99, worst].map((time) => time.toFixed(0).padStart(10)).join(''));
}

async function idle(postgres: PostgresServer): Promise<void> {
  const costs = await idleCosts(postgres.url(await postgres.createDatabase()));
  console.log('memory of an idle watcher (kB)                                  live                           rss');
  for (const { protocol, watchers, live, rss } of costs) {
    const name = `  ${protocol}, ${watchers} watchers`;
    console.log(`${name.padEnd(58)}${(live / 1e3).toFixed(0).padStart(10)}${(rss / 1e3).toFixed(0).padStart(30)}`);
  }
}

async function changes(postgres: PostgresServer): Promise<void> {
  console.log('processor time of a call with its changes logged, and without (µs)    service        database   more');
  for (const { call, service, database } of await loggedCosts(postgres)) {
    const sides = [service, database].map(({ logged, bare }) =>
      `${logged.toFixed(0)} / ${bare.toFixed(0)}`.padStart(16),
    );
    const more = (service.logged + database.logged) / (service.bare + database.bare) - 1;
    console.log(`  ${call.padEnd(58)}${sides.join('')}${`${(more * 100).toFixed(0)} %`.padStart(7)}`);
  }
}

/** Formats the first time in microseconds, the others relative to it. */
function growing(times: number[]): string {
  const [first = 0, ...others] = times;
  return [first.toFixed(0).padStart(11), ...others.map((time) => (time / first).toFixed(1).padStart(11))].join('');
}

function ratio(store: number, bare: number): string {
  return (store / bare).toFixed(2).padStart(8);
}
