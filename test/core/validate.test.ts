import { afterEach, expect, test, vi } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { VendorInterface } from '../../src/core/hardware.ts';
import { nodeCall, startCore } from './harness.ts';

// A driver may check a node synchronously or by a promise; both count, in calls and when the node is validated.

afterEach(() => {
  vi.useRealTimers();
});

async function start(validate: NonNullable<VendorInterface['validate']>) {
  const { core, hardware } = await startCore();
  for (const vendorInterface of hardware.hardwareType.vendorInterfaces) Object.assign(vendorInterface, { validate });
  return { core, hardware };
}

const INVALID = new PassthruError('invalid_argument', 'driver_info.port must be a number');
const checks: [string, NonNullable<VendorInterface['validate']>][] = [
  [
    'throws',
    () => {
      throw INVALID;
    },
  ],
  ['returns a promise that rejects', async () => Promise.reject(INVALID)],
  [
    'returns a thenable that rejects',
    // biome-ignore lint/suspicious/noThenProperty: what a driver may return
    () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(INVALID) }),
  ],
];

test.each(checks)(
  'a node whose check %s is invalid: its call is refused, and validating says why',
  async (_, validate) => {
    const { core, hardware } = await start(validate);
    await expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({
      kind: 'invalid_argument',
      message: INVALID.message,
    });
    expect(hardware.calls).toHaveLength(0);
    expect(await core.nodes.validate('n1')).toBe(INVALID.message);
    expect((await core.nodes.get('n1')).reservation).toBeNull();
  },
);

test('a node whose check resolves is valid, whatever it resolves with', async () => {
  const { core, hardware } = await start(async () => false);
  expect(await core.nodes.validate('n1')).toBeNull();
  const call = core.callNodeMethod(nodeCall('exclusive'));
  (await hardware.call(0)).finish('done');
  expect(await call).toMatchObject({ result: 'done' });
});

test('a check that never ends is given up after 10 s, and its node is free', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { core } = await start(() => new Promise(() => {}));
  const told = expect(core.callNodeMethod(nodeCall('exclusive'))).rejects.toMatchObject({
    kind: 'driver_not_ready',
    message: expect.stringContaining('did not end within 10 s'),
  });
  await vi.advanceTimersByTimeAsync(10_000);
  await told;
  const validated = core.nodes.validate('n1');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await validated).toContain('did not end within 10 s');
  expect((await core.nodes.get('n1')).reservation).toBeNull();
});
