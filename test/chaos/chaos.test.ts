import { expect, test } from 'vitest';
import { runChaos } from './run.ts';

/** The number of history lines in the message of a failure. */
const MAX_LINES = 300;

/** The minimum number of events, for as long as that takes on a busy machine. */
const MINIMUM = new Map([
  ['calls: result', 20],
  ['calls: job', 60],
  ['watcher streams', 20],
  ['watches of many: resumed by a cursor', 20],
  ['changes of jobs told', 100],
  ['changes of nodes told', 200],
  ['events told', 500],
  ['watches of events: resumed by a cursor', 10],
]);

/** Of the failures and callers. What they meet depends on the machine too. */
const SEED = 13;

test.each([
  { workers: 1 },
  // Two replicas of two processes each.
  { workers: 2 },
])(
  'keeps all promises while replicas with workers: $workers are killed and paused and the database is restarted',
  async ({ workers }) => {
    const { counts, violations, history } = await runChaos({
      duration: 25_000,
      seed: SEED,
      pauses: true,
      workers,
      minimum: MINIMUM,
    });
    const [first] = violations;
    const details =
      first &&
      history
        .of(first.node?.uuid ?? null)
        .slice(-MAX_LINES)
        .join('\n');
    expect(
      violations.map(({ text }) => text),
      details,
    ).toEqual([]);
    // The result means something only after enough events.
    expect(counts.get('database restarts')).toBeGreaterThanOrEqual(1);
    for (const event of ['requests with a fence', 'events acknowledged', 'jobs: succeeded', ...MINIMUM.keys()]) {
      expect(counts.get(event), event).toBeGreaterThan(10);
    }
    // Only a process that is paused between checking its lease and sending can cause this, which is rare.
    expect(counts.get('requests with an older fence than before')).toBeLessThan(3);
  },
  400_000,
);
