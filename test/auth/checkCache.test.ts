import { describe, expect, test, vi } from 'vitest';
import { CheckCache } from '../../src/auth/checkCache.ts';
import type { Caller } from '../../src/core/caller.ts';
import { PassthruError } from '../../src/core/errors.ts';

const ANN: Caller = { name: 'ann', role: 'admin' };
const checked = { caller: ANN, expires: null };
const never = () => new Promise<never>(() => {});

/** Whether a check of `part` may wait; otherwise it is rate limited. */
function mayWait(cache: CheckCache, part: string): boolean {
  try {
    void cache.check([part], never);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ kind: 'rate_limited' });
    return false;
  }
}

test('limits the number of concurrent checks', () => {
  const cache = new CheckCache({ keep: 1000, keepInvalid: 1000 });
  const outcomes = Array.from({ length: 300 }, (_, index) => mayWait(cache, `wrong-${index}`));
  expect(outcomes.filter((isWaiting) => isWaiting)).toHaveLength(256);
});

test('limits the number of requests that wait for a check', async () => {
  const cache = new CheckCache({ keep: 1000, keepInvalid: 1000 });
  const gate = Promise.withResolvers<typeof checked>();
  const waiting = Array.from({ length: 4096 }, () => cache.check(['ann'], () => gate.promise));
  expect(mayWait(cache, 'ann')).toBe(false);
  gate.resolve(checked);
  expect(new Set(await Promise.all(waiting))).toEqual(new Set([ANN]));
  expect(mayWait(cache, 'other')).toBe(true);
});

test('rechecks credentials that were valid before all waiting ones', async () => {
  const cache = new CheckCache({ keep: 0, keepInvalid: 1000 });
  const seen: boolean[] = [];
  const verify = async (wasValid: boolean) => {
    seen.push(wasValid);
    return checked;
  };
  await cache.check(['ann'], verify);
  for (let index = 0; index < 300; index++) mayWait(cache, `wrong-${index}`);
  expect(mayWait(cache, 'new')).toBe(false);
  expect(await cache.check(['ann'], verify)).toBe(ANN);
  expect(seen).toEqual([false, true]);
});

describe('a step of the wall clock', () => {
  test.each([-3_600_000, 3_600_000])('of %d ms neither prolongs nor ends a cached result', async (step) => {
    let now = 0;
    const cache = new CheckCache({ keep: 1000, keepInvalid: 500, now: () => now });
    const verify = vi.fn(async () => checked);
    const reject = vi.fn(async () => {
      throw new PassthruError('unauthenticated', 'wrong');
    });
    const checkBoth = async () => {
      await cache.check(['ann'], verify);
      await expect((async () => cache.check(['bob'], reject))()).rejects.toMatchObject({ kind: 'unauthenticated' });
      return [verify.mock.calls.length, reject.mock.calls.length];
    };
    try {
      vi.useFakeTimers({ toFake: ['Date'] });
      expect(await checkBoth()).toEqual([1, 1]);
      vi.setSystemTime(Date.now() + step);
      now = 499;
      expect(await checkBoth()).toEqual([1, 1]);
      now = 999;
      expect(await checkBoth()).toEqual([1, 2]);
      now = 1000;
      expect(await checkBoth()).toEqual([2, 2]);
    } finally {
      vi.useRealTimers();
    }
  });
});

test('checks credentials again after they expire, although the cache would keep them longer', async () => {
  const cache = new CheckCache({ keep: 60_000, keepInvalid: 1000, now: () => 0 });
  try {
    vi.useFakeTimers({ toFake: ['Date'] });
    const verify = vi.fn(async () => ({ caller: ANN, expires: Date.now() + 1000 }));
    await cache.check(['ann'], verify);
    vi.setSystemTime(Date.now() + 999);
    await cache.check(['ann'], verify);
    expect(verify).toHaveBeenCalledTimes(1);
    vi.setSystemTime(Date.now() + 1);
    await cache.check(['ann'], verify);
    expect(verify).toHaveBeenCalledTimes(2);
  } finally {
    vi.useRealTimers();
  }
});

test('forgets invalid credentials that have expired when others come, and remembers valid ones', async () => {
  let now = 0;
  const cache = new CheckCache({ keep: 1000, keepInvalid: 1000, now: () => now });
  const refuse = (part: string) =>
    expect(
      cache.check([part], async () => {
        throw new PassthruError('unauthenticated', 'wrong');
      }),
    ).rejects.toThrow('wrong');
  await cache.check(['ann'], async () => checked);
  for (const part of ['first', 'second', 'third']) await refuse(part);
  expect(cache.size).toBe(4);
  now = 1000;
  await refuse('fourth');
  expect(cache.size).toBe(2);
});
