import { expect, test } from 'vitest';
import type { JsonObject } from '../../../src/core/json.ts';
import { deleteSubscription, listSubscriptions } from '../../../src/redfish/index.ts';
import { link, MANAGER, machine, mediaUnder, SUBSCRIPTIONS, SYSTEM, startMachine } from './machine.ts';

const FIRST = `${SUBSCRIPTIONS}/first`;
const withSubscription = () =>
  machine({ [SUBSCRIPTIONS]: { Members: [link(FIRST)] }, [FIRST]: { ...link(FIRST), Id: 'first' } });

const errors: [string, JsonObject | string][] = [
  ['a code and a message', { code: 'Base.1.8.InternalError', message: 'The store is asleep.' }],
  ['a message alone', { message: 'The store is asleep.' }],
  ['a text', 'The store is asleep.'],
  [
    'a warning',
    { '@Message.ExtendedInfo': [{ MessageId: 'X.1.0.Q', Message: 'The store is asleep.', Severity: 'Warning' }] },
  ],
  ['words that negate success', { message: 'Unsuccessful: The store is asleep.' }],
];

test.each(errors)(
  'a delete that returns 200 with %s as its error fails while the subscription exists',
  async (_, error) => {
    const { client, bmc } = await startMachine(withSubscription(), ({ method }) =>
      method === 'DELETE' ? { status: 200, body: { error } } : undefined,
    );
    const words = expect.stringContaining('The store is asleep.');
    await expect(deleteSubscription(client, 'first')).rejects.toMatchObject({ kind: 'failed', message: words });
    expect(bmc.lines().filter((line) => line.startsWith('DELETE'))).toHaveLength(1);
  },
);

test.each(errors)(
  'a delete that returns 200 with %s as its error succeeds once the subscription is gone',
  async (_, error) => {
    const { client } = await startMachine(withSubscription(), ({ method, path }, tree) => {
      if (method !== 'DELETE') return undefined;
      delete tree[path];
      return { status: 200, body: { error } };
    });
    await deleteSubscription(client, 'first');
  },
);

test('a delete that returns a success in the form of an error is not checked', async () => {
  const error = { code: 'iLO.0.10.ExtendedInfo', '@Message.ExtendedInfo': [{ MessageId: 'Base.1.4.Success' }] };
  const { client, bmc } = await startMachine(withSubscription(), ({ method }) =>
    method === 'DELETE' ? { status: 200, body: { error } } : undefined,
  );
  await deleteSubscription(client, 'first');
  expect(bmc.lines()).not.toContain(`GET ${FIRST}`);
});

test.each<[string, JsonObject]>([
  ['no Members', { Name: 'Virtual media' }],
  ['an error in place of Members', { error: { message: 'Asleep' } }],
])('an eject fails where the only virtual media, under the manager, have %s', async (_, collection) => {
  const place = `${MANAGER}/VirtualMedia`;
  const tree = machine({
    ...mediaUnder(MANAGER, 'CD1'),
    [place]: { ...link(place), ...collection },
    [MANAGER]: { ...link(MANAGER), VirtualMedia: link(place) },
    [SYSTEM]: { ...link(SYSTEM), Links: { ManagedBy: [link(MANAGER)] } },
  });
  const { eject } = await startMachine(tree);
  await expect(eject()).rejects.toMatchObject({ kind: 'failed', message: expect.stringContaining(place) });
  await expect(eject(['CD'])).rejects.toMatchObject({ kind: 'failed' });
});

test.each([
  ['itself', 1],
  ['the first page', 2],
])('pages of which one links to %s are requested once each', async (_, pages) => {
  const tree = withSubscription();
  tree[`${SUBSCRIPTIONS}/page`] = { Members: [link(FIRST)], 'Members@odata.nextLink': SUBSCRIPTIONS };
  tree[SUBSCRIPTIONS] = {
    Members: [link(FIRST)],
    'Members@odata.nextLink': pages === 1 ? SUBSCRIPTIONS : `${SUBSCRIPTIONS}/page`,
  };
  const { client, bmc } = await startMachine(tree);
  await expect(listSubscriptions(client)).rejects.toMatchObject({ kind: 'failed' });
  expect(bmc.lines().filter((line) => line.includes(SUBSCRIPTIONS))).toHaveLength(pages);
});
