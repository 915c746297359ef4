import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Fate, LEASE, LeaseProcess, REQUEST_TIMEOUT, RULES, type Rules } from './leaseProcess.ts';
import { LeaseWorld } from './leaseWorld.ts';

const NODES = 2;
/** Milliseconds during which disruptions happen, and after which all work must have ended. */
const DISRUPTED = 12_000;
const END = DISRUPTED + 4 * (LEASE + REQUEST_TIMEOUT);

/** Periods of a disruption, of up to well over a lease and a request. */
const periods = fc.array(
  fc.record({ at: fc.integer({ min: 0, max: DISRUPTED - 1 }), length: fc.integer({ min: 1, max: 5000 }) }),
  { maxLength: 3 },
);

const fate: fc.Arbitrary<Fate> = fc.record({
  drift: fc.integer({ min: -50, max: 50 }).map((thousandths) => thousandths / 1000),
  pauses: periods,
  cutOff: periods,
  crashes: fc.array(fc.integer({ min: 0, max: DISRUPTED - 1 }), { maxLength: 2 }),
});

const scenario = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fates: fc.array(fate, { minLength: 3, maxLength: 3 }),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

test('two processes never act on one node, and no request arrives after one of a later holder, when processes are stopped, cut off or killed', async () => {
  let arrivals = 0;
  await fc.assert(
    fc.asyncProperty(scenario, async (one) => {
      const world = await play(one, RULES);
      arrivals += world.arrivals;
      expect(world.violations, world.history.slice(-60).join('\n')).toEqual([]);
    }),
    { numRuns: 300 },
  );
  // The result means something only after enough requests.
  expect(arrivals).toBeGreaterThan(300 * 10);
}, 240_000);

const steady = { drift: 0, pauses: [], cutOff: [], crashes: [] };

/** Two processes with a slow clock are cut off from the store. */
const slowClock = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fates: fc
    .array(fc.integer({ min: 1000, max: DISRUPTED - 6000 }), { minLength: 2, maxLength: 2 })
    .map((times): Fate[] => [
      ...times.map((at) => ({ ...steady, drift: -0.05, cutOff: [{ at, length: 6000 }] })),
      steady,
    ]),
});

/** Two processes are stopped repeatedly for about a lease. */
const stops = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  fates: fc
    .array(fc.array(fc.integer({ min: 1500, max: 3000 }), { minLength: 5, maxLength: 5 }), {
      minLength: 2,
      maxLength: 2,
    })
    .map((lengths): Fate[] => [
      ...lengths.map((each) => ({ ...steady, pauses: each.map((length, n) => ({ at: 500 + n * 2400, length })) })),
      steady,
    ]),
});

/** The part that is removed, the disruptions that reveal it, and the expected violation. */
const MUTATIONS: Record<string, { rules: Partial<Rules>; scenario?: fc.Arbitrary<Scenario>; seen: RegExp }> = {
  'a pause between the check of the lease and the request': {
    rules: { atomicSend: false },
    seen: /acts on node|after \d/,
  },
  'a missing margin for a clock slower than the database’s': {
    rules: { goodUntil: (requestedAt, lease) => requestedAt + lease },
    scenario: slowClock,
    seen: /after \d/,
  },
  'a lease that is counted from the response of the store': {
    rules: { goodUntil: (requestedAt, lease) => requestedAt + lease * 0.9 + 600 },
    seen: /acts on node|after \d/,
  },
  'a missing grace for requests in flight': { rules: { grace: 0 }, seen: /after \d/ },
  'a process that has lost its lease and frees its node while its request is in flight': {
    rules: { leavesWhenLost: false },
    seen: /after \d/,
  },
  'the renewal of an expired lease': {
    scenario: stops,
    rules: {
      store: (world) => ({
        ...world.store,
        renewConductor: async (id) => {
          world.execute('update conductors set expires_at = simulated_now() + lease where id = ?', id);
          return true;
        },
      }),
    },
    seen: /acts on node|after \d/,
  },
  'a write about a job by a process that no longer holds its node': {
    rules: {
      store: (world) => ({
        ...world.store,
        endJob: async ({ id }) => {
          world.execute("update jobs set state = 'succeeded' where id = ?", id);
          return 2;
        },
      }),
    },
    seen: /writes under the old fence/,
  },
};

test.each(Object.entries(MUTATIONS))(
  'the model detects %s',
  async (_, { rules, scenario: when = scenario, seen }) => {
    const found = await fc.check(
      fc.asyncProperty(when, async (one) => {
        const { violations } = await play(one, { ...RULES, ...rules });
        return !violations.some((violation) => seen.test(violation));
      }),
      { numRuns: 1000, seed: 1, endOnFailure: true },
    );
    expect(found.failed).toBe(true);
  },
  120_000,
);

/** Runs three processes in a new world until all work has ended. */
async function play({ seed, fates }: Scenario, rules: Rules): Promise<LeaseWorld> {
  const world = await LeaseWorld.open(NODES, seed);
  for (const [index, fate] of fates.entries()) {
    let generation = 0;
    const start = () => {
      const process = new LeaseProcess(world, `${'abc'[index]}${++generation}`, fate, rules);
      process.start(DISRUPTED);
      return process;
    };
    let process = start();
    for (const at of fate.crashes) {
      world.at(at, () => {
        process.crash();
        process = start();
      });
    }
  }
  await world.run(END);
  world.checkIdle();
  await world.close();
  return world;
}
