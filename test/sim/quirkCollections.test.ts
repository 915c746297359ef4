import { expect, test } from 'vitest';
import { CD, call, messages, SUBSCRIPTIONS } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const MEDIA = CD.replace('/CD1', '');

test.each([
  ['device', MEDIA],
  ['subscription', SUBSCRIPTIONS],
] as const)('unreadable-%s-…: a member is listed first, and gets 403, 404, 500 or 503', async (kind, path) => {
  for (const status of [403, 404, 500, 503]) {
    await using one = await bmcWith([`unreadable-${kind}-${status}`]);
    const { Members: members } = (await call(one.bmc, 'GET', path)).json;
    expect(members.length).toBeGreaterThan(2);
    expect((await call(one.bmc, 'GET', members[0]['@odata.id'])).status).toBe(status);
    expect((await call(one.bmc, 'GET', members[1]['@odata.id'])).status).toBe(200);
  }
});

test('members-without-links: null, empty objects and empty links are among the members', async () => {
  await using one = await bmcWith(['members-without-links']);
  const { Members: members } = (await call(one.bmc, 'GET', MEDIA)).json;
  expect(members).toHaveLength(6);
  expect(members.filter((member: { '@odata.id'?: string } | null) => member?.['@odata.id'])).toHaveLength(2);
});

test('members-partial: a member has its Id and Name', async () => {
  await using one = await bmcWith(['members-partial']);
  const { Members: members } = (await call(one.bmc, 'GET', MEDIA)).json;
  expect(members[1]).toEqual({ '@odata.id': CD, Id: 'CD1', Name: expect.any(String) });
});

test('members-null, count-wrong: an empty collection has Members null, and every count is 0', async () => {
  await using one = await bmcWith(['members-null', 'count-wrong'], {}, 'xcc');
  const { Members: none } = (await call(one.bmc, 'GET', SUBSCRIPTIONS)).json;
  expect(none).toBeNull();
  const { json } = await call(one.bmc, 'GET', '/redfish/v1/Systems');
  expect([json.Members.length, json['Members@odata.count']]).toEqual([1, 0]);
});

test.each([
  ['media', MEDIA],
  ['subscriptions', SUBSCRIPTIONS],
])('%s-without-members, -error-200, -page-missing, -page-loop: the members cannot be told', async (kind, path) => {
  const read = async (form: string) => {
    await using one = await bmcWith([`${kind}-${form}`]);
    const reply = await call(one.bmc, 'GET', path);
    const next = reply.json['Members@odata.nextLink'];
    return { reply, page: next === undefined ? null : await call(one.bmc, 'GET', next) };
  };
  expect((await read('without-members')).reply.json).not.toHaveProperty('Members');
  const { reply } = await read('error-200');
  expect([reply.status, messages(reply)]).toEqual([200, ['InternalError']]);
  expect((await read('page-missing')).page?.status).toBe(404);
  const loop = await read('page-loop');
  expect(loop.page?.json).toEqual(loop.reply.json);
});

test.each([403, 500, 503])(
  'closed-subscriptions-%i: each is listed, made and deleted, and cannot be read',
  async (status) => {
    await using one = await bmcWith([`closed-subscriptions-${status}`]);
    expect((await call(one.bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
    expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/1`)).status).toBe(status);
    const body = { Destination: 'https://events.example/x' };
    expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body })).status).toBe(201);
    expect((await call(one.bmc, 'DELETE', `${SUBSCRIPTIONS}/5`)).status).toBe(204);
  },
);

test('closed-event-service: its document gets 403, its subscriptions are served', async () => {
  await using one = await bmcWith(['closed-event-service']);
  expect((await call(one.bmc, 'GET', '/redfish/v1/EventService')).status).toBe(403);
  expect((await call(one.bmc, 'GET', SUBSCRIPTIONS)).json.Members).toHaveLength(4);
});
