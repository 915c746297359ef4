import { AsyncLocalStorage } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import type { pause } from '../../../src/core/waiting.ts';

/** How much shorter the driver's pauses are. */
const SPEED = 100;

/** The time that each machine's calls have skipped, in ms: each machine has a clock of its own. */
const skipped = new AsyncLocalStorage<{ ms: number }>();

/** Runs `work` with a clock that the pauses of `skipping` move on. */
export function withOwnClock<T>(work: () => Promise<T>): Promise<T> {
  return skipped.run({ ms: 0 }, work);
}

/** Returns a `pause` that takes a hundredth of its time, and moves the clock by the whole. */
export function skipping(real: typeof pause): typeof pause {
  return async (ms, signal, keepAlive) => {
    const clock = skipped.getStore();
    await real(clock === undefined ? ms : ms / SPEED, signal, keepAlive);
    if (clock !== undefined) clock.ms += ms;
  };
}

const now = performance.now.bind(performance);

/** The monotonic clock, in ms. */
export function skippingNow(): number {
  return now() + (skipped.getStore()?.ms ?? 0);
}
