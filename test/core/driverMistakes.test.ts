import { afterEach, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { PassthruError } from '../../src/core/errors.ts';
import type { VendorInterface } from '../../src/core/hardware.ts';
import { defineMethod } from '../../src/core/method.ts';
import { nodeCall, operator, startCore } from './harness.ts';

// What a driver does badly: checks by promises, work that never ends, definitions that types would have refused.

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

test('a driver whose release never ends delays the removal of a node by 10 s only, and a change of it alike', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const { core, hardware } = await startCore(['n1']);
  let asked = Promise.withResolvers<void>();
  hardware.hardwareType.release = () => {
    asked.resolve();
    return new Promise(() => {});
  };
  const { signal } = new AbortController();
  const changed = core.nodes.update('n1', () => ({ driverInfo: { port: 2 } }), operator, signal);
  await asked.promise;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await changed).toMatchObject({ driverInfo: { port: 2 } });
  asked = Promise.withResolvers<void>();
  const removed = core.nodes.delete('n1', operator, signal);
  await asked.promise;
  await vi.advanceTimersByTimeAsync(10_000);
  await removed;
  await expect(core.nodes.get('n1')).rejects.toMatchObject({ kind: 'node_not_found' });
});

const VALID = {
  name: 'm',
  httpMethods: ['POST'] as const,
  description: 'Does nothing',
  arguments: z.object({}),
  result: z.null(),
  handler: async () => null,
};
test.each<[string, object, RegExp]>([
  ['no handler', { handler: undefined }, /handler must be a function/],
  ['no description', { description: undefined }, /description must be a string/],
  ['a flag that is text', { async: 'false' }, /async must be true or false/],
  ['arguments that are no zod object', { arguments: { Destination: 'string' } }, /arguments must be a zod object/],
  ['arguments of another zod type', { arguments: z.string() }, /arguments must be a zod object/],
  ['a result that is no zod type', { result: { on: 'boolean' } }, /result must be a zod type/],
  ['an asynchronous check', { arguments: z.object({}).refine(async () => true) }, /checked synchronously/],
])('a method with %s is refused when it is defined', (_, change, fault) => {
  expect(() => defineMethod({ ...VALID, ...change } as typeof VALID)).toThrow(fault);
  expect(defineMethod(VALID)).toMatchObject({ name: 'm' });
});
