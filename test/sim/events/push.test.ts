import { expect, test } from 'vitest';
import { call, SYSTEM } from '../client.ts';
import { bmcWith } from '../quirkedBmc.ts';
import { selfSigned } from '../selfSigned.ts';
import { startReceiver } from './receiver.ts';
import { QUICK, subscribe } from './subscribe.ts';

test('an event reaches the destination, with the Context and the headers of the subscription', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  const HttpHeaders = [{ 'X-Token': 'secret' }];
  const path = await subscribe(one.bmc, `${receiver.url}/events?x=1`, { Context: 'mine', HttpHeaders });
  const before = Date.now();
  const [id] = one.bmc.events.send();
  await one.bmc.events.idle();
  const [post] = receiver.posts;
  expect(receiver.posts).toHaveLength(1);
  expect([post!.path, post!.headers['x-token'], post!.headers['content-type']]).toEqual([
    '/events?x=1',
    'secret',
    'application/json',
  ]);
  expect(post!.json).toMatchObject({ '@odata.type': '#Event.v1_7_0.Event', Context: 'mine', Id: id });
  const [record] = post!.json.Events;
  expect(record).toMatchObject({
    MemberId: '0',
    EventId: id,
    EventType: 'Alert',
    Severity: 'Warning',
    MessageSeverity: 'Warning',
    MessageId: 'ResourceEvent.1.3.ResourceErrorsDetected',
    OriginOfCondition: { '@odata.id': SYSTEM },
  });
  expect(record.Message).toContain(SYSTEM);
  expect(Math.abs(Date.parse(record.EventTimestamp) - before)).toBeLessThan(5000);
  expect(one.bmc.events.acknowledged).toEqual([id]);
  expect(one.bmc.events.counters).toMatchObject({ made: 1, posts: 1, acknowledged: 1, repeated: 0, dropped: 0 });
  expect((await call(one.bmc, 'GET', path)).json.HttpHeaders).toBeNull();
});

test('events arrive in order over one connection, and several may share a post', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, receiver.url);
  const ids = Array.from({ length: 20 }, () => one.bmc.events.send()[0]!);
  ids.push(...one.bmc.events.send([{ severity: 'OK' }, { severity: 'Critical' }]));
  await one.bmc.events.idle();
  expect(receiver.ids()).toEqual(ids);
  expect(new Set(ids).size).toBe(22);
  expect(one.bmc.events.acknowledged).toEqual(ids);
  expect(new Set(receiver.posts.map(({ connection }) => connection))).toEqual(new Set([1]));
  expect(receiver.posts.at(-1)!.json.Events.map((event: { MemberId: string }) => event.MemberId)).toEqual(['0', '1']);
});

test('each subscription gets an event, and none after its deletion; those of the profile get none', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  const first = await subscribe(one.bmc, `${receiver.url}/1`);
  await subscribe(one.bmc, `${receiver.url}/2`);
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect((await call(one.bmc, 'DELETE', first)).status).toBe(204);
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.map(({ path }) => path).sort()).toEqual(['/1', '/2', '/2']);
  expect(one.bmc.events.counters).toMatchObject({ made: 2, posts: 3, acknowledged: 3 });
});

test.each([
  [{ EventTypes: ['Alert'] }, ['1', '2']],
  [{ RegistryPrefixes: ['TaskEvent'] }, ['3']],
  [{ ExcludeRegistryPrefixes: ['TaskEvent'] }, ['1', '2']],
  [{ MessageIds: ['ResourceEvent.1.3.ResourceErrorsDetected'] }, ['1']],
  [{ MessageIds: ['ResourceEvent.ResourceErrorsDetected', 'TaskStarted'] }, ['1', '3']],
  [{ ExcludeMessageIds: ['ResourceEvent.1.3.ResourceErrorsDetected'] }, ['2', '3']],
  [{ Severities: ['Critical', 'OK'] }, ['2', '3']],
  [{ OriginResources: [{ '@odata.id': '/redfish/v1/Systems' }] }, []],
  [{ OriginResources: [{ '@odata.id': '/redfish/v1/Systems' }], SubordinateResources: true }, ['1', '2']],
  [{ OriginResources: [{ '@odata.id': SYSTEM }] }, ['1', '2']],
  [{ EventFormatType: 'MetricReport' }, []],
])('a subscription with %j gets only the events that it selects', async (filter, expected) => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, receiver.url, filter);
  one.bmc.events.send({ messageId: 'ResourceEvent.1.3.ResourceErrorsDetected' });
  one.bmc.events.send({ messageId: 'ResourceEvent.1.3.ResourceFailed', severity: 'Critical' });
  const origin = '/redfish/v1/TaskService';
  one.bmc.events.send({ messageId: 'TaskEvent.1.0.TaskStarted', severity: 'OK', type: 'Other', origin });
  await one.bmc.events.idle();
  expect(receiver.ids()).toEqual(expected);
});

test('a post that fails is repeated, and acknowledged once', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([], QUICK);
  await subscribe(one.bmc, receiver.url);
  let left = 2;
  receiver.respond = (_post, response) => {
    left--;
    response.writeHead(left < 0 ? 200 : 503).end();
  };
  const [id] = one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.ids()).toEqual([id, id, id]);
  expect(one.bmc.events.acknowledged).toEqual([id]);
  expect(one.bmc.events.counters).toMatchObject({ posts: 3, repeated: 2, refused: 2, acknowledged: 1 });
});

test('after three retries the subscription is deleted, and what waited is dropped', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([], QUICK);
  const path = await subscribe(one.bmc, receiver.url);
  receiver.respond = 'reset';
  one.bmc.events.send();
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts).toHaveLength(4);
  expect(one.bmc.events.counters).toMatchObject({ posts: 4, unanswered: 4, acknowledged: 0, dropped: 2 });
  expect((await call(one.bmc, 'GET', path)).status).toBe(404);
});

test('SuspendRetries disables the subscription; RetryForever goes on', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([], QUICK);
  receiver.respond = (post, response) => {
    const failures = receiver.posts.filter(({ path }) => path === post.path).length;
    response.writeHead(post.path === '/forever' && failures > 9 ? 200 : 500).end();
  };
  const suspended = await subscribe(one.bmc, `${receiver.url}/suspend`, { DeliveryRetryPolicy: 'SuspendRetries' });
  await subscribe(one.bmc, `${receiver.url}/forever`, { DeliveryRetryPolicy: 'RetryForever' });
  const [id] = one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.filter(({ path }) => path === '/suspend')).toHaveLength(4);
  expect(receiver.posts.filter(({ path }) => path === '/forever')).toHaveLength(10);
  expect(one.bmc.events.acknowledged).toEqual([id]);
  expect((await call(one.bmc, 'GET', suspended)).json.Status.State).toBe('Disabled');
});

test('a subscriber that never responds runs into the time limit', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([], { ...QUICK, eventTimeout: 50 });
  await subscribe(one.bmc, receiver.url);
  receiver.respond = (_post, response) => {
    if (receiver.posts.length > 1) response.writeHead(200).end();
  };
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(one.bmc.events.counters).toMatchObject({ posts: 2, unanswered: 1, acknowledged: 1 });
});

test('five hundred posts wait for a subscriber; more are dropped', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, receiver.url);
  let release: (() => void) | undefined;
  receiver.respond = (_post, response) => {
    receiver.respond = 200;
    release = () => response.writeHead(200).end();
  };
  one.bmc.events.send();
  await receiver.until(1);
  for (let count = 0; count < 510; count++) one.bmc.events.send();
  expect([one.bmc.events.waiting, one.bmc.events.counters.dropped]).toEqual([500, 11]);
  release?.();
  await one.bmc.events.idle();
  expect(one.bmc.events.acknowledged).toEqual(Array.from({ length: 500 }, (_, index) => String(index + 1)));
});

test('VerifyCertificate decides whether an unknown certificate is accepted', async () => {
  const tls = selfSigned();
  await using receiver = await startReceiver(tls);
  await using one = await bmcWith([], QUICK);
  const strict = await subscribe(one.bmc, `${receiver.url}/strict`, { VerifyCertificate: true });
  await subscribe(one.bmc, `${receiver.url}/lax`, { VerifyCertificate: false });
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.map(({ path }) => path)).toEqual(['/lax']);
  expect((await call(one.bmc, 'GET', strict)).status).toBe(404);
  await using trusting = await bmcWith([], { ...QUICK, eventCa: tls.cert });
  await subscribe(trusting.bmc, `${receiver.url}/known`, { VerifyCertificate: true });
  trusting.bmc.events.send();
  await trusting.bmc.events.idle();
  expect(receiver.posts.map(({ path }) => path)).toEqual(['/lax', '/known']);
});

test('a PATCH changes the destination and the headers, and shows no secret', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  const path = await subscribe(one.bmc, `${receiver.url}/old`);
  const body = { Destination: `${receiver.url}/new`, HttpHeaders: [{ 'X-Token': 'top-secret' }] };
  const patched = await call(one.bmc, 'PATCH', path, { body });
  expect([patched.status, patched.json.HttpHeaders]).toEqual([200, null]);
  expect((await call(one.bmc, 'GET', path)).text).not.toContain('top-secret');
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.map(({ path, headers }) => [path, headers['x-token']])).toEqual([['/new', 'top-secret']]);
});

test('while the BMC boots nothing is sent, and what waited is lost', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([], { eventRetryInterval: 60_000 });
  await subscribe(one.bmc, receiver.url);
  receiver.respond = 500;
  one.bmc.events.send();
  await receiver.until(1);
  receiver.respond = 200;
  const booted = one.bmc.restart({ bootTime: 20 });
  one.bmc.events.send();
  await booted;
  const [id] = one.bmc.events.send();
  await one.bmc.events.idle();
  expect(one.bmc.events.acknowledged).toEqual([id]);
});

test('a disabled event service sends nothing, also after a restart, until it is enabled', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, receiver.url);
  const enable = (on: boolean) => call(one.bmc, 'PATCH', '/redfish/v1/EventService', { body: { ServiceEnabled: on } });
  await enable(false);
  one.bmc.events.send();
  await one.bmc.restart();
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts).toEqual([]);
  await enable(true);
  const [id] = one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.ids()).toEqual([id]);
});

test('a reset restores the initial state', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, receiver.url);
  one.bmc.events.send();
  await one.bmc.events.idle();
  one.bmc.reset();
  expect([one.bmc.events.acknowledged, one.bmc.events.counters.made]).toEqual([[], 0]);
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts).toHaveLength(1);
});
