import { describe, expect, test } from 'vitest';
import { type Activity, type ActivityMinute, bmcQuantile, mergeActivities } from '../../src/core/activity.ts';
import { ActivityHistory } from '../../src/core/activityHistory.ts';
import { PassthruError } from '../../src/core/errors.ts';
import { nodeCall, openMemoryStore, operator, startCore, startCoreOn } from './harness.ts';

const MINUTE = 60_000;
/** Within a minute. */
const START = Date.UTC(2026, 0, 2, 3, 4, 20);
const STARTED_MINUTE = Date.UTC(2026, 0, 2, 3, 4);

/** Returns a history with a clock that the test sets. */
function startHistory() {
  const clock = { now: START };
  return { clock, history: new ActivityHistory(() => clock.now) };
}

const totalOf = ({ minutes }: Activity, key: 'calls' | 'lockConflicts' | 'bmcRequests') =>
  minutes.reduce((sum, minute) => sum + minute[key], 0);

describe('the history of a process', () => {
  test('begins with its start, and has every minute since', () => {
    const { clock, history } = startHistory();
    history.observer.lockRefused();
    clock.now += 3 * MINUTE;
    history.observer.lockRefused();
    const { since, minutes } = history.report();
    expect(since).toBe(START);
    expect(minutes.map(({ start }) => start)).toEqual([0, 1, 2, 3].map((index) => STARTED_MINUTE + index * MINUTE));
    expect(minutes.map(({ lockConflicts }) => lockConflicts)).toEqual([1, 0, 0, 1]);
  });

  test('forgets what happened more than an hour ago, however much that was', () => {
    const { clock, history } = startHistory();
    for (let minute = 0; minute < 200; minute++) {
      history.observer.lockRefused();
      clock.now += MINUTE;
    }
    const { since, minutes } = history.report();
    expect(since).toBe(START);
    expect(minutes).toHaveLength(60);
    expect(minutes.at(-1)).toMatchObject({ start: STARTED_MINUTE + 200 * MINUTE, lockConflicts: 0 });
    expect(totalOf({ since, minutes }, 'lockConflicts')).toBe(59);
    clock.now += 60 * MINUTE;
    expect(totalOf(history.report(), 'lockConflicts')).toBe(0);
  });

  test('does not change a report that was given', () => {
    const { history } = startHistory();
    const before = history.report();
    history.bmcRequest(5);
    expect(totalOf(before, 'bmcRequests')).toBe(0);
    const given = history.report();
    history.bmcRequest(5);
    expect(given.minutes[0]!.bmcDurations.reduce((sum, count) => sum + count)).toBe(1);
  });

  test('survives a clock that is set back', () => {
    const { clock, history } = startHistory();
    clock.now += 5 * MINUTE;
    history.bmcRequest(5);
    clock.now -= 3 * MINUTE;
    history.bmcRequest(5);
    clock.now += 3 * MINUTE;
    expect(totalOf(history.report(), 'bmcRequests')).toBe(2);
  });

  test('tells how long requests to BMCs took, the slowest twentieth at most a quarter too long', () => {
    const { history } = startHistory();
    for (let request = 0; request < 95; request++) history.bmcRequest(42);
    for (let request = 0; request < 5; request++) history.bmcRequest(3000);
    const [minute] = history.report().minutes;
    expect(minute).toMatchObject({ bmcRequests: 100, bmcTime: 95 * 42 + 15_000, bmcLongest: 3000 });
    expect(bmcQuantile(minute!, 0.95)).toBeGreaterThanOrEqual(42);
    expect(bmcQuantile(minute!, 0.95)).toBeLessThanOrEqual(42 * 1.25);
    expect(bmcQuantile(minute!, 0.96)).toBe(3000);
  });

  test.each([0, 0.2, 1, 59_999])('tells the duration of a single request of %d ms as it was', (duration) => {
    const { history } = startHistory();
    history.bmcRequest(duration);
    expect(bmcQuantile(history.report().minutes[0]!, 0.95)).toBe(duration);
  });

  test('counts requests of hours among those of two minutes', () => {
    const { history } = startHistory();
    history.bmcRequest(10_000_000);
    expect(bmcQuantile(history.report().minutes[0]!, 0.95)).toBeGreaterThan(120_000);
  });

  test('has no latency without requests, and no locked nodes before they are counted', () => {
    const [minute] = startHistory().history.report().minutes;
    expect(bmcQuantile(minute!, 0.95)).toBeNull();
    expect(minute!.lockedNodes).toBeNull();
  });

  test('has the most locked nodes of each minute', () => {
    const { clock, history } = startHistory();
    for (const count of [2, 7, 3]) history.sampleLocks(count);
    clock.now += MINUTE;
    history.sampleLocks(0);
    expect(history.report().minutes.map(({ lockedNodes }) => lockedNodes)).toEqual([7, 0]);
  });
});

test('the histories of several processes add up, except for the locked nodes, which each counts of all', () => {
  const clock = { now: START };
  const first = new ActivityHistory(() => clock.now);
  first.bmcRequest(10);
  first.sampleLocks(4);
  clock.now += MINUTE;
  const second = new ActivityHistory(() => clock.now);
  for (const history of [first, second]) {
    history.observer.lockRefused();
    history.bmcRequest(20);
    history.sampleLocks(5);
  }
  // As one process tells another.
  const given = JSON.parse(JSON.stringify([second.report(), first.report()])) as Activity[];
  const { since, minutes } = mergeActivities(given);
  expect(since).toBe(START + MINUTE);
  expect(minutes).toMatchObject([
    { start: STARTED_MINUTE, lockConflicts: 0, lockedNodes: 4, bmcRequests: 1, bmcTime: 10, bmcLongest: 10 },
    { start: STARTED_MINUTE + MINUTE, lockConflicts: 2, lockedNodes: 5, bmcRequests: 2, bmcTime: 40, bmcLongest: 20 },
  ] satisfies Partial<ActivityMinute>[]);
  expect(bmcQuantile(minutes[1]!, 1)).toBe(20);
});

test.each([false, true])('a core counts its calls, failures and locks (shared store: %s)', async (shared) => {
  const { core, store, hardware } = await startCore(['n1', 'n2'], { lockedRetryAttempts: 1 }, shared);
  const { signal } = new AbortController();
  await core.nodes.lock('n2', { holder: null, lockWait: 0, caller: operator, signal });
  const call = core.callNodeMethod(nodeCall('exclusive'));
  const held = await hardware.call(0);
  expect((await core.activity()).minutes.at(-1)).toMatchObject({ lockedNodes: 2 });
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toThrow('is locked');
  held.finish(null);
  await call;
  await expect(core.callNodeMethod(nodeCall('unknown'))).rejects.toThrow('unknown');
  const activity = await core.activity();
  const sum = (key: 'calls' | 'failedCalls' | 'lockConflicts') =>
    activity.minutes.reduce((total, minute) => total + minute[key], 0);
  expect([sum('calls'), sum('failedCalls'), sum('lockConflicts')]).toEqual([3, 2, 1]);
  await core.shutdown(0);
  await store.close();
});

test('a core tells what it has counted while its store cannot be reached', async () => {
  const store = await openMemoryStore(true);
  const { core } = await startCoreOn(store, 'host-a');
  await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toThrow('could not be found');
  store.countReserved = () => Promise.reject(new PassthruError('store_unavailable', 'away'));
  const activity = await core.activity();
  expect(totalOf(activity, 'calls')).toBe(1);
  expect(activity.minutes.at(-1)).toMatchObject({ lockedNodes: null });
  await core.shutdown(0);
  await store.close();
});
