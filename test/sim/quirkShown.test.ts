import { expect, test } from 'vitest';
import { REFUSAL_WORDS, refusesDefault, refusesInPatch } from '../../src/sim/quirks/defaults.ts';
import { CD, call, SUBSCRIPTIONS } from './client.ts';
import { bmcWith } from './quirkedBmc.ts';

const Destination = 'https://Events.example/%2Fx';
const body = { Destination, Context: 'mine', Protocol: 'Redfish', EventTypes: ['Alert'] };

test.each([
  ['port', Destination, 'https://Events.example:443/%2Fx'],
  ['port', 'http://h/', 'http://h:80/'],
  ['port', 'https://h:8443/', 'https://h:8443/'],
  ['no-port', 'https://h:443/x', 'https://h/x'],
  ['lower-host', Destination, 'https://events.example/%2Fx'],
  ['upper-host', 'https://h/x', 'https://H/x'],
  ['upper-scheme', 'https://h/x', 'HTTPS://h/x'],
  ['slash', 'https://h', 'https://h/'],
  ['no-slash', 'https://h/', 'https://h'],
  ['percent-case', Destination, 'https://Events.example/%2fx'],
  ['hidden', Destination, null],
])('destination-%s: %s is shown as %s, by the create and by a GET', async (form, sent, shown) => {
  await using one = await bmcWith([`destination-${form}`]);
  const created = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: { ...body, Destination: sent } });
  expect([created.status, created.json.Destination]).toEqual([201, shown]);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/5`)).json.Destination).toBe(shown);
  // The BMC itself knows what it was given.
  expect(one.bmc.documents.get(`${SUBSCRIPTIONS}/5`)?.Destination).toBe(sent);
});

test.each([
  ['context-dropped', 'Context', undefined],
  ['context-emptied', 'Context', ''],
  ['context-null', 'Context', null],
  ['context-changed', 'Context', 'Public'],
  ['http-headers-dropped', 'HttpHeaders', undefined],
])('%s: %s is shown as %s', async (name, property, shown) => {
  await using one = await bmcWith([name]);
  const { json } = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect(json[property]).toEqual(shown);
});

test.each([
  ['collection', 201, SUBSCRIPTIONS],
  ['relative', 201, 'Subscriptions/5'],
  ['slash', 201, `${SUBSCRIPTIONS}/5/`],
  ['empty', 201, ''],
  ['other-host', 201, `https://bmc.internal:8443${SUBSCRIPTIONS}/5`],
])('create-location-%s: a new subscription gets %i, this Location and no body', async (form, status, location) => {
  await using one = await bmcWith([`create-location-${form}`]);
  const created = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect([created.status, created.headers.get('Location'), created.text]).toEqual([status, location, '']);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/5`)).status).toBe(200);
});

test.each([
  ['create-201', 201],
  ['create-202', 202],
])('%s: a new subscription gets %i alone', async (name, status) => {
  await using one = await bmcWith([name]);
  const created = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
  expect([created.status, created.headers.get('Location'), created.text]).toEqual([status, null, '']);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/5`)).status).toBe(200);
});

test.each(REFUSAL_WORDS)(
  'a default is refused by %s, which names it in one place, by POST and PATCH alike',
  async (word) => {
    for (const namedIn of ['args', 'second-arg', 'related', 'related-bare', 'text', 'annotation'] as const) {
      await using one = await bmcWith([
        refusesDefault('x', { property: 'Context', word, namedIn }),
        refusesInPatch('y', { property: 'Inserted', word, namedIn, status: 409 }),
      ]);
      const refused = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body });
      expect([refused.status, refused.text.includes(`.${word}`)]).toEqual([400, true]);
      expect(refused.text.match(/Context/g)).toHaveLength(1);
      const { Context: _, ...rest } = body;
      expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: rest })).status).toBe(201);
      const patch = await call(one.bmc, 'PATCH', CD, { body: { Image: null, Inserted: false } });
      expect([patch.status, patch.text.match(/Inserted/g)?.length]).toEqual([409, 1]);
      expect((await call(one.bmc, 'PATCH', CD, { body: { Image: null } })).status).toBe(200);
    }
  },
);

test.each([
  ['events-disabled-400', 400],
  ['events-disabled-409', 409],
])('%s: a disabled event service refuses subscriptions with %i; they can be read and deleted', async (name, status) => {
  await using one = await bmcWith([name]);
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body })).status).toBe(status);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/1`)).status).toBe(200);
  expect((await call(one.bmc, 'DELETE', `${SUBSCRIPTIONS}/1`)).status).toBe(204);
});

test('events-switched-off: the event service is switched off after the first change', async () => {
  await using one = await bmcWith(['events-switched-off']);
  const enabled = async () => (await call(one.bmc, 'GET', '/redfish/v1/EventService')).json.ServiceEnabled;
  expect(await enabled()).toBe(true);
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body })).status).toBe(201);
  expect(await enabled()).toBe(false);
  expect((await call(one.bmc, 'POST', SUBSCRIPTIONS, { body })).status).toBe(503);
  expect((await call(one.bmc, 'DELETE', `${SUBSCRIPTIONS}/5`)).status).toBe(204);
});

test.each([
  ['etag-empty', ''],
  ['etag-never-matches', expect.stringMatching(/^"/)],
])('%s: a PATCH with any If-Match gets 412, without one 200', async (name, etag) => {
  await using one = await bmcWith([name]);
  const { headers } = await call(one.bmc, 'GET', CD);
  expect(headers.get('ETag')).toEqual(etag);
  const patch = (more: Record<string, string>) => call(one.bmc, 'PATCH', CD, { body: { Image: null }, headers: more });
  for (const match of [headers.get('ETag') || '""', '*']) {
    expect((await patch({ 'If-Match': match })).status).toBe(412);
  }
  expect((await patch({})).status).toBe(200);
});

test('etag-missing: there are no ETags', async () => {
  await using one = await bmcWith(['etag-missing']);
  expect((await call(one.bmc, 'GET', CD)).headers.get('ETag')).toBeNull();
});

test('delete-error-200: a DELETE gets 200 with an error, and deletes nothing', async () => {
  await using one = await bmcWith(['delete-error-200']);
  const refused = await call(one.bmc, 'DELETE', `${SUBSCRIPTIONS}/1`);
  expect([refused.status, refused.json.error.code]).toEqual([200, expect.stringMatching(/InternalError$/)]);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/1`)).status).toBe(200);
});
