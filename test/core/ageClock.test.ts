import { afterEach, expect, test, vi } from 'vitest';
import { AgeClock } from '../../src/core/ageClock.ts';
import { createCore } from '../../src/core/create.ts';
import { type Logger, silentLogger } from '../../src/core/logger.ts';
import type { Store } from '../../src/core/store.ts';
import { GatedHardware, nodeCall, openMemoryStore, operator } from './harness.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const YEARS = 73 * 365 * DAY;

/** The clocks of a machine: time passes by both, and a step moves the wall clock alone. */
class Machine {
  elapsed = 0;
  wall = Date.now();
  readonly warnings: unknown[] = [];
  readonly log: Logger = { ...silentLogger, warn: (fields: object) => void this.warnings.push(fields) };

  start(): AgeClock {
    return new AgeClock(
      this.log,
      () => this.elapsed,
      () => this.wall,
    );
  }

  pass(ms: number): void {
    this.elapsed += ms;
    this.wall += ms;
  }
}

test('time that passes counts', () => {
  const machine = new Machine();
  const clock = machine.start();
  const from = clock.now();
  machine.pass(3 * DAY);
  expect(clock.now() - from).toBe(3 * DAY);
});

test('a step forward is logged, and counts a day later', () => {
  const machine = new Machine();
  const clock = machine.start();
  const from = clock.now();
  machine.wall += YEARS;
  expect(clock.now()).toBe(from);
  expect(machine.warnings).toEqual([{ seconds: YEARS / 1000 }]);
  machine.pass(DAY - 1);
  expect(clock.now() - from).toBe(DAY - 1);
  machine.pass(1);
  expect(clock.now() - from).toBe(DAY + YEARS);
});

test('a step that is corrected leaves nothing behind, and a step back counts at once', () => {
  const machine = new Machine();
  const clock = machine.start();
  const from = clock.now();
  machine.wall += YEARS;
  clock.now();
  machine.pass(MINUTE);
  machine.wall -= YEARS;
  expect(clock.now() - from).toBe(MINUTE);
  machine.wall -= 2 * DAY;
  expect(clock.now() - from).toBe(MINUTE - 2 * DAY);
  machine.pass(2 * DAY);
  expect(clock.now() - from).toBe(MINUTE);
});

test('the time since the newest record of an earlier process is doubted for a day', () => {
  const machine = new Machine();
  const newest = new Date(machine.wall - YEARS);
  const clock = machine.start();
  clock.startedAfter(newest);
  expect(clock.now()).toBe(newest.getTime());
  machine.pass(DAY);
  expect(clock.now()).toBe(machine.wall);
});

test('ages are counted by the clock of a shared store, and a step of it forward counts a day later', async () => {
  const machine = new Machine();
  const store = { shared: true, ahead: -2 * DAY, time: async () => machine.wall + store.ahead };
  const clock = machine.start();
  await clock.follow(store);
  expect(clock.now()).toBe(machine.wall - 2 * DAY);
  expect(clock.time()).toEqual(new Date(machine.wall - 2 * DAY));
  // The clock of this machine means nothing any more.
  machine.wall += YEARS;
  store.ahead -= YEARS;
  await clock.follow(store);
  const from = clock.now();
  expect(machine.warnings).toEqual([]);
  store.ahead += YEARS;
  await clock.follow(store);
  expect(clock.now()).toBe(from);
  expect(clock.time().getTime()).toBe(from + YEARS);
  machine.pass(DAY);
  expect(clock.now()).toBe(from + DAY + YEARS);
});

afterEach(() => {
  vi.useRealTimers();
});

async function startCore(store: Store, machine: Machine) {
  const hardware = new GatedHardware();
  const core = await createCore({
    store,
    hardwareTypes: [hardware.hardwareType],
    host: 'host-a',
    log: silentLogger,
    clock: machine.start(),
    settings: {
      lockedRetryAttempts: 1,
      lockedRetryInterval: 20,
      maxLockWait: 1000,
      workers: 4,
      retention: { time: 30 * DAY, count: null },
    },
  });
  return { core, hardware };
}

/** Sets the clock of this process and of `machine`. */
function setClocks(machine: Machine, by: number): void {
  machine.wall += by;
  vi.setSystemTime(machine.wall);
}

test('a call with an idempotency key does not run again when the clock is set forward by two days', async () => {
  const machine = new Machine();
  vi.useFakeTimers({ toFake: ['Date'], now: machine.wall });
  const { core, hardware } = await startCore(await openMemoryStore(), machine);
  await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const call = () => core.callNodeMethod(nodeCall('exclusive', { idempotencyKey: 'once' }));
  const first = call();
  (await hardware.call(0)).finish('first');
  expect(await first).toMatchObject({ result: 'first' });
  machine.pass(MINUTE);
  setClocks(machine, 2 * DAY);
  expect(await call()).toMatchObject({ result: 'first' });
  expect(hardware.calls).toHaveLength(1);
  machine.pass(DAY);
  const again = call();
  (await hardware.call(1)).finish('second');
  expect(await again).toMatchObject({ result: 'second' });
});

test.each([
  ['while the service runs', false],
  ['before the service starts', true],
])('a clock that jumps to another century %s removes no job and no key within a day', async (_, restart) => {
  const machine = new Machine();
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: machine.wall });
  const store = await openMemoryStore();
  let { core, hardware } = await startCore(store, machine);
  await core.nodes.create({ name: 'n1', driver: 'gated' }, operator);
  const started = await core.callNodeMethod(nodeCall('work', { idempotencyKey: 'once' }));
  (await hardware.call(0)).finish('done');
  const { id } = (started as { job: { id: string } }).job;
  await vi.waitFor(async () => expect((await core.jobs.get(id, operator)).state).toBe('succeeded'));
  if (restart) await core.shutdown(0);
  setClocks(machine, YEARS);
  if (restart) ({ core, hardware } = await startCore(store, machine));
  for (let minutes = 0; minutes < 3; minutes++) await vi.advanceTimersByTimeAsync(MINUTE);
  expect((await core.jobs.get(id, operator)).state).toBe('succeeded');
  expect(await core.callNodeMethod(nodeCall('work', { idempotencyKey: 'once' }))).toMatchObject({ job: { id } });
  machine.pass(DAY);
  for (let minutes = 0; minutes < 3; minutes++) await vi.advanceTimersByTimeAsync(MINUTE);
  await expect(core.jobs.get(id, operator)).rejects.toMatchObject({ kind: 'job_not_found' });
});
