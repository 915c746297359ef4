import type { Call, Machine } from './machine.ts';

const CALL: Call = {
  method: 'get_all_subscriptions',
  node: 0,
  destination: 'https://ev.example/a',
  context: null,
  eventTypes: false,
  secretHeader: false,
  ifExists: null,
  bootDevice: null,
  which: 0,
  image: 'http://images.example/boot.iso',
  replace: false,
  account: false,
};

/** Returns a machine of the plain profile whose system has two devices, the first with an image. */
export function machineWith(quirks: string[], calls: Partial<Call>[], more: Partial<Machine> = {}): Machine {
  return {
    profile: 'plain',
    place: 'system',
    devices: [
      { id: 'Slot1', types: ['CD', 'DVD'], inserted: true },
      { id: 'Slot2', types: ['USBStick'], inserted: false },
    ],
    quirks,
    authType: 'auto',
    wrongPassword: false,
    systemId: true,
    hiccups: [],
    steps: calls.map((call) => ({ calls: [{ ...CALL, ...call }] })),
    ...more,
  };
}

const CREATE: Partial<Call> = { method: 'create_subscription' };
const ONCE: Partial<Call> = { ...CREATE, ifExists: 'return' };
const EJECT: Partial<Call> = { method: 'eject_vmedia' };
const INSERT: Partial<Call> = { method: 'insert_vmedia', bootDevice: 'cd' };
const DISCOVER: Partial<Call> = { method: 'discover' };

/** Each method, with a subscription that is made once, found by other spellings, and deleted. */
export const EVERY_METHOD: Partial<Call>[] = [
  DISCOVER,
  ONCE,
  { ...ONCE, destination: 'https://EV.example:443/a' },
  {},
  { method: 'get_subscription', which: 4 },
  { method: 'get_subscription', which: 'missing' },
  EJECT,
  INSERT,
  { method: 'get_vmedia' },
  { ...INSERT, image: 'http://images.example/other.iso', replace: true, account: true },
  { method: 'delete_subscription', which: 4 },
  { method: 'delete_subscription', which: 'missing' },
  { ...CREATE, context: 'mine', secretHeader: true },
  { ...EJECT, bootDevice: 'usb' },
];

/** The machines on which a fault of the driver was found, made as small as possible, by what was wrong. */
export const EXAMPLES: Record<string, Machine> = {
  'a read that gets 500 once failed the call': machineWith(['first-read-500-html'], [{}]),
  'a read that gets 429 once failed the call': machineWith(['first-read-429'], [DISCOVER]),
  'a read of a BMC in POST failed the call': machineWith(['first-read-in-post-400'], [{ method: 'get_subscription' }]),
  'a wrong password under 403 was sent twice': machineWith(['wrong-password-403'], [{}], { wrongPassword: true }),
  'subscriptions without a link were not found': machineWith(['no-subscriptions-link'], [CREATE]),
  'an event service without a link was not found': machineWith(['root-without-services'], [{}]),
  'links that are empty failed the call': machineWith(['root-empty-links'], [{}, EJECT]),
  'subscriptions of an event service that is off were not listed': machineWith(
    ['events-disabled-400'],
    [{}, { method: 'delete_subscription' }],
  ),
  'a collection without Members counted as empty': machineWith(['subscriptions-without-members'], [{}]),
  'a default that PropertyValueTypeError refuses was kept': machineWith(
    ['refuses Context PropertyValueTypeError related-bare 409'],
    [CREATE],
  ),
  'a default that only the text names was kept': machineWith(['refuses EventTypes PropertyUnknown text 400'], [CREATE]),
  'a default that only an annotation names was kept': machineWith(['refuses-event-types-annotation'], [CREATE]),
  'a message in a bare list was not read': machineWith(
    ['refuses Protocol PropertyValueConflict second-arg 422', 'errors-list'],
    [CREATE],
  ),
  'a default of a PATCH was kept': machineWith(['no-media-actions', 'patch-refuses-inserted-annotation'], [EJECT]),
  'a device that cannot be read hid the others': machineWith(['unreadable-device-403'], [EJECT]),
  'a manager that sleeps failed the eject': machineWith(['sleeping-manager'], [EJECT, DISCOVER]),
  'managers that are closed failed the eject': machineWith(['closed-managers'], [EJECT, DISCOVER]),
  'members that have only Id and Name were taken for whole devices': machineWith(['members-partial'], [EJECT]),
  'a destination with its default port was made twice': machineWith(
    [],
    [ONCE, { ...ONCE, destination: 'https://EV.example:443/a' }],
  ),
  'a destination with other percent codes was made twice': machineWith(
    [],
    [
      { ...ONCE, destination: 'https://ev.example/a%2fb' },
      { ...ONCE, destination: 'https://ev.example/a%2Fb' },
    ],
  ),
  'the only media, in a collection without Members, were told as none': machineWith(
    ['media-without-members'],
    [EJECT],
    { profile: 'idrac9', place: 'manager' },
  ),
  'a subscription that may be one that cannot be read was made again': machineWith(
    ['closed-subscriptions-403'],
    [ONCE, ONCE],
  ),
  'an event service that cannot be read hid its subscriptions': machineWith(['closed-event-service'], [{}, CREATE]),
  'a wrong password was sent once more by the log-out, after a log-in whose response was lost': machineWith([], [{}], {
    wrongPassword: true,
    hiccups: [{ at: 1, kind: 'reset after' }],
  }),
  'the only new subscription was not recognised, whose context is changed and whose job is done': machineWith(
    ['tasks-gone-dell-job', 'context-changed'],
    [CREATE],
  ),
  'an event service that is closed, at the usual path, hid its subscriptions from a root without links': machineWith(
    ['closed-event-service', 'root-without-services'],
    [{}, CREATE],
  ),
  'a poll that got 429 ended the task': machineWith(['tasks', 'first-read-429'], [CREATE]),
  'a read that broke under an ended session was not repeated after the new login': machineWith(
    ['ended-session-reset', 'first-read-500-html'],
    [],
    {
      steps: [{ calls: [{ ...CALL }] }, { bmc: 'restart' }, { calls: [{ ...CALL, method: 'get_subscription' }] }],
    },
  ),
  'a DELETE was told as done that was refused, because its task was recorded as completed': machineWith(
    ['tasks', 'delete-error-200'],
    [{ method: 'delete_subscription' }],
  ),
  'a DELETE that was refused by an error under 200 was told as done': machineWith(
    ['delete-error-200'],
    [{ method: 'delete_subscription' }],
  ),
};
