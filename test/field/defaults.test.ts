import { expect, test } from 'vitest';
import { type Answer, CD, type Json, SUBSCRIPTIONS } from './machine.ts';
import { DESTINATION, open } from './operator.ts';

// What only we added is left out when a machine refuses it under any of its words; what the caller gave is not.

const refusal = (...entries: Json[]): Answer => ({
  status: 400,
  body: { error: { code: 'Base.1.8.GeneralError', message: 'See the messages.', '@Message.ExtendedInfo': entries } },
});

type Refuse = (property: string) => Answer;

/** How a machine refuses one property. */
const WORDS: readonly (readonly [string, Refuse])[] = [
  ['PropertyUnknown', (name) => refusal({ MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: [name] })],
  [
    'PropertyUnknown in RelatedProperties',
    (name) => refusal({ MessageId: 'Base.1.8.PropertyUnknown', RelatedProperties: [`#/${name}`] }),
  ],
  [
    'PropertyUnknown by a pointer',
    (name) => refusal({ MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: [`/${name}`] }),
  ],
  ['PropertyNotWritable', (name) => refusal({ MessageId: 'Base.1.8.PropertyNotWritable', MessageArgs: [name] })],
  [
    'PropertyNotWritableOrUnknown of iLO',
    (name) => refusal({ MessageId: 'iLO.2.14.PropertyNotWritableOrUnknown', MessageArgs: [name] }),
  ],
  [
    'PropertyValueConflict',
    (name) => refusal({ MessageId: 'Base.1.8.PropertyValueConflict', MessageArgs: [name, 'RegistryPrefixes'] }),
  ],
  [
    'PropertyValueConflict, second in its arguments',
    (name) => refusal({ MessageId: 'Base.1.8.PropertyValueConflict', MessageArgs: ['SubscriptionType', name] }),
  ],
  [
    'PropertyValueNotInList',
    (name) => refusal({ MessageId: 'Base.1.8.PropertyValueNotInList', MessageArgs: ['["Alert"]', name] }),
  ],
  [
    'PropertyValueNotInList of an element',
    (name) =>
      refusal({
        MessageId: 'Base.1.8.PropertyValueNotInList',
        MessageArgs: ['Alert', `${name}/0`],
        RelatedProperties: [`#/${name}/0`],
      }),
  ],
  [
    'PropertyValueTypeError',
    (name) => refusal({ MessageId: 'Base.1.8.PropertyValueTypeError', MessageArgs: ['x', name] }),
  ],
  [
    'PropertyValueFormatError',
    (name) => refusal({ MessageId: 'Base.1.8.PropertyValueFormatError', MessageArgs: ['', name] }),
  ],
  ['PropertyValueError', (name) => refusal({ MessageId: 'Base.1.15.PropertyValueError', MessageArgs: [name] })],
  [
    'ActionParameterUnknown',
    (name) => refusal({ MessageId: 'Base.1.8.ActionParameterUnknown', MessageArgs: ['Subscriptions', name] }),
  ],
  [
    'ActionParameterNotSupported',
    (name) => refusal({ MessageId: 'Base.1.8.ActionParameterNotSupported', MessageArgs: [name, 'Subscriptions'] }),
  ],
  [
    'an annotation of the property',
    (name) => ({
      status: 400,
      body: { [`${name}@Message.ExtendedInfo`]: [{ MessageId: 'Base.1.8.PropertyUnknown', Message: 'Unknown.' }] },
    }),
  ],
  [
    'a single object',
    (name) => ({
      status: 400,
      body: { error: { '@Message.ExtendedInfo': { MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: [name] } } },
    }),
  ],
  ['a vendor registry', (name) => refusal({ MessageId: 'SMC.1.0.PropertyUnknown', MessageArgs: [name] })],
  ['422', (name) => ({ ...refusal({ MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: [name] }), status: 422 })],
];

test.concurrent.for(WORDS)('EventTypes refused by %s is left out', async ([, refuse], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }) =>
      method === 'POST' && path === SUBSCRIPTIONS && 'EventTypes' in json ? refuse('EventTypes') : undefined,
  });
  const { status, told } = await node.call('create_subscription', { Destination: DESTINATION });
  expect({ status, told }).toEqual({ status: 200, told: '' });
  const posts = machine.sent('POST', SUBSCRIPTIONS).map(({ json }) => json);
  expect(posts).toHaveLength(2);
  expect(posts[1]).toEqual({ Destination: DESTINATION, Protocol: 'Redfish', Context: '' });
});

test.concurrent.for(WORDS)('EventTypes that the caller gave is not left out after %s', async ([, refuse], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }) =>
      method === 'POST' && path === SUBSCRIPTIONS && 'EventTypes' in json ? refuse('EventTypes') : undefined,
  });
  const args = { Destination: DESTINATION, EventTypes: ['Alert'] };
  expect((await node.call('create_subscription', args)).status).toBe(500);
  expect(machine.sent('POST', SUBSCRIPTIONS)).toHaveLength(1);
  expect(machine.subscriptions.size).toBe(1);
});

test.concurrent('defaults that are refused one at a time are left out one at a time', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }) => {
      if (method !== 'POST' || path !== SUBSCRIPTIONS) return undefined;
      const name = ['Protocol', 'EventTypes', 'Context'].find((each) => each in json);
      return name === undefined
        ? undefined
        : refusal({ MessageId: 'Base.1.8.PropertyNotWritable', MessageArgs: [name] });
    },
  });
  expect((await node.call('create_subscription', { Destination: DESTINATION })).status).toBe(200);
  expect(machine.sent('POST', SUBSCRIPTIONS).map(({ json }) => Object.keys(json).length)).toEqual([4, 3, 2, 1]);
});

test.concurrent('defaults that are refused together are left out together', async (context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path, json }) =>
      method === 'POST' && path === SUBSCRIPTIONS && Object.keys(json).length > 2
        ? refusal(
            { MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: ['Context'] },
            { MessageId: 'Base.1.8.PropertyValueNotInList', MessageArgs: ['Alert', 'EventTypes'] },
          )
        : undefined,
  });
  expect((await node.call('create_subscription', { Destination: DESTINATION })).status).toBe(200);
  expect(machine.sent('POST', SUBSCRIPTIONS).map(({ json }) => json)).toEqual([
    expect.anything(),
    { Destination: DESTINATION, Protocol: 'Redfish' },
  ]);
});

test.concurrent.for<readonly [string, Answer]>([
  [
    'its Destination',
    refusal({ MessageId: 'Base.1.8.PropertyValueFormatError', MessageArgs: [DESTINATION, 'Destination'] }),
  ],
  [
    'a property that was not sent',
    refusal({ MessageId: 'Base.1.8.PropertyMissing', MessageArgs: ['SubscriptionType'] }),
  ],
  [
    'a default and the Destination',
    refusal(
      { MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: ['EventTypes'] },
      { MessageId: 'Base.1.8.PropertyValueConflict', MessageArgs: ['Destination', 'Protocol'] },
    ),
  ],
  ['everything', { status: 400, body: '' }],
])('a subscription refused for %s is not sent without end', async ([, answer], context) => {
  const { machine, node } = await open(context, {
    behave: ({ method, path }) => (method === 'POST' && path === SUBSCRIPTIONS ? answer : undefined),
  });
  expect((await node.call('create_subscription', { Destination: DESTINATION })).status).toBe(500);
  expect(machine.sent('POST', SUBSCRIPTIONS).length).toBeLessThanOrEqual(2);
});

test.concurrent.for(WORDS)('Inserted is left out of the PATCH of an eject after %s', async ([, refuse], context) => {
  const { machine, node } = await open(context, {
    edit: (documents) => void delete documents.get(CD)!.Actions,
    behave: ({ method, json }) => (method === 'PATCH' && 'Inserted' in json ? refuse('Inserted') : undefined),
  });
  expect(await node.eject()).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', told: '', outcomes: { CD1: 'ejected' } });
  expect(machine.sent('PATCH', CD).map(({ json }) => json)).toEqual([
    { Image: null, Inserted: false },
    { Image: null },
  ]);
  expect(machine.cd.Inserted).toBe(false);
});
