import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { GROUPS } from './machines/choices.ts';
import { skippingNow } from './machines/clock.ts';
import { EVERY_METHOD, EXAMPLES, machineWith } from './machines/examples.ts';
import { brokenPromises } from './machines/invariants.ts';
import { type Machine, machine } from './machines/machine.ts';
import { openWorkshop, type Story, type Workshop } from './machines/run.ts';

/**
 * `MACHINE_RUNS=10000 MACHINE_SEED=1 npx vitest run test/redfish/machines.property.test.ts` runs more of them by hand. A
 * fault is told with the smallest machine that shows it, as JSON: `MACHINE='{…}'` runs that one alone.
 */
const RUNS = Number(process.env.MACHINE_RUNS ?? 150);
const SEED = Number(process.env.MACHINE_SEED ?? 20_261_129);
const ONE = process.env.MACHINE === undefined ? null : (JSON.parse(process.env.MACHINE) as Machine);
/** How many machines run at a time: they wait more than they work. */
const LANES = 3;
vi.mock('../../src/core/waiting.ts', async (original) => {
  const waiting = await original<typeof import('../../src/core/waiting.ts')>();
  const { skipping } = await import('./machines/clock.ts');
  return { ...waiting, pause: skipping(waiting.pause) };
});

let workshop: Workshop;
beforeAll(async () => {
  vi.spyOn(performance, 'now').mockImplementation(skippingNow);
  workshop = await openWorkshop();
});
afterAll(async () => {
  await workshop.close();
  vi.restoreAllMocks();
});

async function check(each: Machine): Promise<void> {
  const story = await workshop.run(each);
  const broken = brokenPromises(story);
  if (broken.length > 0) throw new Error(`${broken.join('\n')}\n${JSON.stringify(each)}\n${requestsOf(story)}`);
}

/** Tells the quirks of a machine, and what it was asked and returned. */
function requestsOf({ quirks, record }: Story): string {
  const lines = record.exchanges.map(
    ({ node, auth, method, path, status, delivery, hiccup, performed }, index) =>
      `${index} ${node?.slice(0, 4) ?? '-'} ${auth} ${method} ${path} ${status} ${delivery} ${hiccup ?? ''} ${performed}`,
  );
  return [quirks.join(', '), ...lines].join('\n');
}

if (ONE !== null) test('the given machine is served, and told the truth about', () => check(ONE));

test.concurrent.each(Object.values(GROUPS).flat())('%s: a machine with this quirk alone serves every method', (name) =>
  check(
    machineWith([name], EVERY_METHOD, /^patch|^if-match|^etag|^weak|^unquoted/.test(name) ? { profile: 'xcc' } : {}),
  ),
);

test.concurrent.each(Object.entries(EXAMPLES))('%s: no longer', (_, example) => check(example));

test(`${RUNS} machines composed of the field's kinds are served, and told the truth about`, async () => {
  let ran = 0;
  const counted = async (each: Machine) => {
    ran++;
    await check(each);
  };
  const lanes = Array.from({ length: LANES }, (_, lane) =>
    fc.assert(fc.asyncProperty(machine, counted), { numRuns: Math.ceil(RUNS / LANES), seed: SEED + lane }),
  );
  await Promise.all(lanes);
  expect(ran).toBeGreaterThanOrEqual(RUNS);
}, 3_600_000);
