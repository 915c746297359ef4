import { beforeEach, expect, test } from 'vitest';
import { leaseClock } from '../../../src/core/leaseClock.ts';

let monotonic: number;
let wall: number;
let clock: () => number;

beforeEach(() => {
  monotonic = 100;
  wall = 1_000_000;
  clock = leaseClock(
    () => monotonic,
    () => wall,
  );
});

test('is the monotonic clock while the wall clock goes with it', () => {
  expect(clock()).toBe(100);
  monotonic += 50;
  wall += 50;
  expect(clock()).toBe(150);
});

test('counts the time that the machine slept, in which the monotonic clock stood still', () => {
  wall += 60_000;
  expect(clock()).toBe(60_100);
  monotonic += 50;
  wall += 50;
  expect(clock()).toBe(60_150);
});

test('never goes back, and not slower than the monotonic clock, when the wall clock is set back', () => {
  wall -= 3_600_000;
  expect(clock()).toBe(100);
  monotonic += 50;
  wall += 50;
  expect(clock()).toBe(150);
  wall += 3_600_000 + 10_000;
  expect(clock()).toBe(10_150);
  wall -= 10_000;
  monotonic += 50;
  expect(clock()).toBe(10_200);
});
