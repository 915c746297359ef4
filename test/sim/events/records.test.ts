import { expect, test } from 'vitest';
import { call, SYSTEM } from '../client.ts';
import { bmcWith } from '../quirkedBmc.ts';
import { startReceiver } from './receiver.ts';
import { subscribe } from './subscribe.ts';

const TIME = Date.UTC(2026, 10, 30, 12, 0, 0);
const EVENT = { messageId: 'ResourceEvent.1.3.ResourceErrorsDetected', args: ['Fan 1', 'broken'], time: TIME };

/** Sends `EVENT` from a BMC with a quirk; returns the body that arrives. */
// biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
async function bodyWith(...quirks: string[]): Promise<any> {
  await using receiver = await startReceiver();
  await using one = await bmcWith(quirks);
  await subscribe(one.bmc, receiver.url, { Context: 'mine' });
  one.bmc.events.send(EVENT);
  await one.bmc.events.idle();
  expect(one.bmc.events.acknowledged).toEqual(['1']);
  return receiver.posts[0]!.json;
}

const TEXT = "The resource property Fan 1 has detected errors of type 'broken'.";

test.each([
  ['event-message-empty', { Message: '' }],
  ['event-message-missing', { Message: undefined }],
  ['event-message-null', { Message: null }],
  ['event-message-id-no-version', { MessageId: 'ResourceEvent.ResourceErrorsDetected', Message: TEXT }],
  ['event-message-id-key', { MessageId: 'ResourceErrorsDetected' }],
  ['event-message-id-long-version', { MessageId: 'ResourceEvent.1.3.0.ResourceErrorsDetected' }],
  ['event-message-id-lower', { MessageId: 'resourceevent.1.3.resourceerrorsdetected' }],
  ['event-message-id-upper', { MessageId: 'RESOURCEEVENT.1.3.RESOURCEERRORSDETECTED' }],
  ['event-args-null', { MessageArgs: null }],
  ['event-args-missing', { MessageArgs: undefined }],
  ['event-origin-text', { OriginOfCondition: SYSTEM }],
  ['event-origin-missing', { OriginOfCondition: undefined }],
  ['event-severity-old', { Severity: 'Warning', MessageSeverity: undefined }],
  ['event-severity-new', { Severity: undefined, MessageSeverity: 'Warning' }],
  ['event-timestamp-utc', { EventTimestamp: '2026-11-30T12:00:00+00:00' }],
  ['event-timestamp-local', { EventTimestamp: '2026-11-30T06:00:00-06:00' }],
  ['event-timestamp-compact', { EventTimestamp: '2026-11-30T06:00:00-0600' }],
  ['event-timestamp-fraction', { EventTimestamp: '2026-11-30T12:00:00.000000+00:00' }],
  ['event-timestamp-no-zone', { EventTimestamp: '2026-11-30T12:00:00' }],
  ['event-timestamp-missing', { EventTimestamp: undefined }],
  ['event-timestamp-unset', { EventTimestamp: '1970-01-01T00:00:42Z' }],
  ['event-type-missing', { EventType: undefined }],
  ['event-type-unknown', { EventType: 'Event' }],
  ['event-member-id-missing', { MemberId: undefined }],
  ['event-id-missing', { EventId: undefined }],
  ['event-id-uuid', { EventId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) }],
])('%s changes the record, and nothing else of it', async (quirk, changed) => {
  const [plain] = (await bodyWith()).Events;
  const [record] = (await bodyWith(quirk)).Events;
  expect(plain).toMatchObject({ Message: TEXT, EventTimestamp: '2026-11-30T12:00:00Z', MessageArgs: EVENT.args });
  const expected = Object.entries({ ...plain, ...changed }).filter(([, value]) => value !== undefined);
  expect(record).toEqual(Object.fromEntries(expected));
});

test('event-id-per-message gives events of one message the same EventId, and others another', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith(['event-id-per-message']);
  await subscribe(one.bmc, receiver.url);
  one.bmc.events.send([EVENT, EVENT, { messageId: 'TaskEvent.1.0.TaskStarted' }]);
  await one.bmc.events.idle();
  const [first, second, third] = receiver.ids();
  expect([first === second, first === third]).toEqual([true, false]);
});

test('event-ids-start-over gives the first event after a restart the id 1 again; other BMCs go on', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith(['event-ids-start-over']);
  await using other = await bmcWith([]);
  for (const { bmc } of [one, other]) {
    await subscribe(bmc, receiver.url);
    bmc.events.send();
    await bmc.restart();
    bmc.events.send();
    await bmc.events.idle();
  }
  expect([one.bmc.events.acknowledged, other.bmc.events.acknowledged]).toEqual(
    [
      ['1', '1'],
      ['1', '2'],
    ].map((ids) => ids.slice(-1)),
  );
});

test('event-body-single sends the record without Events around it', async () => {
  const body = await bodyWith('event-body-single');
  expect(body).toMatchObject({ EventId: '1', Message: TEXT, Context: 'mine' });
  expect(body).not.toHaveProperty('Events');
});

test('event-body-alerts calls the list Alerts', async () => {
  const body = await bodyWith('event-body-alerts');
  expect(body).toMatchObject({ Context: 'mine', Alerts: [{ EventId: '1', Message: TEXT }] });
  expect(body).not.toHaveProperty('Events');
});

test('event-body-bare leaves out what Redfish requires of the body', async () => {
  expect(Object.keys(await bodyWith('event-body-bare')).sort()).toEqual(['Context', 'Events']);
});

test('event-context-missing and event-context-in-record move Context', async () => {
  expect(await bodyWith('event-context-missing')).not.toHaveProperty('Context');
  const inside = await bodyWith('event-context-in-record');
  expect(inside).not.toHaveProperty('Context');
  expect(inside.Events[0].Context).toBe('mine');
});

test.each([
  ['event-body-link', { Id: '1', Events: [{ EventId: '1', Message: TEXT }] }],
  ['event-record-link', { EntryType: 'Event', Created: '2026-11-30T12:00:00Z', Message: TEXT }],
])('%s sends a link, and the BMC has the document', async (quirk, expected) => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([quirk]);
  await subscribe(one.bmc, receiver.url);
  one.bmc.events.send(EVENT);
  await one.bmc.events.idle();
  const { json } = receiver.posts[0]!;
  const link = quirk === 'event-body-link' ? json : json.Events[0];
  expect(Object.keys(link).filter((name) => name !== 'Context')).toEqual(['@odata.id']);
  const document = await call(one.bmc, 'GET', link['@odata.id']);
  expect(document.status).toBe(200);
  expect(document.json).toMatchObject(expected);
});

test('of events sent as links the newest five hundred can be read', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith(['event-body-link']);
  await subscribe(one.bmc, receiver.url);
  for (let count = 0; count < 501; count++) one.bmc.events.send();
  const path = (id: number) => `/redfish/v1/EventService/Events/${id}`;
  const statuses = await Promise.all([1, 2, 501].map(async (id) => (await call(one.bmc, 'GET', path(id))).status));
  expect(statuses).toEqual([404, 200, 200]);
});

test('a metric report reaches the subscriptions that take them, and no others', async () => {
  await using receiver = await startReceiver();
  await using one = await bmcWith([]);
  await subscribe(one.bmc, `${receiver.url}/reports`, { EventFormatType: 'MetricReport', Context: 'mine' });
  await subscribe(one.bmc, `${receiver.url}/events`);
  const id = one.bmc.events.sendReport({ values: [{ id: 'PowerConsumedWatts', value: '344' }] });
  one.bmc.events.send();
  await one.bmc.events.idle();
  expect(receiver.posts.map(({ path }) => path).sort()).toEqual(['/events', '/reports']);
  const report = receiver.posts.find(({ path }) => path === '/reports')!;
  expect(report.json).toMatchObject({
    '@odata.type': '#MetricReport.v1_5_0.MetricReport',
    ReportSequence: id,
    Context: 'mine',
    MetricValues: [{ MetricId: 'PowerConsumedWatts', MetricValue: '344' }],
  });
  expect(one.bmc.events.acknowledged).toContain(id);
});
