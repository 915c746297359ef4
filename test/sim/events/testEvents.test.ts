import { expect, test } from 'vitest';
import { PROFILES } from '../../../src/sim/index.ts';
import { call, messages } from '../client.ts';
import { bmcWith } from '../quirkedBmc.ts';
import type { Received } from './receiver.ts';
import { startReceiver } from './receiver.ts';
import { subscribe } from './subscribe.ts';

const TARGET = '/redfish/v1/EventService/Actions/EventService.SubmitTestEvent';
const TEST_MESSAGE = 'ResourceEvent.1.3.TestMessage';

/** Submits a test event to a BMC with quirks; returns the status, the messages of an error, and what arrived. */
async function submit(body: unknown, quirks: string[] = [], profile = 'plain', subscription: object = {}) {
  await using receiver = await startReceiver();
  await using one = await bmcWith(quirks, {}, profile);
  await subscribe(one.bmc, receiver.url, subscription);
  const reply = await call(one.bmc, 'POST', TARGET, { body });
  await one.bmc.events.idle();
  return { status: reply.status, errors: messages(reply), records: receiver.posts.flatMap(eventsOf) };
}

function eventsOf({ json }: Received): Record<string, unknown>[] {
  return json.Events;
}

test('a test event reaches the subscriptions with what it was given', async () => {
  const { status, records } = await submit({
    EventId: 'mine',
    EventType: 'Alert',
    EventTimestamp: '2026-11-30T12:00:00Z',
    Message: 'Just a test.',
    MessageArgs: ['a'],
    MessageId: TEST_MESSAGE,
    MessageSeverity: 'Critical',
    OriginOfCondition: '/redfish/v1/Chassis/1U',
  });
  expect(status).toBe(204);
  expect(records).toEqual([
    {
      MemberId: '0',
      EventId: 'mine',
      EventType: 'Alert',
      EventTimestamp: '2026-11-30T12:00:00Z',
      Message: 'Just a test.',
      MessageArgs: ['a'],
      MessageId: TEST_MESSAGE,
      Severity: 'Critical',
      MessageSeverity: 'Critical',
      OriginOfCondition: { '@odata.id': '/redfish/v1/Chassis/1U' },
    },
  ]);
});

test.each([undefined, {}])('a test event with the body %j has defaults', async (body) => {
  const { status, records } = await submit(body);
  expect([status, records]).toEqual([
    204,
    [expect.objectContaining({ MessageId: TEST_MESSAGE, Message: 'A test message.' })],
  ]);
});

test.each([
  [{ Colour: 'red' }, 'ActionParameterUnknown'],
  [{ MessageId: 5 }, 'ActionParameterValueTypeError'],
  [{ MessageArgs: [1] }, 'ActionParameterValueTypeError'],
  [{ EventType: 'Party' }, 'ActionParameterValueTypeError'],
  [{ EventTimestamp: 'noon' }, 'ActionParameterValueTypeError'],
])('a test event with %j gets 400 %s, and nothing is sent', async (body, error) => {
  expect(await submit(body)).toEqual({ status: 400, errors: [error], records: [] });
});

test('a test event goes through filters, unless test-event-unfiltered', async () => {
  const filter = { RegistryPrefixes: ['TaskEvent'] };
  expect((await submit({}, [], 'plain', filter)).records).toEqual([]);
  expect((await submit({}, ['test-event-unfiltered'], 'plain', filter)).records).toHaveLength(1);
});

const ORIGIN = '/redfish/v1/Systems/1';

test.each([
  ['test-event-ilo', { EventType: 'Alert', Severity: 'OK', OriginOfCondition: ORIGIN }, null],
  ['test-event-ilo', { EventType: 'Alert', OriginOfCondition: ORIGIN }, 'ActionParameterMissing'],
  ['test-event-ilo', { EventType: 'Alert', Severity: 'OK' }, 'ActionParameterMissing'],
  [
    'test-event-ilo',
    { EventType: 'Alert', Severity: 'OK', OriginOfCondition: { '@odata.id': ORIGIN } },
    'ActionParameterValueTypeError',
  ],
  ['test-event-idrac', { MessageId: TEST_MESSAGE }, null],
  ['test-event-idrac', { MessageId: TEST_MESSAGE, Destination: 'https://x.example', Context: 'x' }, null],
  ['test-event-idrac', { MessageId: TEST_MESSAGE, Severity: 'OK' }, 'ActionParameterUnknown'],
  ['test-event-idrac', {}, 'ActionParameterMissing'],
  ['test-event-xcc', { MessageId: TEST_MESSAGE, Message: 'x', OriginOfCondition: ORIGIN }, null],
  ['test-event-xcc', { MessageId: TEST_MESSAGE, Severity: 'OK' }, 'ActionParameterUnknown'],
  ['test-event-xcc', { MessageId: TEST_MESSAGE, EventType: 'Alert' }, 'ActionParameterUnknown'],
  ['test-event-needs-type', { EventType: 'Alert' }, null],
  ['test-event-needs-type', { MessageId: TEST_MESSAGE }, 'ActionParameterMissing'],
  ['test-event-ids-base', { MessageId: 'Base.1.1.GeneralError' }, null],
  ['test-event-ids-base', { MessageId: TEST_MESSAGE }, 'ActionParameterValueNotInList'],
  ['test-event-ids-standard', { MessageId: 'resourceevent.1.0.TESTMESSAGE' }, null],
  ['test-event-ids-standard', { MessageId: 'Contoso.1.0.FanFailed' }, 'ActionParameterValueNotInList'],
  ['test-event-ids-vendor', { MessageId: 'Contoso.1.0.FanFailed' }, null],
  ['test-event-ids-vendor', { MessageId: TEST_MESSAGE }, 'ActionParameterValueNotInList'],
  ['test-event-ids-known', { MessageId: TEST_MESSAGE }, null],
  ['test-event-ids-known', { MessageId: 'ResourceEvent.1.0.TestMessage' }, 'ActionParameterValueNotInList'],
])('%s: %j gets %s', async (quirk, body, error) => {
  const { status, errors, records } = await submit(body, [quirk]);
  expect([status, errors, records.length]).toEqual(error === null ? [204, [], 1] : [400, [error], 0]);
});

test.each([
  ['test-event-message-id-lower', 'resourceevent.1.3.testmessage'],
  ['test-event-message-id-upper', 'RESOURCEEVENT.1.3.TESTMESSAGE'],
])('%s: the id comes back as %s', async (quirk, id) => {
  const { records } = await submit({ MessageId: TEST_MESSAGE }, [quirk]);
  expect(records).toEqual([expect.objectContaining({ MessageId: id, Message: 'A test message.' })]);
});

test('test-event-fixed: every test event is the same, whatever was asked', async () => {
  const { status, records } = await submit({ MessageId: TEST_MESSAGE, Colour: 'red' }, ['test-event-fixed']);
  expect([status, records]).toEqual([
    204,
    [expect.objectContaining({ EventId: 'TestID', MessageId: 'OpenBMC.0.2.TestEventLog' })],
  ]);
});

test.each([
  ['test-event-missing', 404],
  ['test-event-lost', 204],
  ['test-event-500', 500],
])('%s: SubmitTestEvent gets %i, and nothing is sent', async (quirk, status) => {
  expect(await submit({}, [quirk])).toMatchObject({ status, records: [] });
});

/** What each profile takes, by the parameters that its machine is documented with. */
const TAKEN: Record<string, object> = {
  plain: {},
  ilo5: { EventType: 'Alert', Severity: 'OK', OriginOfCondition: ORIGIN, MessageId: 'iLOEvents.2.3.ServerPoweredOn' },
  idrac9: { MessageId: 'TMP0120' },
  xcc: { EventId: '1', Message: 'x', MessageId: 'EventRegistry.1.0.FQXSPEM4043I', OriginOfCondition: ORIGIN },
  supermicro: { EventType: 'Alert' },
  openbmc: {},
};

test.each([...PROFILES.keys()])('%s: a test event that it takes arrives', async (profile) => {
  const { status, records } = await submit(TAKEN[profile], [], profile);
  // iLO sends a success message.
  expect([status, records.length]).toEqual([profile === 'ilo5' ? 200 : 204, 1]);
});
