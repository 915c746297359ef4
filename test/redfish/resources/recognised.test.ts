import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { createSubscription, deleteSubscription, getSubscription } from '../../../src/redfish/index.ts';
import {
  type Handle,
  link,
  located,
  machine,
  ROOT,
  refusal,
  SUBSCRIPTIONS,
  startMachine,
  subscriber,
} from './machine.ts';

const Destination = 'https://192.0.2.10/events';
const wanted = { Destination, Context: 'mine' };

/** What BMCs show of what they were sent. */
const SHOWN: [string, (sent: JsonObject, id: string) => JsonObject][] = [
  ['as it was sent', (sent) => sent],
  ['with the port in the destination', (sent) => ({ ...sent, Destination: 'https://192.0.2.10:443/events' })],
  ['with the scheme in capitals', (sent) => ({ ...sent, Destination: 'HTTPS://192.0.2.10/events' })],
  ['without its context', ({ Context: _, ...sent }) => sent],
  ['with the context null', (sent) => ({ ...sent, Context: null })],
  ['with an empty context', (sent) => ({ ...sent, Context: '' })],
  ['with a fixed context', (sent) => ({ ...sent, Context: 'Public' })],
  ['with the context cut', (sent) => ({ ...sent, Context: String(sent.Context).slice(0, 2) })],
  ['with the context in capitals', (sent) => ({ ...sent, Context: String(sent.Context).toUpperCase() })],
];

/** What only the service that made it can recognise. */
const SHOWN_LESS: [string, (sent: JsonObject, id: string) => JsonObject][] = [
  ['with a context of its own each time', (sent, id) => ({ ...sent, Context: `subscription ${id}` })],
  ['without its destination', ({ Destination: _, ...sent }) => sent],
  ['with its destination hidden', (sent) => ({ ...sent, Destination: 'https://***/' })],
];

/** How BMCs respond to the POST. */
const REPLIES: [string, (path: string, shown: JsonObject) => ReturnType<Handle>][] = [
  ['Location', located],
  ['the document', (_, shown) => ({ status: 201, body: shown })],
  ['what was sent', (path, shown) => ({ status: 201, headers: { location: path }, body: { ...shown, ...wanted } })],
  ['a full URL of another host', (path) => located(`https://10.0.0.5${path}/`)],
  ['an id alone', (path) => ({ status: 201, body: { Id: path.split('/').at(-1) } })],
];

describe.each(REPLIES)('a BMC that returns %s', (_, reply) => {
  test.each([...SHOWN, ...SHOWN_LESS])(
    'and shows a subscription %s has one, with one id, after several if_exists "return", also at once',
    async (_name, show) => {
      const { client, ids, posts } = await startMachine(machine(), subscriber({ show, reply: reply as never }));
      const make = () => createSubscription(client, wanted, 'return');
      const made = [await make(), ...(await Promise.all([make(), make()])), await make()];
      expect(new Set(made.map(({ Id }) => Id))).toEqual(new Set(ids()));
      expect(ids()).toHaveLength(1);
      expect(posts()).toHaveLength(1);
    },
  );

  test.each(SHOWN)(
    'and shows a subscription %s has one, with one id, after a restart of the service',
    async (_name, show) => {
      const { client, ids, restarted } = await startMachine(machine(), subscriber({ show, reply: reply as never }));
      const { Id } = await createSubscription(client, wanted, 'return');
      for (const again of [restarted(), restarted()]) {
        expect(await createSubscription(again, wanted, 'return')).toMatchObject({ Id });
        expect(await createSubscription(again, wanted, 'return')).toMatchObject({ Id });
      }
      expect(ids()).toEqual([Id]);
    },
  );
});

test('a subscription of another context at a BMC that keeps contexts is another one', async () => {
  const { client, ids } = await startMachine(machine(), subscriber());
  await createSubscription(client, { Destination, Context: 'theirs' });
  const { Id } = await createSubscription(client, wanted, 'return');
  expect(ids()).toEqual(['1', '2']);
  expect(await createSubscription(client, wanted, 'return')).toMatchObject({ Id });
  expect(ids()).toHaveLength(2);
});

test('two contexts at a BMC that changes both in one way are told apart by the service that made them', async () => {
  const { client, ids } = await startMachine(machine(), subscriber({ show: (sent) => ({ ...sent, Context: 'X' }) }));
  const one = await createSubscription(client, wanted);
  const two = await createSubscription(client, { ...wanted, Context: 'other' });
  expect(ids()).toHaveLength(2);
  expect(await createSubscription(client, wanted, 'return')).toMatchObject({ Id: one.Id! });
  expect(await createSubscription(client, { ...wanted, Context: 'other' }, 'return')).toMatchObject({ Id: two.Id! });
  expect(ids()).toHaveLength(2);
});

test('an id that the BMC has given to another subscription is not taken for the one that was made', async () => {
  const { client, tree, ids } = await startMachine(machine(), subscriber());
  const { Id } = await createSubscription(client, wanted, 'return');
  await createSubscription(client, wanted, 'return');
  tree[`${SUBSCRIPTIONS}/${Id}`] = { Id: Id!, Destination: 'https://other.example/', Context: 'theirs' };
  const { Id: next } = await createSubscription(client, wanted, 'return');
  expect(next).not.toBe(Id);
  expect(ids()).toHaveLength(2);
});

test.each([403, 404, 500, 503])('a member that returns %i does not hide the wanted one', async (status) => {
  const bad = `${SUBSCRIPTIONS}/bad`;
  const tree = machine({
    [SUBSCRIPTIONS]: { Members: [link(`${SUBSCRIPTIONS}/a`), link(bad)] },
    [`${SUBSCRIPTIONS}/a`]: { Id: 'a', ...wanted },
  });
  const refused = refusal(status, { MessageId: 'Base.1.8.InsufficientPrivilege' });
  const { client, posts } = await startMachine(tree, ({ path }) => (path === bad ? refused : undefined));
  expect(await createSubscription(client, wanted, 'return')).toMatchObject({ Id: 'a' });
  expect(posts()).toHaveLength(0);
});

test('a subscription that was made and cannot be read now is returned, and not made again', async () => {
  let closed = false;
  const subscribe = subscriber();
  const { client, posts } = await startMachine(machine(), (request, tree) =>
    closed && request.method === 'GET' && request.path === `${SUBSCRIPTIONS}/1`
      ? { status: 503 }
      : subscribe(request, tree),
  );
  await createSubscription(client, wanted, 'return');
  closed = true;
  expect(await createSubscription(client, wanted, 'return')).toMatchObject({ Id: '1', ...wanted });
  expect(posts()).toHaveLength(1);
});

test.each([403, 500, 503])('nothing is created under if_exists "return" while a member returns %i', async (status) => {
  const bad = `${SUBSCRIPTIONS}/bad`;
  const tree = machine({ [SUBSCRIPTIONS]: { Members: [link(bad)] } });
  const refused = refusal(status, { MessageId: 'Base.1.8.InsufficientPrivilege', Message: 'Not now.' });
  const subscribe = subscriber();
  const { client, posts } = await startMachine(tree, (request, all) =>
    request.path === bad ? refused : subscribe(request, all),
  );
  await expect(createSubscription(client, wanted, 'return')).rejects.toMatchObject({
    status,
    message: expect.stringMatching(/none was created: .*\/bad could not be read: .*Not now\./),
  });
  expect(posts()).toHaveLength(0);
  await createSubscription(client, wanted);
  expect(posts()).toHaveLength(1);
});

test('nothing is created under if_exists "return" while a page of the subscriptions cannot be read', async () => {
  const tree = machine({ [SUBSCRIPTIONS]: { Members: [], 'Members@odata.nextLink': `${SUBSCRIPTIONS}?page=2` } });
  const { client, posts } = await startMachine(tree, ({ path }) => (path.includes('?') ? { status: 503 } : undefined));
  await expect(createSubscription(client, wanted, 'return')).rejects.toMatchObject({ status: 503 });
  expect(posts()).toHaveLength(0);
});

test.each([
  ['MessageArgs', { MessageArgs: ['Destination', 'HTTPS://192.0.2.10:443/events'] }],
  ['its text', { Message: 'The value of Destination was modified to "https://192.0.2.10:443/events".' }],
])(
  'a refusal as a duplicate that spells the destination anew in %s is reported with the id (iDRAC)',
  async (_, entry) => {
    const tree = machine({
      [SUBSCRIPTIONS]: { Members: [link(`${SUBSCRIPTIONS}/a`)] },
      [`${SUBSCRIPTIONS}/a`]: { Id: 'a', Destination: 'https://192.0.2.10:443/events', Context: 'theirs' },
    });
    const { client } = await startMachine(tree, ({ method }) =>
      method === 'POST' ? refusal(400, { MessageId: 'Base.1.8.PropertyValueModified', ...entry }) : undefined,
    );
    await expect(createSubscription(client, wanted)).rejects.toMatchObject({
      kind: 'exists',
      message: expect.stringContaining('with the id a.'),
    });
  },
);

describe('after a POST', () => {
  test.each([
    ['the collection', SUBSCRIPTIONS],
    ['the collection with a slash', `${SUBSCRIPTIONS}/`],
    ['the event service', `${ROOT}/EventService`],
    ['the collection at another host', `https://10.0.0.5${SUBSCRIPTIONS}`],
    ['nothing (empty)', ''],
    ['the service root', `${ROOT}/`],
  ])('Location with %s leads to the new member', async (_, location) => {
    const reply = () => ({ status: 201, headers: { location } });
    const { client, posts } = await startMachine(machine(), subscriber({ reply }));
    expect(await createSubscription(client, wanted)).toMatchObject({ Id: '1' });
    expect(posts()).toHaveLength(1);
  });

  test.each([
    ['2', (id: string) => id],
    ['./2', (id: string) => `./${id}`],
    ['Subscriptions/2', (id: string) => `Subscriptions/${id}`],
    ['2/', (id: string) => `${id}/`],
    ['…/Subscriptions/2/', (id: string) => `${SUBSCRIPTIONS}/${id}/`],
    ['the path before a proxy', (id: string) => `/bmc/7${SUBSCRIPTIONS}/${id}`],
  ])('Location %s is the new member', async (_, place) => {
    const reply = (path: string) => located(place(path.split('/').at(-1)!));
    const { client, posts } = await startMachine(machine(), subscriber({ reply }));
    const { Id } = await createSubscription(client, wanted);
    expect(await getSubscription(client, String(Id))).toMatchObject(wanted);
    await deleteSubscription(client, String(Id));
    expect(posts()).toHaveLength(1);
  });

  test('without Location the new member is found beside older ones of the same destination', async () => {
    const { client, ids } = await startMachine(machine(), subscriber({ reply: () => ({ status: 204 }) }));
    expect(await createSubscription(client, { ...wanted, Context: 'theirs' })).toMatchObject({ Id: '1' });
    expect(await createSubscription(client, wanted)).toMatchObject({ Id: '2' });
    expect(await createSubscription(client, wanted)).toMatchObject({ Id: '3' });
    expect(ids()).toHaveLength(3);
  });

  test('without Location, under if_exists, a new member is recognised though its context was changed', async () => {
    const show = (sent: JsonObject) => ({ ...sent, Context: 'X' });
    const { client, ids } = await startMachine(machine(), subscriber({ show, reply: () => ({ status: 204 }) }));
    const { Id } = await createSubscription(client, wanted, 'return');
    expect(await createSubscription(client, wanted, 'return')).toMatchObject({ Id: Id! });
    expect(ids()).toEqual([Id]);
  });
});

describe.each([
  ['Location of the collection', () => ({ status: 201, headers: { location: SUBSCRIPTIONS } })],
  ['201 with nothing', () => ({ status: 201 })],
  ['204', () => ({ status: 204 })],
  ['a message of success', () => ({ status: 200, body: { error: { code: 'Base.1.4.Success', message: 'Success' } } })],
])('a BMC that changes contexts and returns %s', (_, reply) => {
  const show = (sent: JsonObject) => ({ ...sent, Context: 'Public' });

  test('has made the only subscription with that destination', async () => {
    const { client, tree, ids } = await startMachine(machine(), subscriber({ show, reply }));
    await createSubscription(client, { Destination: 'https://192.0.2.11/', Context: 'theirs' }).catch(() => {});
    expect(await createSubscription(client, wanted)).toMatchObject({ Id: '2', Destination });
    expect(await createSubscription(client, wanted, 'return')).toMatchObject({ Id: '2' });
    expect(ids()).toEqual(['1', '2']);
    expect(tree[`${SUBSCRIPTIONS}/2`]).toBeDefined();
  });

  test('does not tell which of two is new, and is not waited for', async () => {
    const { client, restarted, bmc } = await startMachine(machine(), subscriber({ show, reply }));
    await createSubscription(client, wanted);
    bmc.requests.length = 0;
    await expect(createSubscription(restarted(), wanted)).rejects.toMatchObject({
      kind: 'outcome-unknown',
      message: expect.stringContaining('several subscriptions with that destination'),
    });
    expect(bmc.lines().filter((line) => line === `GET ${SUBSCRIPTIONS}`)).toHaveLength(1);
  });

  test('is not sure while another member cannot be read', async () => {
    const bad = `${SUBSCRIPTIONS}/bad`;
    const subscribe = subscriber({ show, reply });
    const tree = machine({ [SUBSCRIPTIONS]: { Members: [link(bad)] } });
    const { client } = await startMachine(tree, (request, all) =>
      request.path === bad ? { status: 403 } : subscribe(request, all),
    );
    const leaving = AbortSignal.timeout(600);
    await expect(createSubscription(client.with({ signal: leaving }), wanted)).rejects.toThrow();
  });
});

describe('a POST that returns 200 with an error', () => {
  const message = (MessageId: string) => ({
    status: 200,
    body: { error: { code: MessageId, message: 'ZEBRA', '@Message.ExtendedInfo': [{ MessageId, Message: 'ZEBRA' }] } },
  });

  test.each(['Base.1.8.InternalError', 'Oem.1.0.Odd'])('has failed when nothing is there (%s)', async (id) => {
    const { client, bmc } = await startMachine(machine(), ({ method }) =>
      method === 'POST' ? message(id) : undefined,
    );
    await expect(createSubscription(client, wanted)).rejects.toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('with an error: ZEBRA'),
    });
    expect(bmc.lines().filter((line) => line === `GET ${SUBSCRIPTIONS}`)).toHaveLength(1);
  });

  test('has made what is there', async () => {
    const reply = () => message('Base.1.8.InternalError');
    const { client } = await startMachine(machine(), subscriber({ reply }));
    expect(await createSubscription(client, wanted)).toMatchObject({ Id: '1' });
  });

  test('tells no header that the BMC quotes', async () => {
    const quoted = { status: 200, body: { error: { code: 'X.1.0.Odd', message: 'Bad header open-sesame' } } };
    const { client } = await startMachine(machine(), ({ method }) => (method === 'POST' ? quoted : undefined));
    const given = { ...wanted, HttpHeaders: [{ 'X-Key': 'open-sesame' }] };
    await expect(createSubscription(client, given)).rejects.toThrow(/Bad header \*+/);
  });
});

describe('a disabled event service', () => {
  const service = (enabled: boolean): JsonObject => ({ ServiceEnabled: enabled, Subscriptions: link(SUBSCRIPTIONS) });
  test('takes no new subscription, has those that were made, and takes new ones once it is enabled', async () => {
    const tree = machine();
    const { client, posts } = await startMachine(tree, subscriber());
    const { Id } = await createSubscription(client, wanted);
    const events = `${ROOT}/EventService`;
    tree[events] = service(false);
    client.discovered.forget();
    expect(await createSubscription(client, wanted, 'return')).toMatchObject({ Id: Id! });
    for (const ifExists of ['refuse', 'return'] as const) {
      await expect(createSubscription(client, { ...wanted, Context: 'new' }, ifExists)).rejects.toMatchObject({
        kind: 'unsupported',
        message: expect.stringContaining('ServiceEnabled is false'),
      });
    }
    expect(await getSubscription(client, String(Id))).toMatchObject(wanted);
    await deleteSubscription(client, String(Id));
    tree[events] = service(true);
    await createSubscription(client, wanted);
    expect(posts()).toHaveLength(2);
  });
});
