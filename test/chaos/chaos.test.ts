import { expect, test } from 'vitest';
import { runChaos } from './run.ts';

/** Lines of the history of a node that a failure shows. */
const SHOWN = 300;

/** What must happen at least, however long that takes on a busy machine. */
const LEAST = new Map([
  ['calls: result', 20],
  ['calls: job', 60],
  ['streams of watchers', 20],
]);

test('replicas that are killed and stopped, and a database that is restarted, break no promise', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  const { counts, violations, history } = await runChaos({ duration: 25_000, seed, pauses: true, least: LEAST });
  const [first] = violations;
  const told = first && [`seed ${seed}`, ...history.of(first.node?.uuid ?? null).slice(-SHOWN)].join('\n');
  expect(
    violations.map(({ text }) => text),
    told,
  ).toEqual([]);
  // That all is well says something only where much was done.
  expect(counts.get('restarts of the database')).toBeGreaterThanOrEqual(1);
  for (const much of ['requests under a reservation', 'jobs: succeeded', ...LEAST.keys()]) {
    expect(counts.get(much), much).toBeGreaterThan(10);
  }
  // A process that is stopped right between the check of its lease and the sending may break this, and hardly ever does.
  expect(counts.get('of these under an older one than one before')).toBeLessThan(3);
}, 400_000);
