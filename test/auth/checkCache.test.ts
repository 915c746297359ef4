import { expect, test } from 'vitest';
import { CheckCache } from '../../src/auth/checkCache.ts';
import type { Caller } from '../../src/core/caller.ts';

const ANN: Caller = { name: 'ann', role: 'admin' };
const checked = { caller: ANN, expires: null };
const never = () => new Promise<never>(() => {});

/** Whether `parts` are let wait, or told to come later. */
function isLetWait(cache: CheckCache, part: string): boolean {
  try {
    void cache.check([part], never);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ kind: 'rate_limited' });
    return false;
  }
}

test('so many different credentials are checked at a time, and no more', () => {
  const cache = new CheckCache({ keep: 1000, keepWrong: 1000 });
  const outcomes = Array.from({ length: 300 }, (_, index) => isLetWait(cache, `wrong-${index}`));
  expect(outcomes.filter((isWaiting) => isWaiting)).toHaveLength(256);
});

test('so many requests wait for one check, and no more: each takes memory', async () => {
  const cache = new CheckCache({ keep: 1000, keepWrong: 1000 });
  const gate = Promise.withResolvers<typeof checked>();
  const waiting = Array.from({ length: 4096 }, () => cache.check(['ann'], () => gate.promise));
  expect(isLetWait(cache, 'ann')).toBe(false);
  gate.resolve(checked);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([ANN]));
  expect(isLetWait(cache, 'other')).toBe(true);
});

test('credentials that were right are looked at again before all that wait, however many they are', async () => {
  const cache = new CheckCache({ keep: 0, keepWrong: 1000 });
  const told: boolean[] = [];
  const verify = async (wereRight: boolean) => {
    told.push(wereRight);
    return checked;
  };
  await cache.check(['ann'], verify);
  for (let index = 0; index < 300; index++) isLetWait(cache, `wrong-${index}`);
  expect(isLetWait(cache, 'new')).toBe(false);
  expect(await cache.check(['ann'], verify)).toBe(ANN);
  expect(told).toEqual([false, true]);
});
