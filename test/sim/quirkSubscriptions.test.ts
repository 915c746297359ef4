import { expect, test } from 'vitest';
import { call, messages, SUBSCRIPTIONS } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const SERVICE = '/redfish/v1/EventService';
const DEFAULTS = { Protocol: 'Redfish', Context: '', EventTypes: ['Alert'] };
const body = { Destination: 'https://events.example/x', ...DEFAULTS };

test('iLO 5, iDRAC 9: the event service has no EventTypesForSubscription, and accepts the types of the schema', async () => {
  await using one = await bmcWith(['no-event-types']);
  expect((await call(one.bmc, 'GET', SERVICE)).json).not.toHaveProperty('EventTypesForSubscription');
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: { ...body, EventTypes: ['Other'] } })).status).toBe(201);
});

test('a disabled event service refuses subscriptions', async () => {
  await using one = await bmcWith(['events-disabled']);
  expect((await call(one.bmc, 'GET', SERVICE)).json.ServiceEnabled).toBe(false);
  const refused = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect([refused.status, messages(refused)]).toEqual([503, ['ServiceDisabled']]);
  expect((await call(one.bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
});

test('there is no event service and no link to it', async () => {
  await using one = await bmcWith(['no-event-service']);
  expect((await call(one.bmc, 'GET', '/redfish/v1/')).json).not.toHaveProperty('EventService');
  for (const path of [SERVICE, SUBSCRIPTIONS]) expect((await call(one.bmc, 'GET', path)).status).toBe(404);
});

test.each([
  ['create-location-only', 201, true, 'message'],
  ['create-no-body', 201, true, 'none'],
  ['create-body-only', 201, false, 'document'],
  ['create-body-only-200', 200, false, 'document'],
  ['create-204', 204, false, 'none'],
] as const)(
  '%s: create returns %i, Location %s, body %s, and creates the subscription',
  async (name, status, located, content) => {
    await using one = await bmcWith([name]);
    const created = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
    const kind = created.text === '' ? 'none' : created.json.Id === undefined ? 'message' : 'document';
    expect([created.status, created.headers.get('Location'), kind]).toEqual([
      status,
      located ? `${SUBSCRIPTIONS}/5` : null,
      content,
    ]);
    expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/5`)).json.Destination).toBe(body.Destination);
  },
);

test('a refused create gets its error response', async () => {
  await using one = await bmcWith(['create-204', 'create-location-only']);
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: {} })).status).toBe(400);
});

test('the Location of a new subscription is a full URL', async () => {
  await using one = await bmcWith(['create-full-url']);
  const created = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect(created.headers.get('Location')).toBe(`${one.bmc.url}${SUBSCRIPTIONS}/5`);
});

test('iLO refuses DeliveryRetryPolicy with a message from the iLO registry', async () => {
  await using one = await bmcWith(['refuses-retry-policy']);
  const refused = await call(one.bmc, 'POST', SUBSCRIPTIONS, {
    body: { ...body, DeliveryRetryPolicy: 'RetryForever' },
  });
  expect([refused.status, messages(refused)]).toEqual([400, ['PropertyNotWritableOrUnknown']]);
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body })).status).toBe(201);
});

test.each([
  ['refuses-context', 'Context', { MessageArgs: ['Context'] }],
  ['refuses-event-types', 'EventTypes', { MessageArgs: ['EventTypes'] }],
  ['refuses-protocol', 'Protocol', { MessageArgs: [], RelatedProperties: ['#/Protocol'] }],
] as const)('%s: refuses a default of the driver, and names it in one place only', async (name, property, named) => {
  await using one = await bmcWith([name]);
  const refused = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect([refused.status, messages(refused)]).toEqual([400, ['PropertyUnknown']]);
  const [info] = refused.json.error['@Message.ExtendedInfo'];
  expect(info).toMatchObject(named);
  expect('RelatedProperties' in info).toBe('RelatedProperties' in named);
  const without = Object.fromEntries(Object.entries(body).filter(([key]) => key !== property));
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: without })).status).toBe(201);
});

test.each([
  ['iLO', 'one-per-destination-ilo', 'ResourceAlreadyExists'],
  ['iDRAC', 'one-per-destination-idrac', 'PropertyValueModified'],
] as const)('%s: refuses a second subscription to a destination, and names it', async (_machine, name, message) => {
  await using one = await bmcWith([name]);
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body })).status).toBe(201);
  const second = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect([second.status, messages(second)]).toEqual([400, [message]]);
  expect(second.text).toContain(body.Destination);
  const other = { ...body, Destination: 'https://events.example/y' };
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: other })).status).toBe(201);
});

test('iDRAC returns HttpHeaders as an empty list', async () => {
  await using one = await bmcWith(['http-headers-empty-list']);
  const created = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: { ...body, HttpHeaders: [{ A: 'secret' }] } });
  expect(created.json.HttpHeaders).toEqual([]);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/5`)).json.HttpHeaders).toEqual([]);
});

test('a restart deletes the subscriptions only with the quirk', async () => {
  await using one = await bmcWith(['subscriptions-lost-at-restart']);
  await using other = await bmcWith([]);
  for (const { bmc } of [one, other]) await bmc.restart();
  expect((await call(one.bmc, 'GET', SUBSCRIPTIONS)).json.Members).toEqual([]);
  expect((await call(other.bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
});

test('failed delivery deletes the subscription (iLO), disables it (iDRAC), or changes nothing', async () => {
  await using ilo = await bmcWith(['failed-delivery-deletes']);
  await using idrac = await bmcWith(['failed-delivery-disables']);
  await using plain = await bmcWith([]);
  for (const { bmc } of [ilo, idrac, plain]) expect(bmc.failDeliveries('1')).toBe(1);
  expect((await call(ilo.bmc, 'GET', `${SUBSCRIPTIONS}/1`)).status).toBe(404);
  expect((await call(ilo.bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(3);
  expect((await call(idrac.bmc, 'GET', `${SUBSCRIPTIONS}/1`)).json.Status.State).toBe('Disabled');
  expect((await call(idrac.bmc, 'GET', `${SUBSCRIPTIONS}/3`)).json).not.toHaveProperty('Status');
  expect((await call(plain.bmc, 'GET', `${SUBSCRIPTIONS}/1`)).json).not.toHaveProperty('Status');
  expect([ilo.bmc.failDeliveries(), idrac.bmc.failDeliveries('nowhere')]).toEqual([3, 0]);
});
