// What the Redfish driver asks of a BMC, and how near a fleet of slow BMCs comes to the ideal. Counts and ratios; the
// machine's speed matters to the last alone. Run by: npm run bench:bmc
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

/** Requests of each method at a BMC that is known; Ironic 21.4's are the figures that are to be beaten, not measured here. */
async function requestsPerCall(): Promise<void> {
  const fleet = await startFleet();
  const bmc = fleet.bmcs[0]!;
  const bench = await startBenchCore(WORKERS);
  await bench.enrol('n', bmc.url);
  const cd = `${SYSTEM}/VirtualMedia/CD1`;
  const insert = () =>
    bmc.documents.set(cd, { ...bmc.documents.get(cd)!, Inserted: true, Image: 'http://i.example/a' });
  // The BMC comes to be known.
  await bench.call('n', 'get_all_subscriptions');
  await bench.call('n', 'eject_vmedia', { boot_device: 'floppy' });
  const made: string[] = [];
  const Destination = 'https://events.example/x';
  const rows: [string, string, () => Promise<unknown>][] = [
    ['get_subscription', '4', () => bench.call('n', 'get_subscription', { id: '1' })],
    [
      'create_subscription',
      '5',
      async () => {
        const { Id } = (await bench.call('n', 'create_subscription', { Destination })) as { Id: string };
        made.push(Id);
      },
    ],
    ['delete_subscription', '4', () => bench.call('n', 'delete_subscription', { id: made.pop()! })],
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

  const [connections, logIns] = [bmc.connections, countLogIns()];
  for (let i = 0; i < 1000; i++) await bench.call('n', 'get_subscription', { id: '1' });
  console.log('');
  console.log(`new connections per 100 calls (at most 1)       ${((bmc.connections - connections) / 10).toFixed(2)}`);
  console.log(
    `log-ins per 1,000 calls, the first among them   ${countLogIns()} (${countLogIns() - logIns} since known)`,
  );
  await bench.close();
  await fleet.close();

  // Every log-in makes a session, whose ids count up.
  function countLogIns(): number {
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
  await round('unknown BMCs', eject);
  await round('known BMCs', eject);
  await bench.close();
  const { sessions } = await ask(fleet, 'count');
  const bare = await Promise.all(urls.map((url) => connectBare(url, `${SYSTEM}/VirtualMedia/CD1`)));
  await round('bare undici', (index) => ejectBare(bare[index]!));
  console.log(`sessions left behind: ${sessions}`);
  await Promise.all(bare.map(({ client }) => client.close()));
  fleet.kill('SIGTERM');
  await once(fleet, 'exit');

  async function round(name: string, work: (index: number) => Promise<unknown>): Promise<void> {
    const before = await ask(fleet, 'insert');
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
    const after = await ask(fleet, 'count');
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

/** CHAOS_SEED tries another course of events. */
async function failingBmcs(): Promise<void> {
  const report = await runChaos(Number(process.env.CHAOS_SEED ?? 7));
  const { unknown, notDone } = report;
  const row = (name: string, value: string | number) => console.log(`${name.padEnd(56)}${value}`);
  const share = ((100 * report.failedRequests) / report.requests).toFixed(1);
  console.log('');
  console.log(`${report.calls} calls on 50 BMCs, ${share} % of whose ${report.requests} requests failed`);
  row('done', report.done);
  row('unknown, and found to be done', unknown.done);
  row('unknown, and found not to be done', unknown.undone);
  row('unknown, and the BMC could not be asked', unknown['not told']);
  for (const [kind, count] of Object.entries(notDone)) row(`not done: ${kind}`, count);
  row('ended with an untrue account (none)', report.untrue.length);
  row(`longest call, s (deadline ${report.deadlineMs / 1000})`, (report.longestMs / 1000).toFixed(1));
  row('subscriptions created twice (none)', report.createdTwice);
  row('sessions left behind (none)', report.sessionsLeft);
  row('nodes left locked (none)', report.nodesLocked);
}

/** Lets the code be compiled: the ideal knows of no such time. */
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

async function ask(fleet: ChildProcess, question: 'count' | 'insert'): Promise<FleetCounts> {
  fleet.send(question);
  const [counts] = (await once(fleet, 'message')) as [FleetCounts];
  return counts;
}
