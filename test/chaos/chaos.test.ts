import { expect, test } from 'vitest';
import { runChaos } from './run.ts';

/** The number of history lines in the message of a failure. */
const MAX_LINES = 300;

/** The minimum number of events, for as long as that takes on a busy machine. */
const MINIMUM = new Map([
  ['calls: result', 20],
  ['calls: job', 60],
  ['watcher streams', 20],
]);

test('keeps all promises while replicas are killed and paused and the database is restarted', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const { counts, violations, history } = await runChaos({ duration: 25_000, seed, pauses: true, minimum: MINIMUM });
  const [first] = violations;
  const details = first && [`seed ${seed}`, ...history.of(first.node?.uuid ?? null).slice(-MAX_LINES)].join('\n');
  expect(
    violations.map(({ text }) => text),
    details,
  ).toEqual([]);
  // The result means something only after enough events.
  expect(counts.get('database restarts')).toBeGreaterThanOrEqual(1);
  for (const event of ['requests with a fence', 'jobs: succeeded', ...MINIMUM.keys()]) {
    expect(counts.get(event), event).toBeGreaterThan(10);
  }
  // Only a process that is paused between checking its lease and sending can cause this, which is rare.
  expect(counts.get('requests with an older fence than before')).toBeLessThan(3);
}, 400_000);
