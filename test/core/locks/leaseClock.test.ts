import { beforeEach, expect, test } from 'vitest';
import { leaseClock } from '../../../src/core/locks/lease.ts';

let monotonic: number;
let wall: number;
let uptime: number;
let clock: () => number;

beforeEach(() => {
  monotonic = 100;
  wall = 1_000_000;
  uptime = 5_000_000;
  clock = leaseClock(
    () => monotonic,
    () => wall,
    () => uptime,
  );
});

/** Lets time pass while the machine is awake. */
function pass(ms: number): void {
  monotonic += ms;
  wall += ms;
  uptime += ms;
}

/** Lets time pass while the machine is suspended: its monotonic clock stops. */
function suspend(ms: number): void {
  wall += ms;
  uptime += ms;
}

test('is the monotonic clock while the machine is awake', () => {
  expect(clock()).toBe(100);
  pass(50);
  expect(clock()).toBe(150);
  pass(3_600_000);
  expect(clock()).toBe(3_600_150);
});

test('adds the time that the machine was suspended', () => {
  suspend(60_000);
  expect(clock()).toBe(60_100);
  pass(50);
  expect(clock()).toBe(60_150);
  suspend(10_000);
  pass(5);
  expect(clock()).toBe(70_155);
});

test.each([
  ['forward by an hour', 3_600_000],
  ['forward by a second', 1000],
  ['back by an hour', -3_600_000],
])('does not count a step of the wall clock %s', (_, step) => {
  wall += step;
  expect(clock()).toBe(100);
  pass(50);
  expect(clock()).toBe(150);
  suspend(60_000);
  expect(clock()).toBe(60_150);
});

test('does not count slewing, nor the resolution of the uptime', () => {
  for (let second = 0; second < 3600; second++) {
    pass(1000);
    wall += 0.5;
    uptime += second % 2 === 0 ? 10 : -10;
    expect(clock()).toBe(100 + (second + 1) * 1000);
  }
});

test('never goes back', () => {
  suspend(60_000);
  expect(clock()).toBe(60_100);
  wall -= 120_000;
  expect(clock()).toBe(60_100);
});
