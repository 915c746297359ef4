// Measures how events are received, on SQLite and PostgreSQL: npm run bench:events [-- --bmcs 200 --rate 1000 --seconds 60 sqlite]
// - `steady`: simulated BMCs send at a rate; from the beginning of an event's transaction to a watcher.
// - `acknowledged`: the same rate of plain posts; from the 200, which follows the commit at once, to a watcher.
// - `saturation`: posts as fast as they are acknowledged, in turn to the service and to a bare server.
// - `storm`: one BMC sends 10,000 events while the others send; how long theirs take.
// Fails only when an acknowledged event is not stored once, or was not told once.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type PostgresServer, startPostgres } from '../test/store/postgres/embeddedPostgres.ts';
import { Child } from './events/child.ts';
import type { Load, Posted } from './events/posts.ts';
import { EventWatcher } from './events/watcher.ts';
import { type BenchReplica, startReplica } from './replica.ts';

const { values: options, positionals } = parseArgs({
  options: {
    bmcs: { type: 'string', default: '200' },
    rate: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '4' },
  },
  allowPositionals: true,
});
const [BMCS, RATE, SECONDS, ROUNDS] = [options.bmcs, options.rate, options.seconds, options.rounds].map(Number) as [
  number,
  number,
  number,
  number,
];

/** Seconds of a round at saturation, and of the quiet before a storm. */
const ROUND = 5;
const STORM = 10_000;

/** With which REST knows nodes by name. */
const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.80' };

/** Milliseconds within which a watcher must be told the last event. */
const TELLING = 60_000;

let failed = false;
const directory = mkdtempSync(join(tmpdir(), 'passthru-bench-events-'));
try {
  if (positionals.length === 0 || positionals.includes('sqlite')) {
    const storeOf = async (name: string) => `sqlite:${join(directory, `${name}.db`)}`;
    await measure('SQLite', storeOf, async (store) => rowsOf(new DatabaseSync(store.slice('sqlite:'.length))));
  }
  if (positionals.length === 0 || positionals.includes('postgresql')) await onPostgres();
} finally {
  rmSync(directory, { recursive: true });
}
process.exit(failed ? 1 : 0);

async function onPostgres(): Promise<void> {
  const postgres: PostgresServer = await startPostgres({ fsync: 'on' });
  try {
    const databases = new Map<string, string>();
    const storeOf = async () => {
      const database = await postgres.createDatabase();
      databases.set(postgres.url(database), database);
      return postgres.url(database);
    };
    await measure('PostgreSQL', storeOf, async (store) => {
      const text = "select node_uuid || ' ' || bmc_event_id as id from events where kind = 'record'";
      return (await postgres.query<{ id: string }>(text, databases.get(store)!)).map(({ id }) => id);
    });
  } finally {
    await postgres.remove();
  }
}

function rowsOf(db: DatabaseSync): string[] {
  const rows = db.prepare("select node_uuid || ' ' || bmc_event_id as id from events where kind = 'record'").all();
  db.close();
  return rows.map(({ id }) => String(id));
}

/** Measures one kind of store. `readStored` returns the events in it, by node and id. */
async function measure(
  name: string,
  storeOf: (party: string) => Promise<string>,
  readStored: (store: string) => Promise<string[]>,
): Promise<void> {
  console.log(
    `${name}, load of the machine ${loadavg()
      .map((load) => load.toFixed(1))
      .join(' ')}`,
  );
  const fleet = await Child.start('fleet.ts', { COUNT: String(BMCS) });
  const posts = await Child.start('posts.ts');
  const store = await storeOf('service');
  const service = await startService(store, await fleet.ask<string[]>('urls'));
  try {
    const nodes = await setSources(service);
    const expected = new Set<string>();
    await steady(service, fleet, nodes, expected);
    const destinations = await fleet.ask<string[]>('destinations');
    const note: Note = ({ acknowledged }, first = 0) => {
      for (const id of acknowledged) expected.add(`${nodes[first + Number(id.split('-')[1])]} ${id}`);
    };
    await acknowledged(service, posts, destinations, note);
    const bare = await Child.start('bareReceiver.ts', { STORE: await storeOf('bare') });
    await saturation(service, bare, posts, destinations, note);
    await bare.stop();
    await storm(posts, destinations, note);
    await service.stop();
    const stored = await readStored(store);
    const once = new Set(stored);
    if (once.size !== stored.length) fail(`${stored.length - once.size} events are stored twice`);
    const lost = [...expected].filter((id) => !once.has(id));
    if (lost.length > 0) fail(`${lost.length} acknowledged events are not stored: ${lost.slice(0, 5)}`);
    console.log(`  ${expected.size} events were acknowledged, ${lost.length} of them lost\n`);
  } finally {
    await Promise.all([fleet.stop(), posts.stop()]);
  }
}

function startService(store: string, bmcs: readonly string[]): Promise<BenchReplica> {
  const nodesFile = join(directory, 'nodes.yaml');
  const nodes = bmcs.map((url, index) => ({
    name: `n-${index}`,
    driver: 'redfish',
    driver_info: { redfish_address: url, redfish_username: 'u', redfish_password: 'p' },
  }));
  writeFileSync(nodesFile, JSON.stringify({ nodes }));
  return startReplica({
    PASSTHRU_STORE: store,
    PASSTHRU_NODES_FILE: nodesFile,
    PASSTHRU_SECRETS_PLAIN: 'true',
    PASSTHRU_EVENTS_LISTEN: '127.0.0.1:0',
    PASSTHRU_EVENTS_TEST_INTERVAL: '0s',
    // The load is what is to be measured, not its limit.
    PASSTHRU_EVENTS_RATE: '100000',
    PASSTHRU_EVENTS_TOTAL_RATE: '1000000',
  });
}

/** Sets a source for each node, and waits until all are active. Returns the UUIDs of the nodes, in the order of the BMCs. */
async function setSources({ url }: BenchReplica): Promise<string[]> {
  const nodes: string[] = [];
  for (let index = 0; index < BMCS; index++) {
    const response = await fetch(`${url}/v1/nodes/n-${index}/event_source`, {
      method: 'PUT',
      headers: VERSION,
      body: '{"transport":"push"}',
    });
    const source = (await response.json()) as { node_uuid: string };
    if (!response.ok) throw new Error(`${response.status} ${JSON.stringify(source)}`);
    nodes.push(source.node_uuid);
  }
  for (;;) {
    const response = await fetch(`${url}/v1/event_sources?state=active&limit=1000`, { headers: VERSION });
    const { event_sources: active } = (await response.json()) as { event_sources: unknown[] };
    if (active.length === BMCS) return nodes;
    await sleep(200);
  }
}

async function steady(
  service: BenchReplica,
  fleet: Child,
  nodes: readonly string[],
  expected: Set<string>,
): Promise<void> {
  const watcher = await EventWatcher.start(service.url);
  const before = (await service.usage()).cpu;
  const begun = performance.now();
  const acknowledged = await fleet.ask<string[][]>('send', { rate: RATE, seconds: SECONDS });
  const time = (performance.now() - begun) / 1000;
  const cpu = (await service.usage()).cpu - before;
  const ids = acknowledged.flatMap((ofOne, index) => ofOne.map((id) => `${nodes[index]} ${id}`));
  for (const id of ids) expected.add(id);
  const end = performance.now() + TELLING;
  while (watcher.told.size < ids.length && performance.now() < end) await sleep(50);
  const untold = ids.filter((id) => !watcher.told.has(id));
  if (untold.length > 0) fail(`${untold.length} events were not told to the watcher`);
  if (watcher.repeated > 0) fail(`${watcher.repeated} events were told again`);
  const [p50, p99] = percentiles(watcher.latencies);
  const rate = (ids.length / time).toFixed(0);
  console.log(
    `  steady: ${BMCS} BMCs, ${ids.length} events, ${rate}/s acknowledged, ${(cpu / ids.length).toFixed(0)} µs of processor time each`,
  );
  console.log(`    from commit to watcher: p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`);
  await watcher.stop();
}

/** As the sender sees it, who has its 200 later than it was sent; an event that was told before counts as 0. */
async function acknowledged(
  service: BenchReplica,
  posts: Child,
  destinations: readonly string[],
  note: Note,
): Promise<void> {
  const load = { connections: 1, seconds: SECONDS / 2, posts: null, pause: (BMCS / RATE) * 1000, connectsAnew: false };
  const watcher = await EventWatcher.start(service.url);
  const posted = await posts.ask<Posted>('post', {
    ...load,
    destinations: [...destinations],
    name: 'a',
  } satisfies Load);
  note(posted);
  const end = performance.now() + TELLING;
  while (watcher.told.size < posted.acknowledged.length && performance.now() < end) await sleep(50);
  const told = new Map([...watcher.told].map(([id, at]) => [id.slice(id.indexOf(' ') + 1), at]));
  const untold = posted.acknowledged.filter((id) => !told.has(id));
  if (untold.length > 0) fail(`${untold.length} events were not told to the watcher`);
  const times = posted.acknowledged.map((id, index) =>
    Math.max(0, (told.get(id) ?? 0) - posted.acknowledgedAt[index]!),
  );
  const [p50, p99] = percentiles(times);
  console.log(
    `    from the 200 to the watcher: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms (${times.length} events)`,
  );
  await watcher.stop();
}

/** Notes what was acknowledged; `first` is the place of the first destination among the BMCs. */
type Note = (posted: Posted, first?: number) => void;

interface Round {
  rate: number;
  cpu: number;
}

async function saturation(
  service: BenchReplica,
  bare: Child,
  posts: Child,
  destinations: readonly string[],
  note: Note,
): Promise<void> {
  const bareUrl = await bare.ask<string>('url');
  const rounds: Record<'service' | 'bare', Round[]> = { service: [], bare: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const party of ['service', 'bare'] as const) {
      const usage = async () => (party === 'bare' ? bare.ask<number>('processorTime') : (await service.usage()).cpu);
      const before = await usage();
      const posted = await posts.ask<Posted>('post', {
        ...{ connections: 1, seconds: ROUND, posts: null, pause: 0, connectsAnew: false, name: `${party[0]}${round}` },
        destinations: destinations.map((destination) =>
          party === 'bare' ? bareUrl + new URL(destination).pathname : destination,
        ),
      } satisfies Load);
      const count = posted.acknowledged.length;
      if (party === 'service') note(posted);
      // The first warms up.
      if (round > 0)
        rounds[party].push({ rate: (count / posted.time) * 1000, cpu: ((await usage()) - before) / count });
    }
  }
  const of = (party: 'service' | 'bare', what: keyof Round) => median(rounds[party].map((round) => round[what]));
  console.log(`  saturation: ${destinations.length} connections, medians of ${ROUNDS} rounds of ${ROUND} s`);
  for (const party of ['service', 'bare'] as const) {
    console.log(
      `    ${party.padEnd(8)} ${of(party, 'rate').toFixed(0)} posts/s, ${of(party, 'cpu').toFixed(0)} µs of processor time each`,
    );
  }
  const byRate = of('service', 'rate') / of('bare', 'rate');
  const byTime = of('bare', 'cpu') / of('service', 'cpu');
  console.log(`    service / bare: ${byRate.toFixed(2)} by rate, ${byTime.toFixed(2)} by processor time`);
}

async function storm(posts: Child, destinations: readonly string[], note: Note): Promise<void> {
  for (const connectsAnew of [false, true]) {
    const kind = connectsAnew ? 'anew' : 'kept';
    const others = posts.ask<Posted>('post', {
      ...{ destinations: destinations.slice(1), connections: 1, seconds: null, posts: null, pause: 400, connectsAnew },
      name: `others${kind}`,
    } satisfies Load);
    await sleep(ROUND * 1000);
    const stormer = await Child.start('posts.ts');
    const begun = Date.now();
    const raging = await stormer.ask<Posted>('post', {
      ...{
        destinations: destinations.slice(0, 1),
        connections: 20,
        seconds: null,
        posts: STORM,
        pause: 0,
        connectsAnew,
      },
      name: `storm${kind}`,
    } satisfies Load);
    const ended = Date.now();
    await posts.ask('stop');
    const sent = await others;
    note(raging);
    note(sent, 1);
    await stormer.stop();
    // Without the beginning, when all connect.
    const quiet = sent.latencies.filter(([at]) => at > begun - (ROUND - 1) * 1000 && at < begun);
    const during = sent.latencies.filter(([at]) => at >= begun && at < ended);
    const [before, worse] = [quiet, during].map((latencies) => percentiles(latencies.map(([, time]) => time))[1]) as [
      number,
      number,
    ];
    const { acknowledged, refused, time } = raging;
    console.log(
      `  storm: ${acknowledged.length} events of one BMC in ${(time / 1000).toFixed(1)} s (${refused} refused), beside ${destinations.length - 1} that send 2.5/s each, ${connectsAnew ? 'a connection for each post' : 'over kept connections'}`,
    );
    console.log(
      `    p99 of theirs: quiet ${before.toFixed(1)} ms, in the storm ${worse.toFixed(1)} ms: ${(worse / before).toFixed(1)} times`,
    );
  }
}

/** Returns percentiles of `values`, in any order. */
function percentiles(values: readonly number[]): [p50: number, p99: number] {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
  return [at(0.5), at(0.99)];
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

function fail(text: string): void {
  console.error(`  FAILED: ${text}`);
  failed = true;
}
