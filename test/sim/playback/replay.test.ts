import { describe, expect, test } from 'vitest';
import { PROFILES, QUIRKS, type Quirk, type SimulatedBmc } from '../../../src/sim/index.ts';
import { type RecordedCall, type Recording, recordAndReplay } from './replayedCall.ts';

const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';

/** The calls, each on a machine with this subscription and inserted media. */
const GET: RecordedCall = { method: 'get_subscription', args: { id: '77' } };
const GET_ALL: RecordedCall = { method: 'get_all_subscriptions', args: {} };
const CREATE: RecordedCall = {
  method: 'create_subscription',
  args: { Destination: 'https://listener.example/events', Context: 'c' },
};
const RETURN: RecordedCall = { ...CREATE, args: { ...CREATE.args, if_exists: 'return' } };
const DELETE: RecordedCall = { method: 'delete_subscription', args: { id: '77' } };
const EJECT: RecordedCall = { method: 'eject_vmedia', args: {} };
const DISCOVER: RecordedCall = { method: 'discover', args: {} };
const CALLS = [GET, GET_ALL, CREATE, DELETE, EJECT, DISCOVER];

/** Calls after which everything is known that later calls need, and media are still inserted. */
const KNOWING: RecordedCall[] = [GET_ALL, { method: 'eject_vmedia', args: { boot_device: 'floppy' } }];

/** Adds a subscription, as if another service had made it. */
function subscribe(bmc: SimulatedBmc): void {
  if (bmc.documents.get(SUBSCRIPTIONS) === undefined) return;
  bmc.documents.addMember(`${SUBSCRIPTIONS}/77`, {
    '@odata.id': `${SUBSCRIPTIONS}/77`,
    '@odata.type': '#EventDestination.v1_13_0.EventDestination',
    Id: '77',
    Name: 'Subscription 77',
    Destination: 'https://other.example/events',
    Context: 'before',
    Protocol: 'Redfish',
    EventTypes: ['Alert'],
  });
}

async function expectSameEnd(recording: Recording): Promise<void> {
  const { recorded, replayed } = await recordAndReplay({ prepare: subscribe, ...recording });
  // What a service has just learnt may tell it the end at once; then there is nothing to replay.
  if (replayed === null) expect(recorded.kind).toBeDefined();
  else expect(replayed).toEqual(recorded);
}

describe.each([...PROFILES])('a replayed call ends as the recorded one did: %s', (_, profile) => {
  test.each(CALLS)('$method, at the first contact', (call) => expectSameEnd({ call, fleet: { profile } }));
  test.each(CALLS)('$method, on a machine that is known', (call) =>
    expectSameEnd({ call, fleet: { profile }, before: KNOWING }),
  );
});

/** Machines on which a call waits, fails or takes another way. REPLAY_ALL=1 tries every quirk with every call, which takes long. */
const HARDSHIPS: [quirk: string, calls: RecordedCall[]][] = [
  ['busy-ilo-400', [CREATE]],
  ['tasks', [CREATE]],
  ['tasks-fail', [CREATE]],
  ['tasks-gone-dell-job', [DELETE]],
  ['first-read-503', [GET]],
  ['first-read-reset', [GET]],
  ['first-read-half-body', [GET, EJECT]],
  ['first-read-not-ready-503', [GET]],
  ['create-204', [CREATE]],
  ['create-body-only', [CREATE]],
  ['create-full-url', [CREATE]],
  ['create-location-collection', [CREATE]],
  ['refuses-context-conflict', [CREATE]],
  ['refuses-event-types', [CREATE]],
  ['destination-slash', [CREATE, RETURN]],
  ['unreadable-subscription-403', [GET_ALL, RETURN]],
  ['unreadable-device-403', [EJECT]],
  ['media-error-200', [EJECT]],
  ['members-partial', [EJECT]],
  ['closed-manager', [EJECT, DISCOVER]],
  ['several-managers', [EJECT]],
  ['media-under-both', [EJECT]],
  ['inline-media', [EJECT]],
  ['no-virtual-media', [EJECT, DISCOVER]],
  ['no-virtual-media-link', [EJECT]],
  ['dead-slot', [EJECT]],
  ['if-match-wanted', [EJECT]],
  ['unquoted-if-match', [EJECT]],
  ['no-event-service', [GET, DISCOVER]],
  ['events-disabled', [CREATE, GET]],
  ['pages', [GET_ALL, EJECT]],
  ['links-with-slash', [GET, EJECT]],
  ['links-full-url', [CREATE, EJECT]],
  ['links-percent-encoded', [GET, EJECT]],
  ['redirect-from-slash', [GET]],
  ['root-for-strangers', [GET, EJECT]],
  ['root-without-services', [GET, EJECT]],
  ['root-closed', [GET]],
  ['no-session-service', [GET]],
  ['no-session-service-401', [GET]],
  ['sessions-refused', [GET, CREATE]],
  ['sessions-link-only', [GET]],
  ['log-in-403', [GET]],
  ['wrong-password-400', [GET]],
  ['basic-front-end', [GET]],
  ['ended-session-403', [GET]],
  ['ended-session-401-half-body', [DELETE]],
  ['errors-html', [DELETE]],
  ['errors-odata', [DELETE]],
  ['errors-empty', [DELETE]],
];

const everything = process.env.REPLAY_ALL === '1';
const machines: [string, RecordedCall[]][] = everything
  ? [...QUIRKS.values()].filter(({ tls }) => !tls).map(({ name }) => [name, [...CALLS, RETURN]])
  : HARDSHIPS;

describe.each(machines)(
  'a replayed call ends as the recorded one did, on a machine with the quirk %s',
  (name, calls) => {
    const fleet = { quirks: [QUIRKS.get(name)!] };
    // What is refused, must be refused: it is called on what does not exist.
    const chosen = calls.map((call) => (name.startsWith('errors-') ? { ...call, args: { id: '99' } } : call));
    test.each(chosen)('$method, at the first contact', (call) => expectSameEnd({ call, fleet }));
    test.each(chosen)('$method, on a machine that is known', (call) => expectSameEnd({ call, fleet, before: KNOWING }));
  },
);

const login = { method: 'POST', path: '/redfish/v1/SessionService/Sessions' };
const root = { method: 'GET', path: '/redfish/v1' };

/** What happens to a machine right before the recorded call. */
const MOMENTS: [string, (bmc: SimulatedBmc) => void | Promise<void>][] = [
  ['its session has ended', (bmc) => void bmc.expireSessions()],
  [
    'its session has ended, and no other is left',
    (bmc) => {
      bmc.expireSessions();
      bmc.faults.add({ kind: 'status', status: 503, match: login });
    },
  ],
  [
    'its session has ended, and the log-in is refused',
    (bmc) => {
      bmc.expireSessions();
      bmc.faults.add({ kind: 'status', status: 401, match: login });
    },
  ],
  [
    'its session has ended, and the service root fails',
    (bmc) => {
      bmc.expireSessions();
      bmc.faults.add({ kind: 'status', status: 404, match: root });
    },
  ],
  ['a change is lost after it was made', (bmc) => void bmc.faults.add({ ...lost('reset'), match: { method: 'POST' } })],
  ['a deletion is lost', (bmc) => void bmc.faults.add({ ...lost('reset'), match: { method: 'DELETE' } })],
  ['a change gets no response', (bmc) => void bmc.faults.add({ ...lost('hang'), match: { method: 'POST' } })],
  ['the first read is lost', (bmc) => void bmc.faults.add({ ...lost('reset'), match: { method: 'GET' } })],
  ['every read is reset', (bmc) => void bmc.faults.add({ kind: 'reset', match: { method: 'GET' } })],
  ['every read hangs', (bmc) => void bmc.faults.add({ kind: 'hang', match: { method: 'GET' } })],
  ['every response is HTML', (bmc) => void bmc.faults.add({ kind: 'garbage', form: 'html' })],
  ['every response is broken', (bmc) => void bmc.faults.add({ kind: 'garbage', form: 'broken-json' })],
  ['every change is refused', (bmc) => void bmc.faults.add({ kind: 'status', status: 403, match: { method: 'POST' } })],
  ['it restarts with other firmware', (bmc) => bmc.restart({ serviceRoot: 'etag' })],
  ['it is gone', (bmc) => bmc.close()],
];

function lost(kind: 'reset' | 'hang') {
  return { kind, afterRead: true, times: 1 } as const;
}

describe.each(MOMENTS)('a replayed call ends as the recorded one did when %s', (_, then) => {
  test.each([GET, CREATE])('$method, at the first contact', (call) => expectSameEnd({ call, then }));
  test.each([GET, CREATE, DELETE, EJECT])('$method, on a machine that is known', (call) =>
    expectSameEnd({ call, before: KNOWING, then }),
  );
});

const ACCOUNTS: [string, Omit<Recording, 'call'>][] = [
  ['without credentials', { fleet: { auth: 'none' }, driverInfo: { redfish_username: null } }],
  ['with a wrong password', { fleet: { accounts: { u: 'other' } } }],
  ['with Basic', { driverInfo: { redfish_auth_type: 'basic' } }],
  [
    'with Basic and a wrong password',
    { fleet: { accounts: { u: 'other' } }, driverInfo: { redfish_auth_type: 'basic' } },
  ],
  ['with a system of its own', { driverInfo: { redfish_system_id: '/redfish/v1/Systems/437XR1138R2' } }],
];

describe.each(ACCOUNTS)('a replayed call ends as the recorded one did %s', (_, recording) => {
  test.each([GET, EJECT])('$method, at the first contact', (call) => expectSameEnd({ ...recording, call }));
  test.each([GET, EJECT])('$method, on a machine that is known', (call) =>
    expectSameEnd({ ...recording, call, before: KNOWING }),
  );
});

/** Every response of the event service breaks off in this way. */
function breaking(delivery: 'half-body' | 'no-body' | 'reset-after-head'): Quirk {
  return {
    name: delivery,
    description: 'responses of the event service break off',
    changeResponse: (response, { path }) => (path.includes('EventService') ? { ...response, delivery } : response),
  };
}

describe.each(['half-body', 'no-body', 'reset-after-head'] as const)(
  'a replayed call ends as the recorded one did: %s',
  (delivery) => {
    const fleet = { quirks: [breaking(delivery)] };
    test.each([GET, CREATE, DELETE])('$method, whose responses break off', (call) => expectSameEnd({ call, fleet }));
  },
);

test('a response that is too large, or cannot be decompressed, is so in the replay', async () => {
  const odd = (headers: Record<string, string>, body: string): Quirk => ({
    name: 'odd',
    description: 'the event service returns this',
    changeResponse: (response, { path }) => (path.endsWith('EventService') ? { status: 200, headers, body } : response),
  });
  await expectSameEnd({ call: GET, fleet: { quirks: [odd({ 'Content-Encoding': 'gzip' }, 'no gzip')] } });
  await expectSameEnd({ call: GET, fleet: { quirks: [odd({}, 'x'.repeat(8 * 1024 * 1024 + 1))] } });
});
