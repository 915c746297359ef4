import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { createFakeHardwareType } from '../../src/drivers/fake/fakeHardwareType.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const fake = createFakeHardwareType({ vendorDelay: 0 });

function run(name: string, bar: string) {
  const method = methodOf(fake, name);
  return method.run(taskOn(nodeOf('fake-hardware')).task, method.parse({ bar }));
}

describe('fake-hardware', () => {
  test('has the methods that Ironic lists, log_passthrough of newer ones, and no others', () => {
    const recordings = new URL('../recordings/transcripts.json', import.meta.url);
    const transcripts: { name: string; response: { json: unknown } }[] = JSON.parse(readFileSync(recordings, 'utf8'));
    const recorded = transcripts.find((each) => each.name === 'node methods of fake-hardware');
    const methods = fake.vendorInterfaces[0].methods.map((method) => [
      method.name,
      {
        http_methods: method.httpMethods,
        async: method.async,
        description: method.description,
        attach: method.attach,
        require_exclusive_lock: method.requireExclusiveLock,
      },
    ]);
    expect(Object.fromEntries(methods)).toEqual({
      ...(recorded?.response.json as object),
      log_passthrough: {
        http_methods: ['POST'],
        async: true,
        description: 'Test pass-through to wait.',
        attach: false,
        require_exclusive_lock: true,
      },
    });
    expect(fake.vendorInterfaces.map((each) => each.name)).toEqual(['fake', 'no-vendor']);
    expect(fake.vendorInterfaces[1]?.methods).toEqual([]);
  });

  test('log_passthrough takes any arguments and returns nothing', async () => {
    const method = fake.vendorInterfaces[0].methods.find(({ name }) => name === 'log_passthrough')!;
    expect(method.parse({ any: { thing: [1, null] } })).toEqual({ any: { thing: [1, null] } });
    expect(method.parse({})).toEqual({});
  });

  test.each([
    ['second_method', 'kazoo'],
    ['third_method_sync', 'meow'],
    ['fourth_method_shared_lock', 'woof'],
  ])('%s returns whether bar is %s', async (name, word) => {
    expect(await run(name, word)).toBe(true);
    expect(await run(name, 'moo')).toBe(false);
  });

  test.each<JsonObject>([{}, { bar: null }, { bar: '' }])(
    'a call with %j fails in Ironic’s words for a missing bar',
    (raw) => {
      const method = methodOf(fake, 'second_method');
      expect(() => method.parse(raw)).toThrow(
        expect.objectContaining({
          kind: 'invalid_argument',
          message: "Parameter 'bar' not passed to method 'second_method'.",
        }),
      );
    },
  );

  test('a word that is not a string and an unknown argument are rejected', () => {
    const method = methodOf(fake, 'third_method_sync');
    expect(() => method.parse({ bar: 5 })).toThrow(/'bar' must be a string, not a number/);
    expect(() => method.parse({ bar: 'meow', extra: 1 })).toThrow(/extra/);
  });

  test('a delayed call reports its progress to the end', async () => {
    const method = methodOf(createFakeHardwareType({ vendorDelay: 50 }), 'second_method');
    const { task, progress } = taskOn(nodeOf('fake-hardware'));
    expect(await method.run(task, { bar: 'kazoo' })).toBe(true);
    const fractions = progress.map((each) => each.fraction);
    expect(fractions).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  });

  test('a cancelled call ends in the middle of its delay, with the reason', async () => {
    const method = methodOf(createFakeHardwareType({ vendorDelay: 3_600_000 }), 'second_method');
    const { task, abort } = taskOn(nodeOf('fake-hardware'));
    const call = method.run(task, { bar: 'kazoo' });
    const reason = new PassthruError('cancelled', 'enough');
    abort.abort(reason);
    await expect(call).rejects.toBe(reason);
  });
});
