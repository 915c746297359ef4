// Measures the requests of the Redfish driver, and how close calls on a fleet of slow BMCs come to the ideal time.
// Prints counts and ratios; only the latter depend on this machine. Run by: npm run bench:bmc
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startFleet } from '../src/sim/index.ts';
import { connectBare, ejectBare } from './bmcBare.ts';
import { runChaos } from './bmcChaos.ts';
import { SYSTEM, startBenchCore } from './bmcCore.ts';
import type { FleetCounts } from './bmcFleet.ts';

const BMCS = 1000;
const LATENCY_MS = 50;
const WORKERS = 200;

await requestsPerCall();
await manyBmcs();
await failingBmcs();

/** Counts the requests of each method at a discovered BMC. Those of Ironic 21.4 are given for comparison. */
async function requestsPerCall(): Promise<void> {
  const fleet = await startFleet();
  const bmc = fleet.bmcs[0]!;
  const bench = await startBenchCore(WORKERS);
  await bench.enrol('n', bmc.url);
  const cd = `${SYSTEM}/VirtualMedia/CD1`;
  const insert = () =>
    bmc.documents.set(cd, { ...bmc.documents.get(cd)!, Inserted: true, Image: 'http://i.example/a' });
  // Discovers the BMC.
  await bench.call('n', 'get_all_subscriptions');
  await bench.call('n', 'eject_vmedia', { boot_device: 'floppy' });
  const created: string[] = [];
  const Destination = 'https://events.example/x';
  const rows: [string, string, () => Promise<unknown>][] = [
    ['get_subscription', '4', () => bench.call('n', 'get_subscription', { id: '1' })],
    [
      'create_subscription',
      '5',
      async () => {
        const { Id } = (await bench.call('n', 'create_subscription', { Destination })) as { Id: string };
        created.push(Id);
      },
    ],
    ['delete_subscription', '4', () => bench.call('n', 'delete_subscription', { id: created.pop()! })],
    ['get_all_subscriptions', '2', () => bench.call('n', 'get_all_subscriptions')],
    ['eject_vmedia (one device, inserted)', '–', () => bench.call('n', 'eject_vmedia', { boot_device: 'cd' })],
  ];
  console.log('BMC requests per call, steady state        ours   Ironic 21.4');
  for (const [name, ironic, call] of rows) {
    insert();
    const before = bmc.requestCount;
    await call();
    console.log(`${name.padEnd(40)}${String(bmc.requestCount - before).padStart(7)}${ironic.padStart(14)}`);
  }

  const [connections, logins] = [bmc.connections, countLogins()];
  for (let i = 0; i < 1000; i++) await bench.call('n', 'get_subscription', { id: '1' });
  console.log('');
  console.log(`new connections per 100 calls (at most 1)       ${((bmc.connections - connections) / 10).toFixed(2)}`);
  console.log(
    `logins per 1,000 calls, with the first           ${countLogins()} (${countLogins() - logins} after discovery)`,
  );
  await bench.close();
  await fleet.close();

  // Every login creates a session with the next id.
  function countLogins(): number {
    return Math.max(0, ...bmc.sessions.map(({ id }) => Number(id)));
  }
}

async function manyBmcs(): Promise<void> {
  const fleet = spawn(process.execPath, [fileURLToPath(new URL('bmcFleet.ts', import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, COUNT: String(BMCS), LATENCY: String(LATENCY_MS) },
  });
  const [urls] = (await once(fleet, 'message')) as [string[]];
  const bench = await startBenchCore(WORKERS);
  await warmUp();
  for (const [index, url] of urls.entries()) await bench.enrol(`n-${index}`, url);

  console.log('');
  console.log(`${BMCS} BMCs with ${LATENCY_MS} ms latency, one eject each, ${WORKERS} workers`);
  console.log("                       requests   ideal s   took s   ratio (at most 1.2)   our CPU s   BMCs' CPU s");
  const eject = (index: number) => bench.call(`n-${index}`, 'eject_vmedia', { boot_device: 'cd' });
  await round('new BMCs', eject);
  await round('discovered BMCs', eject);
  await bench.close();
  const { sessions } = await query(fleet, 'count');
  const bare = await Promise.all(urls.map((url) => connectBare(url, `${SYSTEM}/VirtualMedia/CD1`)));
  await round('bare undici', (index) => ejectBare(bare[index]!));
  console.log(`sessions left behind: ${sessions}`);
  await Promise.all(bare.map(({ client }) => client.close()));
  fleet.kill('SIGTERM');
  await once(fleet, 'exit');

  async function round(name: string, work: (index: number) => Promise<unknown>): Promise<void> {
    const before = await query(fleet, 'insert');
    const queue = [...urls.keys()];
    const cpu = process.cpuUsage();
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: WORKERS }, async () => {
        for (let index = queue.pop(); index !== undefined; index = queue.pop()) await work(index);
      }),
    );
    const took = (performance.now() - begun) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const after = await query(fleet, 'count');
    const sent = after.requests - before.requests;
    const ideal = (sent * LATENCY_MS) / WORKERS / 1000;
    const cells = [
      name.padEnd(20),
      String(sent).padStart(11),
      ideal.toFixed(2).padStart(10),
      took.toFixed(2).padStart(9),
      (took / ideal).toFixed(2).padStart(8),
      ((user + system) / 1e6).toFixed(2).padStart(26),
      (after.cpu - before.cpu).toFixed(2).padStart(14),
    ];
    console.log(cells.join(''));
  }
}

/** CHAOS_SEED sets another sequence of faults. */
async function failingBmcs(): Promise<void> {
  const report = await runChaos(Number(process.env.CHAOS_SEED ?? 7));
  const { unknown, notDone } = report;
  const row = (name: string, value: string | number) => console.log(`${name.padEnd(56)}${value}`);
  const share = ((100 * report.failedRequests) / report.requests).toFixed(1);
  console.log('');
  console.log(`${report.calls} calls on 50 BMCs; ${share} % of the ${report.requests} requests failed`);
  row('done', report.done);
  row('unknown, found to be done', unknown.done);
  row('unknown, found not to be done', unknown.undone);
  row('unknown, could not be checked', unknown.unchecked);
  for (const [kind, count] of Object.entries(notDone)) row(`not done: ${kind}`, count);
  row('false results reported (expected: none)', report.untrue.length);
  row(`longest call, s (deadline ${report.deadlineMs / 1000})`, (report.longestMs / 1000).toFixed(1));
  row('subscriptions created twice (expected: none)', report.createdTwice);
  row('sessions left behind (expected: none)', report.sessionsLeft);
  row('BMCs with sessions after a failed logout', report.failedLogouts);
  row('nodes left locked (expected: none)', report.nodesLocked);
}

/** Lets V8 compile the code, so that this time is not measured. */
async function warmUp(): Promise<void> {
  const fleet = await startFleet({ count: 20 });
  const bench = await startBenchCore(WORKERS);
  for (const [index, { url }] of fleet.bmcs.entries()) await bench.enrol(`w-${index}`, url);
  for (let times = 0; times < 20; times++) {
    await Promise.all(fleet.bmcs.map((_, index) => bench.call(`w-${index}`, 'eject_vmedia')));
    for (const bmc of fleet.bmcs) bmc.reset();
  }
  await bench.close();
  await fleet.close();
}

async function query(fleet: ChildProcess, command: 'count' | 'insert'): Promise<FleetCounts> {
  fleet.send(command);
  const [counts] = (await once(fleet, 'message')) as [FleetCounts];
  return counts;
}
