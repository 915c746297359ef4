// Compares what requests cost with lower bounds: bare servers and handlers that do nothing. Servers run on one core, the load on
// the others; wrk, h2load and ghz send it. See NOTES.md.
//
//   npm run bench -- [--quick] [--json FILE] [--against CHECKOUT] [WORD...]
//
// --quick takes two short rounds, and 1,000 nodes in place of 100,000. WORDs choose the comparisons that have one of them in their name. BENCH_IRONIC_URL and
// BENCH_IRONIC_PIDS name an Ironic to compare with. --against compares the service with that of another checkout instead.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { comparisonsAgainst } from './against.ts';
import { comparisons } from './comparisons.ts';
import { type Idles, measureIdle } from './idle.ts';
import { findIronic } from './ironic.ts';
import { describeLoad, describeMachine, leaveServerCore } from './machine.ts';
import { Parties } from './parties.ts';
import { idleTable, type Measured, ratioOf, ratiosTable, rowsTable } from './report.ts';
import { measure, type Plan, type Row } from './rounds.ts';
import { findTools } from './tools.ts';

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' }, against: { type: 'string' } },
  allowPositionals: true,
});
const unable = leaveServerCore();
if (unable !== null) {
  console.error(unable);
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), 'passthru-bench-'));
const plan: Plan = {
  folder,
  ...(values.quick ? { rounds: 2, seconds: 1, warmUp: 1 } : { rounds: 5, seconds: 5, warmUp: 5 }),
};
const tools = await findTools();
const ironic = await findIronic();
const parties = new Parties(folder);
const isChosen = (name: string) =>
  positionals.length === 0 || positionals.some((word) => name.toLowerCase().includes(word.toLowerCase()));

const versions = [`Node ${process.versions.node}`, ...Object.values(tools)].join(', ');
console.log(`${describeMachine()}; ${versions}`);
console.log(`${plan.rounds} rounds of ${plan.seconds} s; load of the machine ${describeLoad()}\n`);
const chosen =
  values.against === undefined
    ? comparisons(parties, ironic, values.quick ? 1000 : 100_000)
    : comparisonsAgainst(parties, values.against);
const rows: Row[] = [];
const ratios: Measured[] = [];
let idle: Idles | null = null;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void cleanUp().finally(() => process.exit(1)));
}
try {
  if (values.against === undefined && isChosen('idle')) {
    idle = await measureIdle(folder, values.quick ? 1 : 5);
    console.log(`${idleTable(idle)}\n`);
  }
  for (const { name, tool, parties: start, ratios: wanted } of chosen) {
    if (!isChosen(name) || tools[tool] === undefined) continue;
    const measured = await measure(name, await start(), plan);
    await parties.endComparison();
    rows.push(...measured);
    ratios.push(...wanted.flatMap((ratio) => ratioOf(ratio, measured) ?? []));
    console.log(`${rowsTable(measured)}\n`);
  }
} finally {
  await cleanUp();
}
const targets = ratios.filter(({ wanted }) => wanted !== null);
if (targets.length > 0) console.log(`${ratiosTable(targets)}\n`);
const others = ratios.filter(({ wanted }) => wanted === null);
if (others.length > 0) console.log(`${ratiosTable(others)}\n`);
console.log(`load of the machine at the end ${describeLoad()}`);
if (values.json !== undefined) {
  const machine = { description: describeMachine(), versions, load: describeLoad() };
  writeFileSync(values.json, `${JSON.stringify({ machine, plan, idle, ratios, rows }, null, 2)}\n`);
}
process.exitCode = rows.some(({ faults }) => faults.length > 0) ? 1 : 0;

/** Ends what was started, also when the run is interrupted. */
async function cleanUp(): Promise<void> {
  await parties.stop();
  await ironic?.removeNodes();
  rmSync(folder, { recursive: true, force: true });
}
