import { expect, test } from 'vitest';
import { call, messages, SUBSCRIPTIONS } from '../client.ts';
import { bmcWith } from '../quirkedBmc.ts';
import { openStream } from './stream.ts';

const SSE = '/redfish/v1/EventService/SSE';

test('the event service names the stream, on which events come with their ids', async () => {
  await using one = await bmcWith([]);
  expect((await call(one.bmc, 'GET', '/redfish/v1/EventService')).json.ServerSentEventUri).toBe(SSE);
  await using stream = await openStream(one.bmc);
  expect([stream.status, stream.headers.get('Content-Type')]).toEqual([200, 'text/event-stream']);
  const [id] = one.bmc.events.send();
  const [second] = one.bmc.events.send({ message: 'Two\nlines' });
  const message = await stream.next();
  expect(message!.id).toBe(id);
  expect(message!.json).toMatchObject({ Id: id, Events: [{ EventId: id }] });
  expect((await stream.next())!.json.Events[0]).toMatchObject({ EventId: second, Message: 'Two\nlines' });
  expect(one.bmc.events.counters.streamed).toBe(2);
});

test('a stream requires credentials', async () => {
  await using one = await bmcWith([]);
  expect((await call(one.bmc, 'GET', SSE, { auth: 'none' })).status).toBe(401);
});

test('a subscription stands for a stream, and each ends with the other', async () => {
  await using one = await bmcWith([]);
  const members = async () => (await call(one.bmc, 'GET', SUBSCRIPTIONS)).json.Members.length;
  const first = await openStream(one.bmc);
  expect([await members(), one.bmc.events.streams]).toEqual([5, 1]);
  expect((await call(one.bmc, 'GET', `${SUBSCRIPTIONS}/5`)).json).toMatchObject({ SubscriptionType: 'SSE' });
  expect((await call(one.bmc, 'DELETE', `${SUBSCRIPTIONS}/5`)).status).toBe(204);
  expect(await first.next()).toBeUndefined();
  const second = await openStream(one.bmc);
  await second[Symbol.asyncDispose]();
  await expect.poll(members).toBe(4);
});

test('$filter selects the events of a stream', async () => {
  await using one = await bmcWith([]);
  await using stream = await openStream(
    one.bmc,
    `${SSE}?$filter=${encodeURIComponent("RegistryPrefix eq 'TaskEvent'")}`,
  );
  one.bmc.events.send();
  const [id] = one.bmc.events.send({ messageId: 'TaskEvent.1.0.TaskStarted' });
  expect((await stream.next())!.id).toBe(id);
});

test('a stream that is opened again gets nothing of what it missed', async () => {
  await using one = await bmcWith([]);
  const [missed] = one.bmc.events.send();
  await using stream = await openStream(one.bmc, SSE, { 'Last-Event-ID': missed! });
  const [id] = one.bmc.events.send();
  expect((await stream.next())!.id).toBe(id);
});

test('a restart ends the streams', async () => {
  await using one = await bmcWith([]);
  await using stream = await openStream(one.bmc);
  await one.bmc.restart();
  expect(await stream.next()).toBeUndefined();
});

test('HEAD opens no stream', async () => {
  await using one = await bmcWith([]);
  expect((await call(one.bmc, 'HEAD', SSE)).status).toBe(200);
  expect([one.bmc.events.streams, messages(await call(one.bmc, 'POST', SSE))]).toEqual([0, ['OperationNotAllowed']]);
});
