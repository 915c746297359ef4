// What many event sources cost: npm run bench:sources [-- --sources 10000 --fleets 2 --interval 300]
// Each is of a simulated BMC with a port of its own. Measures the time until all are active, the cost of an interval in which each is
// verified, and the time after a restart of the service until each was verified again.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Child } from './events/child.ts';
import { type BenchReplica, startReplica } from './replica.ts';

const { values } = parseArgs({
  options: {
    sources: { type: 'string', default: '10000' },
    /** Processes with simulated BMCs. */
    fleets: { type: 'string', default: '2' },
    /** `events.verify_interval`, in seconds. */
    interval: { type: 'string', default: '300' },
  },
});
const [SOURCES, FLEETS, INTERVAL] = [values.sources, values.fleets, values.interval].map(Number) as [
  number,
  number,
  number,
];

/** The number of sources that are set at once. */
const AT_ONCE = 16;

/** With which REST knows nodes by name. */
const VERSION = { 'X-OpenStack-Ironic-API-Version': '1.80' };

const directory = mkdtempSync(join(tmpdir(), 'passthru-bench-sources-'));
const file = join(directory, 'store.db');
const fleets = await Promise.all(
  Array.from({ length: FLEETS }, (_, index) =>
    Child.start('fleet.ts', { COUNT: String(Math.floor((SOURCES + index) / FLEETS)) }),
  ),
);
try {
  const urls = (await Promise.all(fleets.map((fleet) => fleet.ask<string[]>('urls')))).flat();
  writeFileSync(
    join(directory, 'nodes.yaml'),
    JSON.stringify({
      nodes: urls.map((url, index) => ({
        name: `n-${index}`,
        driver: 'redfish',
        driver_info: { redfish_address: url, redfish_username: 'u', redfish_password: 'p' },
      })),
    }),
  );
  let service = await start();
  await told('with nodes alone', service);
  const db = new DatabaseSync(file, { readOnly: true });
  const count = (where: string) =>
    Number(db.prepare(`select count(*) as n from event_sources where state = 'active' and ${where}`).get()!.n);

  const begin = await mark(service);
  await set(service);
  const setTime = (performance.now() - begin.time) / 1000;
  await until(() => count('true') === SOURCES);
  await cost(`all set after ${setTime.toFixed(0)} s, and active`, service, begin);

  const quiet = await mark(service);
  await sleep(INTERVAL * 1000);
  await cost(`an interval of ${INTERVAL} s`, service, quiet);
  await told('with sources', service);

  await service.stop();
  const restart = Date.now();
  service = await start();
  const started = await mark(service);
  console.log(`started again in ${((Date.now() - restart) / 1000).toFixed(1)} s`);
  await until(() => count(`verify_time > ${restart}`) === SOURCES);
  await cost('all verified after the restart', service, started);
  await told('after the restart', service);
  await service.stop();
} finally {
  await Promise.all(fleets.map((fleet) => fleet.stop()));
  rmSync(directory, { recursive: true });
}

function start(): Promise<BenchReplica> {
  return startReplica({
    PASSTHRU_STORE: `sqlite:${file}`,
    PASSTHRU_NODES_FILE: join(directory, 'nodes.yaml'),
    PASSTHRU_SECRETS_PLAIN: 'true',
    // Where a BMC finds it again after the restart.
    PASSTHRU_EVENTS_LISTEN: '127.0.0.1:26386',
    PASSTHRU_EVENTS_VERIFY_INTERVAL: `${INTERVAL}s`,
  });
}

async function set({ url }: BenchReplica): Promise<void> {
  let next = 0;
  const setSome = async () => {
    while (next < SOURCES) {
      const path = `${url}/v1/nodes/n-${next++}/event_source`;
      const response = await fetch(path, { method: 'PUT', headers: VERSION, body: '{"transport":"push"}' });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      await response.body?.cancel();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, setSome));
}

interface Mark {
  time: number;
  /** Microseconds. */
  cpu: number;
  requests: number;
}

async function mark(service: BenchReplica): Promise<Mark> {
  const requests = await Promise.all(fleets.map((fleet) => fleet.ask<number>('requests')));
  return {
    time: performance.now(),
    cpu: (await service.usage()).cpu,
    requests: requests.reduce((sum, each) => sum + each, 0),
  };
}

/** Prints what has happened since `begin`. */
async function cost(what: string, service: BenchReplica, begin: Mark): Promise<void> {
  const end = await mark(service);
  const seconds = (end.time - begin.time) / 1000;
  const requests = end.requests - begin.requests;
  const cpu = (end.cpu - begin.cpu) / 1e6;
  console.log(
    `${what}: ${seconds.toFixed(0)} s; ${requests} requests to BMCs, ${(requests / seconds).toFixed(0)}/s; ${cpu.toFixed(1)} s of processor time, ${((100 * cpu) / seconds).toFixed(0)} % of one; ${((1e3 * cpu) / SOURCES).toFixed(2)} ms a source; ${machine()}`,
  );
}

async function told(what: string, service: BenchReplica): Promise<void> {
  const { rss, heapUsed } = await service.memory();
  console.log(`${what}: ${mib(rss)} MiB resident, ${mib(heapUsed)} MiB of heap; ${machine()}`);
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

function machine(): string {
  return `load ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} processors`;
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await sleep(1000);
}
