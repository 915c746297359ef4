import { expect, test } from 'vitest';
import { runChaos } from '../../bench/bmcChaos.ts';

/** CHAOS_SEED sets another sequence of faults. */
const SEED = Number(process.env.CHAOS_SEED ?? 7);

test('1,000 calls on 50 BMCs that fail a tenth of their requests succeed or report their true outcome', async () => {
  const report = await runChaos(SEED);
  expect(report.calls).toBe(1000);
  expect(report.untrue).toEqual([]);
  expect(report.longestMs).toBeLessThan(report.deadlineMs);
  expect(report).toMatchObject({ createdTwice: 0, sessionsLeft: 0, nodesLocked: 0 });
  expect(report.failedLogouts).toBeLessThanOrEqual(2);
  // Faults happened, and most calls succeeded all the same.
  expect(report.failedRequests).toBeGreaterThan(report.requests * 0.08);
  expect(report.done).toBeGreaterThan(report.calls * 0.6);
  expect(Object.values(report.notDone).some((count) => count > 0)).toBe(true);
}, 60_000);
