import { describe, expect, onTestFinished, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { type FleetOptions, PROFILES, QUIRKS, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from '../drivers/nodeTask.ts';

const DESTINATION = 'https://ev.example/x';
const settings = {
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 2000,
};

/** A BMC with a node whose methods can be called. */
async function open(options: FleetOptions) {
  const fleet = await startFleet(options);
  const bmc = fleet.bmcs[0]!;
  const hardwareType = createRedfishHardwareType({ settings, log: silentLogger });
  const info = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p' };
  const call = async (name: string, args: JsonObject = {}, more: JsonObject = {}) => {
    const method = methodOf(hardwareType, name);
    return (await method.run(taskOn(nodeOf('redfish', { ...info, ...more })).task, method.parse(args))) as JsonObject;
  };
  const close = async () => {
    await hardwareType.close?.();
    await fleet.close();
  };
  return { bmc, call, close };
}

type Call = Awaited<ReturnType<typeof open>>['call'];

/** Does the same as `open`, and closes after the test. Not for concurrent tests, which Vitest cannot tell apart here. */
async function start(options: FleetOptions) {
  const opened = await open(options);
  onTestFinished(opened.close);
  return opened;
}

/** Does the same as `start`, for concurrent tests. */
async function withBmc(options: FleetOptions, work: (bmc: SimulatedBmc, call: Call) => Promise<void>): Promise<void> {
  const { bmc, call, close } = await open(options);
  try {
    await work(bmc, call);
  } finally {
    await close();
  }
}

async function kindOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof PassthruError ? error.kind : String(error);
}

/** Creates, gets, lists and deletes a subscription. */
async function subscribe(call: Call, quirk = ''): Promise<void> {
  const made = await call('create_subscription', { Destination: DESTINATION });
  const Id = String(made.Id);
  expect(made).toMatchObject({ Destination: DESTINATION });
  expect(await call('get_subscription', { id: Id })).toMatchObject({ Id, Destination: DESTINATION });
  const listed = (await call('get_all_subscriptions')).Members as { '@odata.id': string }[];
  expect(listed.filter((member) => decodeURI(member['@odata.id']).replace(/\/$/, '').endsWith(`/${Id}`))).toHaveLength(
    1,
  );
  const again = await call('create_subscription', { Destination: DESTINATION, if_exists: 'return' });
  expect(again).toMatchObject({ Id });
  await call('delete_subscription', { id: Id });
  expect(await kindOf(call('get_subscription', { id: Id }))).toBe('subscription_not_found');
  // A delete that is a task is accepted even if there is nothing to delete.
  if (quirk.startsWith('tasks')) return;
  expect(await kindOf(call('delete_subscription', { id: Id }))).toBe('subscription_not_found');
}

/** Returns the paths of the devices with their own documents that contain an image at the BMC. */
function inserted(bmc: SimulatedBmc): string[] {
  const places = ['/redfish/v1/Systems', '/redfish/v1/Managers'].flatMap((path) => membersOf(bmc, path));
  const devices = places.flatMap((path) => membersOf(bmc, `${path}/VirtualMedia`));
  return devices.filter((path) => bmc.documents.get(path)?.Inserted === true);
}

function membersOf(bmc: SimulatedBmc, path: string): string[] {
  const members = bmc.documents.get(path)?.Members;
  const links = Array.isArray(members) ? members.filter(isJsonObject) : [];
  return links.map((member) => decodeURI(new URL(String(member['@odata.id']), bmc.url).pathname).replace(/\/$/, ''));
}

/** Ejects all media, then checks that a second call finds nothing to eject. */
async function ejectAll(bmc: SimulatedBmc, call: Call): Promise<void> {
  expect(inserted(bmc)).not.toEqual([]);
  const { devices } = (await call('eject_vmedia')) as { devices: { outcome: string }[] };
  expect(devices.map(({ outcome }) => outcome)).toContain('ejected');
  const left = inserted(bmc).filter((path) => !path.endsWith('/Fixed1'));
  expect(left).toEqual([]);
}

describe.each([...PROFILES.values()])('$name ($description)', (profile) => {
  test('subscriptions are made once, found, listed and deleted', async () => {
    const { call } = await start({ profile });
    await subscribe(call);
  });

  test('all inserted virtual media are ejected', async () => {
    const { bmc, call } = await start({ profile });
    await ejectAll(bmc, call);
    expect(bmc.sessions.length).toBeLessThanOrEqual(1);
  });
});

/** Quirks that make a method fail; they have tests of their own, here or elsewhere. */
const NO_SUBSCRIPTIONS = ['events-disabled', 'no-event-service', 'tasks-fail', 'tasks-fail-status'];
const NO_EJECT = ['no-virtual-media', 'tasks-fail', 'tasks-fail-status'];
/** Quirks that require a certificate: see test/redfish/wire/tls.test.ts. */
const TLS = ['tls-1.0', 'tls-1.1', 'weak-tls'];
/** The quirks of the field's kinds: test/redfish/machines.property.test.ts has each alone, and machines composed of them. */
const FIELD =
  /^(ended-session|session-serves|log-in|sessions-disabled|basic-front|wrong-password|first-read|destination|context|http-headers-dropped|unreadable|members|count|(media|subscriptions)-(without|error|page)|(sleeping|failing|closed)-|no-manage|root|no-(subscriptions|virtual-media)-link|refuses-\w+-\w+-|refuses-(context|protocol)-|refuses-event-types-|patch-refuses|etag|create-(location-(?!only)|20[12])|delete-error|events-(disabled-|switched)|errors-(odata|text|cc|message|string|plain|problem|html-text|list|as-html)|tasks-(gone|restart)|redirects-to|silent|surplus|trickled)/;
/** The quirks of what a BMC sends by itself, which no method meets: see test/sim/events. */
const EVENTS = /^(event|test-event)-/;
const quirks = [...QUIRKS.values()].filter(
  ({ name }) => !TLS.includes(name) && !FIELD.test(name) && !EVENTS.test(name),
);

test.concurrent.each(quirks.filter(({ name }) => !NO_SUBSCRIPTIONS.includes(name)))(
  'subscriptions at a BMC where $description ($name)',
  async (quirk) => withBmc({ quirks: [quirk] }, async (_, call) => subscribe(call, quirk.name)),
  30_000,
);

test.concurrent.each(quirks.filter(({ name }) => !NO_EJECT.includes(name)))(
  'eject at a BMC where $description ($name)',
  async (quirk) => withBmc({ quirks: [quirk] }, ejectAll),
  30_000,
);

const quirk = (name: string) => QUIRKS.get(name)!;

test.each([
  ['no-event-service', 'has no EventService'],
  ['events-disabled', 'ServiceEnabled is false'],
])('a BMC with %s fails with its reason', async (name, text) => {
  const { call } = await start({ quirks: [quirk(name)] });
  const failed = call('create_subscription', { Destination: DESTINATION });
  await expect(failed).rejects.toMatchObject({ kind: 'bmc_unsupported', message: expect.stringContaining(text) });
});

test('a machine without virtual media is reported as unsupported', async () => {
  const { call } = await start({ quirks: [quirk('no-virtual-media')] });
  await expect(call('eject_vmedia')).rejects.toMatchObject({
    kind: 'bmc_unsupported',
    message: expect.stringContaining('has no virtual media, neither under the system nor under its managers'),
  });
});

test.each(['tasks-fail', 'tasks-fail-status'])('an eject whose task fails is reported as failed (%s)', async (name) => {
  const { bmc, call } = await start({ quirks: [quirk(name)] });
  const before = inserted(bmc);
  expect(await kindOf(call('eject_vmedia', { boot_device: 'cd' }))).toBe('bmc_failed');
  expect(inserted(bmc)).toEqual(before);
});

test('cd ejects a DVD device if there is no other (Cisco UCS), and usb a device that is also a CD (GB300)', async () => {
  const cisco = await start({ quirks: [quirk('dvd-only')] });
  expect(await cisco.call('eject_vmedia', { boot_device: 'cd' })).toMatchObject({ devices: [{ outcome: 'ejected' }] });
  const gb300 = await start({ quirks: [quirk('cd-and-usb-in-one'), quirk('several-managers')] });
  expect(await gb300.call('eject_vmedia', { boot_device: 'usb' })).toMatchObject({ devices: [{ outcome: 'ejected' }] });
});

test('a subscription that the BMC deleted after a restart (iLO) or a failed delivery is not found', async () => {
  const { bmc, call } = await start({
    quirks: [quirk('subscriptions-lost-at-restart'), quirk('failed-delivery-deletes')],
  });
  const first = await call('create_subscription', { Destination: DESTINATION });
  bmc.failDeliveries(String(first.Id));
  expect(await kindOf(call('get_subscription', { id: first.Id! }))).toBe('subscription_not_found');
  const second = await call('create_subscription', { Destination: DESTINATION });
  await bmc.restart();
  expect(await kindOf(call('delete_subscription', { id: second.Id! }))).toBe('subscription_not_found');
});

test('a subscription that the BMC has disabled after failed deliveries shows its status (iDRAC)', async () => {
  const { bmc, call } = await start({ quirks: [quirk('failed-delivery-disables')] });
  const { Id } = await call('create_subscription', { Destination: DESTINATION });
  expect(await call('get_subscription', { id: Id! })).not.toHaveProperty('Status');
  bmc.failDeliveries(String(Id));
  expect(await call('get_subscription', { id: Id! })).toMatchObject({ Id, Status: { State: 'Disabled' } });
});

test('defaults that the BMC refuses one at a time are omitted one after another', async () => {
  const names = ['refuses-context', 'refuses-event-types', 'refuses-protocol'];
  const { bmc, call } = await start({ quirks: names.map(quirk) });
  expect(await call('create_subscription', { Destination: DESTINATION })).toMatchObject({ Destination: DESTINATION });
  const sent = bmc.requests.filter(({ method, path }) => method === 'POST' && path.endsWith('/Subscriptions'));
  expect(sent.map(({ body }) => Object.keys(body as JsonObject).length)).toEqual([4, 3, 2, 1]);
  // The caller's own properties stay.
  const failed = call('create_subscription', { Destination: DESTINATION, Context: 'mine' });
  await expect(failed).rejects.toMatchObject({ kind: 'bmc_refused', bmc: { status: 400 } });
});

test('a BMC without a free session and with Basic turned off is reported, and used again once it has one', async () => {
  const { bmc, call } = await start({ quirks: [quirk('sessions-refused'), quirk('basic-off')] });
  const error = await call('get_all_subscriptions').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ kind: 'bmc_refused', message: expect.stringContaining('opened no session') });
  expect(String(error)).toContain('Basic authentication is turned off there');
  await call('get_all_subscriptions').catch(() => undefined);
  expect(bmc.requests.filter(({ auth }) => auth === 'basic')).toHaveLength(1);

  const again = await start({ quirks: [quirk('basic-off')], maxSessions: 1 });
  const body = JSON.stringify({ UserName: 'u', Password: 'p' });
  const headers = { 'content-type': 'application/json' };
  const sessions = `${again.bmc.url}/redfish/v1/SessionService/Sessions`;
  const others = await fetch(sessions, { method: 'POST', headers, body });
  expect(await kindOf(again.call('get_all_subscriptions'))).toBe('bmc_refused');
  again.bmc.expireSessions();
  await others.body?.cancel();
  expect(await again.call('get_all_subscriptions')).toHaveProperty('Members');
});

test.each(['etag', 'uuid'] as const)(
  'paths are discovered again after a restart with a different %s',
  async (serviceRoot) => {
    const { bmc, call } = await start({});
    await call('get_all_subscriptions');
    const before = bmc.requestCount;
    await call('get_all_subscriptions');
    expect(bmc.requestCount).toBe(before + 1);
    await bmc.restart({ serviceRoot });
    await call('get_all_subscriptions');
    await call('get_all_subscriptions');
    expect(bmc.requests.slice(before).map(({ path }) => path)).toContain('/redfish/v1/EventService');
  },
);

test('a BMC that stalls on long-lived connections works with keep-alive turned off', async () => {
  const { bmc, call } = await start({ quirks: [quirk('stalls-long-connections')] });
  for (let i = 0; i < 30; i++) await call('get_subscription', { id: '1' }, { redfish_keep_alive: false });
  expect(bmc.connections).toBeGreaterThan(30);
});

test('callers do not notice a connection that the BMC has closed meanwhile', async () => {
  const { bmc, call } = await start({ quirks: [quirk('idle-closed')] });
  for (let i = 0; i < 5; i++) {
    await call('get_subscription', { id: '1' });
    const { connections } = bmc;
    // The client may write the next request before it notices that the connection is closed.
    await new Promise((resolve) => setTimeout(resolve, 190 + 5 * i));
    await call('get_subscription', { id: '1' });
    expect(bmc.connections - connections).toBeLessThanOrEqual(1);
  }
});
