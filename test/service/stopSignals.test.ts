import { afterEach, expect, test } from 'vitest';
import { onStopSignal } from '../../src/process/stopSignals.ts';

const before = { SIGTERM: process.listeners('SIGTERM'), SIGINT: process.listeners('SIGINT') };
afterEach(() => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    for (const listener of process.listeners(signal)) {
      if (!before[signal].includes(listener)) process.off(signal, listener);
    }
  }
});

/** Returns what is called for signals at the given times, in ms. */
function handle(...signals: [at: number, signal: 'SIGTERM' | 'SIGINT'][]): string[] {
  const called: string[] = [];
  let now = 0;
  onStopSignal({ stop: (one) => called.push(`stop ${one}`), stopNow: (one) => called.push(`now ${one}`) }, () => now);
  for (const [at, signal] of signals) {
    now = at;
    process.emit(signal, signal);
  }
  return called;
}

test.each<[what: string, signals: [number, 'SIGTERM' | 'SIGINT'][], called: string[]]>([
  ['one signal', [[0, 'SIGTERM']], ['stop SIGTERM']],
  [
    'Ctrl-C from the terminal and from npm',
    [
      [0, 'SIGINT'],
      [3, 'SIGINT'],
    ],
    ['stop SIGINT'],
  ],
  [
    'three of them on a slow machine',
    [
      [0, 'SIGINT'],
      [40, 'SIGINT'],
      [999, 'SIGINT'],
    ],
    ['stop SIGINT'],
  ],
  [
    'SIGTERM to a group after Ctrl-C',
    [
      [0, 'SIGINT'],
      [500, 'SIGTERM'],
    ],
    ['stop SIGINT'],
  ],
  [
    'a second Ctrl-C later',
    [
      [0, 'SIGINT'],
      [2, 'SIGINT'],
      [1000, 'SIGINT'],
    ],
    ['stop SIGINT', 'now SIGINT'],
  ],
  [
    'another signal later',
    [
      [5, 'SIGTERM'],
      [60_000, 'SIGINT'],
    ],
    ['stop SIGTERM', 'now SIGINT'],
  ],
])('%s', (_what, signals, called) => {
  expect(handle(...signals)).toEqual(called);
});
