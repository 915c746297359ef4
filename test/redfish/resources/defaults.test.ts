import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { createSubscription } from '../../../src/redfish/index.ts';
import { deviceAt, link, machine, mediaUnder, refusal, SYSTEM, startMachine, subscriber } from './machine.ts';

const given = { Destination: 'https://events.example/in' };
const INFO = '@Message.ExtendedInfo';

type Refusal = { status: number; body: unknown; headers?: Record<string, string> };

/** Forms in which BMCs refuse the property `name`, whose value is `value`. */
const FORMS: [string, (name: string, value: string) => Refusal][] = [
  ['PropertyUnknown', (name) => refusal(400, { MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: [name] })],
  ['PropertyNotWritable', (name) => refusal(400, { MessageId: 'Base.1.8.PropertyNotWritable', MessageArgs: [name] })],
  ['iLO’s own', (name) => refusal(400, { MessageId: 'iLO.2.14.PropertyNotWritableOrUnknown', MessageArgs: [name] })],
  [
    'PropertyValueNotInList, value first',
    (name, value) => refusal(400, { MessageId: 'Base.1.8.PropertyValueNotInList', MessageArgs: [value, name] }),
  ],
  [
    'PropertyValueTypeError with a pointer',
    (name) => refusal(422, { MessageId: 'Base.1.8.PropertyValueTypeError', RelatedProperties: [`#/${name}/0`] }),
  ],
  [
    'PropertyValueFormatError with a path',
    (name) => refusal(400, { MessageId: 'Base.1.8.PropertyValueFormatError', RelatedProperties: [`/${name}`] }),
  ],
  [
    'ActionParameterUnknown',
    (name) => refusal(400, { MessageId: 'Base.1.8.ActionParameterUnknown', MessageArgs: ['Create', name] }),
  ],
  [
    'ActionParameterNotSupported under 409',
    (name) => refusal(409, { MessageId: 'Base.1.8.ActionParameterNotSupported', MessageArgs: [name, 'Create'] }),
  ],
  [
    'a vendor’s id with RelatedProperties',
    (name) => refusal(400, { MessageId: 'IDRAC.2.8.SYS425', RelatedProperties: [name] }),
  ],
  [
    'an annotation of the property',
    (name) => ({ status: 400, body: { [`${name}${INFO}`]: [{ MessageId: 'X.1.0.Refused', Message: 'No.' }] } }),
  ],
  [
    'a text in OData',
    (name) => ({
      status: 400,
      body: { error: { code: '1', message: { lang: 'en', value: `The property ${name} is not supported.` } } },
    }),
  ],
  ['a text in JSON', (name) => ({ status: 400, body: { error: `unexpected field '${name}'` } })],
  ['plain text', (name) => ({ status: 400, body: `Unknown key: ${name}`, headers: { 'content-type': 'text/plain' } })],
  [
    'an error under 200',
    (name) => ({
      status: 200,
      body: {
        error: { [INFO]: [{ MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: [name], Severity: 'Critical' }] },
      },
    }),
  ],
];

const VALUES: Record<string, string> = { Protocol: 'Redfish', EventTypes: 'Alert', Context: '' };

describe.each(FORMS)('a refusal as %s', (_, form) => {
  test.each(Object.keys(VALUES))('of the default %s leaves it out; all refused so are left out', async (name) => {
    const subscribe = subscriber();
    const refusing = (names: string[]) =>
      startMachine(machine(), (request, tree) => {
        const refused = request.method === 'POST' ? names.find((one) => one in JSON.parse(request.body)) : undefined;
        return refused === undefined ? subscribe(request, tree) : form(refused, VALUES[refused]!);
      });
    const one = await refusing([name]);
    await createSubscription(one.client, given);
    const sent = { ...given, Protocol: 'Redfish', EventTypes: ['Alert'], Context: '' } as JsonObject;
    delete sent[name];
    expect(one.posts()).toHaveLength(2);
    expect(one.posts()[1]).toEqual(sent);

    const all = await refusing(Object.keys(VALUES));
    await createSubscription(all.client, given);
    expect(all.posts().at(-1)).toEqual(given);
  });

  test('of a property that the caller gave is told, after one POST', async () => {
    const { client, posts } = await startMachine(machine(), ({ method }) =>
      method === 'POST' ? form('Protocol', 'SNMPv2c') : undefined,
    );
    const made = createSubscription(client, { ...given, Protocol: 'SNMPv2c' });
    await expect(made).rejects.toThrow('HTTP POST');
    expect(posts()).toHaveLength(1);
  });
});

test('a value of a default that is named alone, without its property, leaves it out', async () => {
  const subscribe = subscriber();
  const { client, posts } = await startMachine(machine(), (request, tree) =>
    request.method === 'POST' && request.body.includes('Alert')
      ? refusal(400, { MessageId: 'Base.1.8.PropertyValueNotInList', MessageArgs: ['Alert'] })
      : subscribe(request, tree),
  );
  await createSubscription(client, given);
  expect(posts()[1]).toEqual({ ...given, Protocol: 'Redfish', Context: '' });
});

test('a conflict between a given property and a default leaves out the default', async () => {
  const subscribe = subscriber();
  const { client, posts } = await startMachine(machine(), (request, tree) =>
    request.method === 'POST' && 'EventTypes' in JSON.parse(request.body)
      ? refusal(400, { MessageId: 'Base.1.8.PropertyValueConflict', MessageArgs: ['Destination', 'EventTypes'] })
      : subscribe(request, tree),
  );
  await createSubscription(client, given);
  expect(posts()).toHaveLength(2);
});

test('a default that a failed task names is left out', async () => {
  const subscribe = subscriber();
  const task = '/redfish/v1/TaskService/Tasks/1';
  const { client, posts } = await startMachine(machine(), (request, tree) => {
    if (request.method === 'POST' && 'Protocol' in JSON.parse(request.body)) {
      return { status: 202, headers: { location: task, 'retry-after': '0' } };
    }
    const Messages = [{ MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: ['Protocol'] }];
    return request.path === task
      ? { status: 200, body: { TaskState: 'Exception', Messages } }
      : subscribe(request, tree);
  });
  await createSubscription(client, given);
  expect(posts()).toHaveLength(2);
});

test.each<[string, Refusal]>([
  ['says that one is missing', refusal(400, { MessageId: 'Base.1.8.PropertyMissing', MessageArgs: ['EventTypes'] })],
  ['says so in a text', { status: 400, body: { error: 'Context is required' } }],
  ['is for want of rights', refusal(403, { MessageId: 'Base.1.8.InsufficientPrivilege', Message: 'Protocol' })],
  ['is that the collection is gone', refusal(404, { Message: 'No Protocol here.' })],
  ['names none', refusal(400, { MessageId: 'Base.1.8.EventSubscriptionLimitExceeded' })],
  ['is a failure', refusal(500, { MessageId: 'Base.1.8.PropertyUnknown', MessageArgs: ['Protocol'] })],
])('a refusal that %s is told, after one POST', async (_, response) => {
  const { client, posts } = await startMachine(machine(), ({ method }) => (method === 'POST' ? response : undefined));
  await expect(createSubscription(client, given)).rejects.toMatchObject({ status: response.status });
  expect(posts()).toHaveLength(1);
});

describe('an eject by PATCH', () => {
  const path = `${SYSTEM}/VirtualMedia/CD1`;
  const start = (refused: (body: JsonObject) => Refusal | undefined) => {
    const tree = machine({
      ...mediaUnder(SYSTEM, 'CD1'),
      [SYSTEM]: { VirtualMedia: link(`${SYSTEM}/VirtualMedia`), Links: {} },
    });
    tree[path] = deviceAt(path, { Actions: {} });
    return startMachine(tree, ({ method, body }) => {
      if (method !== 'PATCH') return undefined;
      const response = refused(JSON.parse(body));
      if (response === undefined) tree[path] = { ...tree[path]!, Inserted: false, Image: null };
      return response ?? { status: 200 };
    });
  };
  const bodies = (bmc: { requests: { method: string; body: string }[] }) =>
    bmc.requests.filter(({ method }) => method === 'PATCH').map(({ body }) => JSON.parse(body));

  test.each(FORMS)('sends the one of Image and Inserted that the BMC does not refuse (%s)', async (_, form) => {
    for (const [name, left] of [
      ['Inserted', { Image: null }],
      ['Image', { Inserted: false }],
    ] as const) {
      const { eject, bmc } = await start((body) => (name in body ? form(name, 'none') : undefined));
      expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
      expect(bodies(bmc)).toEqual([{ Image: null, Inserted: false }, left]);
    }
  });

  test('ends when the BMC refuses both, with at least one property in each request', async () => {
    const entry = { MessageId: 'Base.1.8.PropertyNotWritable', MessageArgs: ['Inserted'] };
    const { eject, bmc } = await start((body) =>
      refusal(400, 'Inserted' in body ? entry : { ...entry, MessageArgs: ['Image'] }),
    );
    await expect(eject()).rejects.toMatchObject({ status: 400 });
    expect(bodies(bmc)).toEqual([{ Image: null, Inserted: false }, { Image: null }]);
  });

  test.each([
    ['an empty ETag', { etag: '' }, [undefined]],
    ['no ETag, and 428', {}, [undefined, '*']],
    ['an ETag that never matches', { etag: 'W/"1"' }, ['W/"1"', '"1"', '1', undefined]],
  ])('with %s ends in the form that the BMC takes', async (_, headers, expected) => {
    const tree = machine({
      ...mediaUnder(SYSTEM, 'CD1'),
      [SYSTEM]: { VirtualMedia: link(`${SYSTEM}/VirtualMedia`), Links: {} },
    });
    tree[path] = deviceAt(path, { Actions: {} });
    const { eject, bmc } = await startMachine(tree, (request) => {
      if (request.method === 'GET' && request.path === path)
        return { status: 200, headers: { ...headers }, body: tree[path] };
      if (request.method !== 'PATCH') return undefined;
      if (request.headers['if-match'] !== expected.at(-1)) return { status: expected.length === 2 ? 428 : 412 };
      tree[path] = { ...tree[path]!, Inserted: false, Image: null };
      return { status: 200 };
    });
    expect(await eject()).toMatchObject([{ outcome: 'ejected' }]);
    expect(
      bmc.requests.filter(({ method }) => method === 'PATCH').map(({ headers: sent }) => sent['if-match']),
    ).toEqual(expected);
  });
});
