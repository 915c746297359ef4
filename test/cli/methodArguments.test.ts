import { expect, test } from 'vitest';
import { listedArguments, missingArguments, requiredArguments } from '../../src/cli/methodArguments.ts';
import { newSubscription } from '../../src/drivers/redfish/subscriptionArguments.ts';
import { subscriptionMethods } from '../../src/drivers/redfish/subscriptionMethods.ts';

const create = subscriptionMethods(() => Promise.reject(new Error('not called')))[0]!;
const schema = create.argumentsSchema;

test('the arguments of create_subscription show Destination as required, and not its alias', () => {
  expect(create.name).toBe('create_subscription');
  expect(requiredArguments(schema)).toEqual(['Destination']);
  expect(listedArguments(schema).map(([name]) => name)).toEqual(
    Object.keys(newSubscription.shape).filter((name) => name !== 'destination'),
  );
});

test('a call needs one alternative whole, and every required argument', () => {
  expect(missingArguments(schema, { Context: 'x' })).toEqual(['Destination']);
  expect(missingArguments(schema, { destination: 'https://a' })).toEqual([]);
  expect(missingArguments({ required: ['id', 'x'] }, { id: '1' })).toEqual(['x']);
  expect(missingArguments({}, {})).toEqual([]);
  expect(
    missingArguments({ required: ['a'], anyOf: [{ required: ['b', 'c'] }, { required: ['d'] }] }, { b: 1 }),
  ).toEqual(['a', 'c']);
});
