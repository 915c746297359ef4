import { afterEach, describe, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import { isJsonObject, type JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { type Fleet, type FleetOptions, PROFILES, QUIRKS, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from '../drivers/nodeTask.ts';

const DESTINATION = 'https://ev.example/x';
const settings = {
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 2000,
};
let fleet: Fleet | null = null;
let redfish: HardwareType | null = null;

afterEach(async () => {
  await redfish?.close?.();
  await fleet?.close();
  fleet = redfish = null;
});

/** A BMC, and a way to call the methods of its node. */
async function start(options: FleetOptions) {
  fleet = await startFleet(options);
  const bmc = fleet.bmcs[0]!;
  const hardwareType = createRedfishHardwareType({ settings, log: silentLogger });
  redfish = hardwareType;
  const info = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p' };
  const call = async (name: string, args: JsonObject = {}) => {
    const method = methodOf(hardwareType, name);
    return (await method.run(taskOn(nodeOf('redfish', info)).task, method.parse(args))) as JsonObject;
  };
  return { bmc, call };
}

type Call = Awaited<ReturnType<typeof start>>['call'];

async function kindOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  return error instanceof PassthruError ? error.kind : String(error);
}

/** Makes, finds, lists and deletes a subscription. */
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
  // A delete that is a task is accepted whether or not there is anything to delete.
  if (quirk.startsWith('tasks')) return;
  expect(await kindOf(call('delete_subscription', { id: Id }))).toBe('subscription_not_found');
}

/** Paths of the devices with their own documents that hold an image at the BMC. */
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

/** Ejects what is inserted, and finds nothing to do at a second time. */
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

/** Quirks with a test of their own, below or elsewhere, for they keep a method from its end. */
const NO_SUBSCRIPTIONS = ['events-disabled', 'no-event-service', 'tasks-fail', 'tasks-fail-status'];
const NO_EJECT = ['no-virtual-media', 'tasks-fail', 'tasks-fail-status'];
/** They want a certificate: test/redfish/tls.test.ts. */
const TLS = ['tls-1.0', 'tls-1.1'];
const quirks = [...QUIRKS.values()].filter(({ name }) => !TLS.includes(name));

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

/** As `start`, for tests that run beside others. */
async function withBmc(options: FleetOptions, work: (bmc: SimulatedBmc, call: Call) => Promise<void>): Promise<void> {
  const { bmc, call } = await start(options);
  const own = { fleet, redfish };
  fleet = redfish = null;
  try {
    await work(bmc, call);
  } finally {
    await own.redfish?.close?.();
    await own.fleet?.close();
  }
}
