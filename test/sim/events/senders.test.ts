import { expect, test } from 'vitest';
import type { SimulatedBmc } from '../../../src/sim/index.ts';
import { call, messages, SUBSCRIPTIONS } from '../client.ts';
import { bmcWith } from '../quirkedBmc.ts';
import { selfSigned } from '../selfSigned.ts';
import { startReceiver } from './receiver.ts';
import type { OpenStream } from './stream.ts';
import { openStream } from './stream.ts';
import { QUICK, subscribe } from './subscribe.ts';

const SSE = '/redfish/v1/EventService/SSE';

async function members(bmc: SimulatedBmc): Promise<number> {
  return (await call(bmc, 'GET', SUBSCRIPTIONS)).json.Members.length;
}

test('event-wants-200: a 204 counts as a failure; other BMCs take it for a success', async () => {
  await using receiver = await startReceiver();
  receiver.respond = 204;
  await using ilo = await bmcWith(['event-wants-200'], QUICK);
  await using plain = await bmcWith([], QUICK);
  for (const { bmc } of [ilo, plain]) {
    await subscribe(bmc, receiver.url);
    bmc.events.send();
    await bmc.events.idle();
  }
  expect([ilo.bmc.events.acknowledged, plain.bmc.events.acknowledged]).toEqual([[], ['1']]);
  expect(ilo.bmc.events.counters).toMatchObject({ posts: 4, refused: 4 });
});

test.each([
  ['event-not-repeated', 2],
  ['event-retries-lost', 5],
])('%s: an event that fails is lost, the next is sent, and the subscription stays', async (quirk, posts) => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([quirk], QUICK);
  const path = await subscribe(one.bmc, receiver.url);
  receiver.respond = ({ json }, response) => response.writeHead(json.Id === '1' ? 500 : 200).end();
  one.bmc.events.send();
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts).toHaveLength(posts);
  expect(one.bmc.events.counters).toMatchObject({ dropped: 1, acknowledged: 1 });
  expect((await call(one.bmc, 'GET', path)).json).not.toHaveProperty('Status');
});

test.each([
  ['failed-delivery-deletes', {}, 'gone'],
  ['failed-delivery-disables', {}, 'Disabled'],
  ['event-suspends', {}, 'Disabled'],
  ['event-suspends', { DeliveryRetryPolicy: 'TerminateAfterRetries' }, 'gone'],
])('%s: after the retries a subscription with %j is %s', async (quirk, properties, state) => {
  await using receiver = await startReceiver();
  receiver.respond = 500;
  await using one = await bmcWith([quirk], QUICK);
  const path = await subscribe(one.bmc, receiver.url, properties);
  one.bmc.events.send();
  await one.bmc.events.idle();
  const { status, json } = await call(one.bmc, 'GET', path);
  expect(status === 404 ? 'gone' : json.Status.State).toBe(state);
  one.bmc.events.send();
  expect([one.bmc.events.waiting, receiver.posts.length]).toEqual([0, 4]);
});

test('event-connections: each event has a connection of its own', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith(['event-connections']);
  await subscribe(one.bmc, receiver.url);
  for (let count = 0; count < 3; count++) one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.map(({ connection }) => connection)).toEqual([1, 2, 3]);
});

test('event-filters-ignored: every event is sent', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith(['event-filters-ignored']);
  await subscribe(one.bmc, receiver.url, { Severities: ['Critical'] });
  one.bmc.events.send({ severity: 'OK' });
  await one.bmc.events.idle();
  expect(receiver.posts).toHaveLength(1);
});

test('event-verifies: an unknown certificate is refused unless VerifyCertificate is false', async () => {
  await using receiver = await startReceiver(selfSigned());
  await using one = await bmcWith(['event-verifies', 'event-not-repeated']);
  await subscribe(one.bmc, `${receiver.url}/default`);
  await subscribe(one.bmc, `${receiver.url}/off`, { VerifyCertificate: false });
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.map(({ path }) => path)).toEqual(['/off']);
});

test('event-few-subscriptions: there are 20 subscriptions, 10 of them streams', async () => {
  await using one = await bmcWith(['event-few-subscriptions'], {}, 'xcc');
  const streams: OpenStream[] = [];
  await using plain = await bmcWith(['event-few-subscriptions']);
  for (let count = 0; count < 10; count++) streams.push(await openStream(plain.bmc));
  expect(await members(plain.bmc)).toBe(14);
  const refused = await call(plain.bmc, 'GET', SSE);
  expect([refused.status, messages(refused)]).toEqual([503, ['EventSubscriptionLimitExceeded']]);
  for (const stream of streams) await stream[Symbol.asyncDispose]();
  for (let count = 0; count < 20; count++) await subscribe(one.bmc, 'https://events.example/same');
  const full = await call(one.bmc, 'POST', SUBSCRIPTIONS, { body: { Destination: 'https://events.example/y' } });
  expect([full.status, messages(full)]).toEqual([503, ['EventSubscriptionLimitExceeded']]);
});

test('event-stream-replays: a stream gets what it missed, or a warning and all that is kept', async () => {
  await using one = await bmcWith(['event-stream-replays']);
  const ids = Array.from({ length: 3 }, () => one.bmc.events.send()[0]!);
  await using late = await openStream(one.bmc, SSE, { 'Last-Event-ID': ids[0]! });
  expect([(await late.next())!.id, (await late.next())!.id]).toEqual(ids.slice(1));
  await using fresh = await openStream(one.bmc);
  await using lost = await openStream(one.bmc, SSE, { 'Last-Event-ID': '4711' });
  expect((await lost.next())!.json.Events[0].MessageId).toBe('Base.1.18.EventBufferExceeded');
  expect((await lost.next())!.id).toBe(ids[0]);
  for (let count = 0; count < 200; count++) one.bmc.events.send();
  expect((await fresh.next())!.json.Events[0].EventId).toBe('5');
  await using tooLate = await openStream(one.bmc, SSE, { 'Last-Event-ID': ids[0]! });
  expect((await tooLate.next())!.json.Events[0].MessageId).toBe('Base.1.18.EventBufferExceeded');
  expect((await tooLate.next())!.id).toBe('5');
});

test('event-stream-missing: the event service names no stream, and there is none', async () => {
  await using one = await bmcWith(['event-stream-missing']);
  expect((await call(one.bmc, 'GET', '/redfish/v1/EventService')).json).not.toHaveProperty('ServerSentEventUri');
  expect((await call(one.bmc, 'GET', SSE)).status).toBe(404);
});

test('event-body-indented: a message of a stream has many lines', async () => {
  await using one = await bmcWith(['event-body-indented']);
  await using stream = await openStream(one.bmc);
  const [id] = one.bmc.events.send();
  expect((await stream.next())!.json.Events[0].EventId).toBe(id);
});

test('event-restart-renumbers: a subscription has another Id after a restart, and its events go on', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith(['event-restart-renumbers'], {}, 'xcc');
  const path = await subscribe(one.bmc, receiver.url, { Context: 'mine', HttpHeaders: [{ 'X-Token': 'a' }] });
  await one.bmc.restart();
  expect((await call(one.bmc, 'GET', path)).status).toBe(404);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/2`)).json).toMatchObject({ Context: 'mine', Id: '2' });
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.map(({ headers }) => headers['x-token'])).toEqual(['a']);
});

test.each([
  ['event-restart-disables', 'Disabled'],
  ['subscriptions-lost-at-restart', 'gone'],
])('%s: after a restart a subscription is %s, and gets no events', async (quirk, state) => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([quirk]);
  const path = await subscribe(one.bmc, receiver.url);
  await one.bmc.restart();
  const { status, json } = await call(one.bmc, 'GET', path);
  expect(status === 404 ? 'gone' : json.Status.State).toBe(state);
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts).toEqual([]);
});
