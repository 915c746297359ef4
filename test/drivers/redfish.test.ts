import { afterEach, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import type { JsonObject } from '../../src/core/json.ts';
import type { Logger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { type Fleet, QUIRKS, type SimulatedBmc, startFleet } from '../../src/sim/index.ts';
import { withTasks } from '../../src/sim/quirks/tasks.ts';
import transcripts from '../recordings/transcripts.json' with { type: 'json' };
import { selfSigned } from '../sim/selfSigned.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const UUID = '22222222-2222-4222-8222-222222222222';
const SYSTEM = '/redfish/v1/Systems/437XR1138R2';
const settings = {
  caFolder: '/ca/folder',
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 5000,
};
const logged: string[] = [];
const log: Logger = {
  debug: (fields, message) => logged.push(JSON.stringify([fields, message])),
  info: (fields, message) => logged.push(JSON.stringify([fields, message])),
  warn: (fields, message) => logged.push(JSON.stringify([fields, message])),
  error: (fields, message) => logged.push(JSON.stringify([fields, message])),
};
const redfish: HardwareType = createRedfishHardwareType({ settings, log });
let fleet: Fleet | null = null;

afterEach(async () => {
  await redfish.close?.();
  await fleet?.close();
  fleet = null;
  logged.length = 0;
});

async function startBmc(options: Parameters<typeof startFleet>[0] = {}): Promise<SimulatedBmc> {
  fleet = await startFleet(options);
  return fleet.bmcs[0]!;
}

const account = (bmc: SimulatedBmc): JsonObject => ({
  redfish_address: bmc.url,
  redfish_username: 'u',
  redfish_password: 'p',
});

async function failure(promise: Promise<unknown>): Promise<PassthruError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PassthruError);
  return error as PassthruError;
}

function recorded(name: string): JsonObject {
  const exchange = transcripts.find((one) => one.name === name);
  return exchange!.response.json as unknown as JsonObject;
}

test('the methods have the recorded names, verbs, flags and descriptions; two more do what Ironic has routes for', () => {
  const methods = redfish.vendorInterfaces[0].methods.map((method) => [
    method.name,
    {
      http_methods: [...method.httpMethods],
      async: method.async,
      description: method.description,
      attach: method.attach,
      require_exclusive_lock: method.requireExclusiveLock,
    },
  ]);
  const { insert_vmedia: insert, get_vmedia: get, ...others } = Object.fromEntries(methods);
  expect(others).toEqual(recorded('node methods by name'));
  expect(insert).toMatchObject({ http_methods: ['POST'], async: true, require_exclusive_lock: true });
  expect(get).toMatchObject({ http_methods: ['GET'], async: false, require_exclusive_lock: false });
});

test('a node without vendor interface has no methods', () => {
  expect(redfish.vendorInterfaces[1]).toMatchObject({ name: 'no-vendor', methods: [] });
});

test('all recorded properties exist, and those of this service have descriptions', () => {
  expect(Object.keys(redfish.properties)).toEqual(expect.arrayContaining(Object.keys(recorded('driver properties'))));
  expect(redfish.properties.redfish_tls_minimum_version).toContain('1.0');
});

const validate = (driverInfo: JsonObject) => () =>
  redfish.vendorInterfaces[0].validate?.(nodeOf('redfish', driverInfo));
const PEM = selfSigned().cert;

test('a missing address is reported in Ironic’s words', () => {
  expect(validate({})).toThrow(
    `Missing the following Redfish properties in node ${UUID} driver_info: ['redfish_address']`,
  );
});

test.each([
  ['redfish_address', 'ftp://bmc'],
  ['redfish_address', 'https://u:secret@bmc'],
  ['redfish_address', 'not a url'],
  ['redfish_address', 5],
  ['redfish_username', true],
  ['redfish_password', ['secret']],
  ['redfish_verify_ca', '/no/such/ca.pem'],
  ['redfish_verify_ca', '/ca/folder/../secret.pem'],
  ['redfish_verify_ca', '../secret.pem'],
  ['redfish_verify_ca', '/ca/folderless/secret.pem'],
  ['redfish_verify_ca', 'a\0secret'],
  ['redfish_verify_ca', '-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----'],
  ['redfish_tls_ciphers', 'A:'.repeat(5000)],
  ['redfish_auth_type', 'digest'],
  ['redfish_tls_minimum_version', '0.9'],
  ['redfish_tls_ciphers', 'NO-SUCH-CIPHER'],
  ['redfish_system_id', 'Systems/1'],
  ['redfish_system_id', '/redfish/v1/../x'],
  ['redfish_connection_attempts', 0],
  ['redfish_request_timeout', 'soon'],
  ['redfish_keep_alive', 'perhaps'],
] satisfies [string, JsonObject[string]][])(
  'an invalid %s (%j) is reported with its key and without secrets',
  (key, value) => {
    let error: unknown;
    try {
      validate({ redfish_address: 'https://bmc', [key]: value })();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({
      kind: 'invalid_argument',
      violations: [{ field: `driver_info.${key}`, description: expect.any(String) }],
      message: expect.stringContaining(key),
    });
    expect(String(error)).not.toContain('secret');
  },
);

test('CA files in the allowed folder are read when the node is validated, and an absent one is told as invalid', async () => {
  await expect(
    validate({ redfish_address: 'https://bmc', redfish_verify_ca: '/ca/folder/a.pem' })(),
  ).rejects.toMatchObject({
    kind: 'invalid_argument',
    violations: [{ field: 'driver_info.redfish_verify_ca' }],
    message: expect.stringContaining('redfish.ca_folder'),
  });
});

test.each([true, false, 'yes', PEM])('redfish_verify_ca may be %j, for which no file is read', (value) => {
  expect(validate({ redfish_address: 'https://bmc', redfish_verify_ca: value })()).toBeUndefined();
});

test.each(['/etc/ssl/certs', '/etc/shadow', '/nonexistent', 'ca.pem', '.', '/ca/folder/a.pem'])(
  'discover takes no path: %s is refused the same, whether it is there or not',
  async (path) => {
    const method = methodOf(redfish, 'discover');
    const { task } = taskOn(nodeOf('redfish', {}));
    const error = await failure(method.run(task, method.parse({ address: 'https://192.0.2.1', verify_ca: path })));
    expect(error).toMatchObject({
      kind: 'invalid_argument',
      message:
        'Invalid arguments of discover: verify_ca must be true, false, or CA certificates in PEM; a path is not possible here',
      violations: [{ field: 'arguments.verify_ca' }],
    });
  },
);

test('all invalid keys are reported at once', () => {
  expect(validate({ redfish_address: 'https://bmc', redfish_auth_type: 'x', redfish_keep_alive: 'x' })).toThrow(
    /redfish_auth_type.*redfish_keep_alive/,
  );
});

test.each([
  { redfish_address: 'bmc.example' },
  { redfish_address: '[::1]:8443/redfish/v1', redfish_verify_ca: 'False', redfish_auth_type: 'Basic' },
  { redfish_address: 'https://bmc', redfish_tls_minimum_version: 1.1, redfish_password: 1234, redfish_username: null },
  {
    redfish_address: 'http://bmc',
    redfish_connection_attempts: '3',
    redfish_request_timeout: '2.5',
    deploy_kernel: 'x',
  },
] as JsonObject[])('driver_info %j is valid', (driverInfo) => {
  expect(validate(driverInfo)).not.toThrow();
});

test.each(['tape', ' ', 'CD', 5, 'toString'])('the boot device %j is refused at the call', (device) => {
  expect(() => methodOf(redfish, 'eject_vmedia').parse({ boot_device: device })).toThrow(
    new RegExp(`^Boot device ${device} is not a valid value, allowed values cd, dvd, usb, floppy$`),
  );
});

test.each<JsonObject>([{ boot_device: '' }, {}])('all devices are ejected with the arguments %j', async (args) => {
  const bmc = await startBmc();
  const method = methodOf(redfish, 'eject_vmedia');
  const result = (await method.run(taskOn(nodeOf('redfish', account(bmc))).task, method.parse(args))) as {
    devices: { outcome: string }[];
  };
  expect(result.devices.map(({ outcome }) => outcome)).toEqual(['ejected', 'ejected']);
});

test('eject_vmedia returns the outcome of each device, and reports progress', async () => {
  const bmc = await startBmc();
  const method = methodOf(redfish, 'eject_vmedia');
  const { task, progress } = taskOn(nodeOf('redfish', { ...account(bmc), redfish_system_id: SYSTEM }));
  expect(await method.run(task, method.parse({}))).toEqual({
    devices: [
      {
        id: 'Floppy1',
        path: `${SYSTEM}/VirtualMedia/Floppy1`,
        media_types: ['Floppy', 'USBStick'],
        outcome: 'ejected',
      },
      { id: 'CD1', path: `${SYSTEM}/VirtualMedia/CD1`, media_types: ['CD', 'DVD'], outcome: 'ejected' },
    ],
  });
  expect(progress.map(({ message }) => message)).toEqual(
    expect.arrayContaining(['Ejecting Floppy1', 'Ejecting CD1', 'Done']),
  );
});

test('eject_vmedia reports the progress of the BMC’s task as a fraction of all devices', async () => {
  const habits = { polls: 3, retryAfter: 0 };
  const bmc = await startBmc({ quirks: [withTasks('quick-tasks', 'every change is a task of four steps', habits)] });
  const method = methodOf(redfish, 'eject_vmedia');
  const { task, progress } = taskOn(nodeOf('redfish', { ...account(bmc), redfish_auth_type: 'basic' }));
  await method.run(task, method.parse({}));
  const reported = (id: string) =>
    progress.filter(({ message }) => message.startsWith(`Ejecting ${id}`)).map(({ fraction }) => fraction);
  expect(reported('Floppy1')).toEqual([0, 0, 0.125, 0.25, 0.375]);
  expect(reported('CD1')).toEqual([0.5, 0.5, 0.625, 0.75, 0.875]);
  expect(progress.at(-1)).toEqual({ fraction: 1, message: 'Done' });
});

test.each([
  ['cd', ['CD1']],
  ['dvd', ['CD1']],
  ['usb', ['Floppy1']],
  ['floppy', ['Floppy1']],
])('boot device %s ejects %j of the only system, without its id', async (device, ids) => {
  const bmc = await startBmc();
  const method = methodOf(redfish, 'eject_vmedia');
  const result = await method.run(taskOn(nodeOf('redfish', account(bmc))).task, method.parse({ boot_device: device }));
  expect((result as { devices: { id: string }[] }).devices.map(({ id }) => id)).toEqual(ids);
});

test.each([
  ['cancelled', 'Job 7 was cancelled by someone', 'Job 7 was cancelled by someone: CD1: '],
  ['shutting_down', 'The service was shut down.', 'The service was shut down: CD1: '],
] as const)(
  'a %s eject_vmedia is reported as such, with its reason, how far it got and the state of the device',
  async (kind, reason, start) => {
    const bmc = await startBmc();
    const method = methodOf(redfish, 'eject_vmedia');
    const info = { ...account(bmc), redfish_system_id: SYSTEM, redfish_request_timeout: 0.5 };
    const { task, abort } = taskOn(nodeOf('redfish', info));
    const eject = { method: 'POST', path: '*EjectMedia' };
    bmc.faults.add({ kind: 'hang', times: 1, match: eject });
    const running = failure(method.run(task, method.parse({ boot_device: 'cd' })));
    await bmc.nextRequest(eject);
    abort.abort(new PassthruError(kind, reason));
    const error = await running;
    expect(error.kind).toBe(kind);
    expect(error.message).toBe(
      `${start}its eject was sent and got no response, so its outcome is unknown; it still contains an image`,
    );
  },
);

test('a BMC without virtual media is reported as unsupported', async () => {
  const bmc = await startBmc();
  const { VirtualMedia: _, ...system } = bmc.documents.get(SYSTEM)!;
  bmc.documents.set(SYSTEM, system);
  bmc.documents.removeMember(`${SYSTEM}/VirtualMedia`);
  const method = methodOf(redfish, 'eject_vmedia');
  const error = await failure(method.run(taskOn(nodeOf('redfish', account(bmc))).task, {}));
  expect(error.kind).toBe('bmc_unsupported');
  expect(error.message).toContain('no virtual media');
});

test('a BMC with several systems requires redfish_system_id', async () => {
  const bmc = await startBmc();
  bmc.documents.addMember('/redfish/v1/Systems/2', { '@odata.id': '/redfish/v1/Systems/2', Id: '2' });
  const method = methodOf(redfish, 'eject_vmedia');
  const error = await failure(method.run(taskOn(nodeOf('redfish', account(bmc))).task, {}));
  expect(error.message).toContain('redfish_system_id');
});

test('discover describes the systems behind a BMC, and leaves no session', async () => {
  const bmc = await startBmc();
  const method = methodOf(redfish, 'discover');
  const args = method.parse({ address: bmc.url, username: 'u', password: 'p' });
  expect(await method.run(taskOn(nodeOf('redfish')).task, args)).toEqual({
    systems: [
      {
        system_id: SYSTEM,
        vendor: 'Contoso',
        model: '3500',
        serial_number: '437XR1138R2',
        firmware: '1.45.455b66-rev4',
        bios: 'P79 v1.45 (12/06/2017)',
        events: true,
        virtual_media: true,
      },
    ],
    unreadable: [],
  });
  expect(bmc.sessions).toHaveLength(0);
});

test('discover names the managers that are closed to the account, and what only they tell is null', async () => {
  const bmc = await startBmc({ quirks: [QUIRKS.get('closed-managers')!] });
  const method = methodOf(redfish, 'discover');
  const args = method.parse({ address: bmc.url, username: 'u', password: 'p' });
  expect(await method.run(taskOn(nodeOf('redfish')).task, args)).toMatchObject({
    systems: [{ system_id: SYSTEM, model: '3500', firmware: null, events: true, virtual_media: true }],
    unreadable: [{ path: expect.stringContaining('/Managers'), reason: expect.stringContaining('403') }],
  });
});

test('discover cannot tell what no part that can be read tells', async () => {
  const bmc = await startBmc();
  const closed = (path: string) => bmc.faults.add({ kind: 'status', status: 403, match: { method: 'GET', path } });
  closed('*/VirtualMedia');
  closed('/redfish/v1/EventService*');
  const method = methodOf(redfish, 'discover');
  const args = method.parse({ address: bmc.url, username: 'u', password: 'p' });
  const result = (await method.run(taskOn(nodeOf('redfish')).task, args)) as { unreadable: { path: string }[] };
  expect(result).toMatchObject({ systems: [{ model: '3500', events: null, virtual_media: null }] });
  expect(result.unreadable.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['/redfish/v1/EventService', `${SYSTEM}/VirtualMedia`]),
  );
});

test('discover with a wrong password fails without showing it', async () => {
  const bmc = await startBmc();
  const method = methodOf(redfish, 'discover');
  const args = method.parse({ address: bmc.url, username: 'u', password: 'open-sesame' });
  const error = await failure(method.run(taskOn(nodeOf('redfish')).task, args));
  expect(error.kind).toBe('bmc_refused');
  expect(JSON.stringify([error.message, error.bmc])).not.toContain('open-sesame');
});

test('discover names its own arguments when one is wrong', async () => {
  const method = methodOf(redfish, 'discover');
  const error = await failure(method.run(taskOn(nodeOf('redfish')).task, method.parse({ address: 'ftp://x' })));
  expect(error.violations).toEqual([expect.objectContaining({ field: 'arguments.address' })]);
  expect(() => method.parse({})).toThrow(/address/);
});

test('the session of a replaced driver_info is deleted', async () => {
  const bmc = await startBmc();
  const node = nodeOf('redfish', account(bmc));
  const hardware = createRedfishHardwareType({ settings, log });
  const method = methodOf(hardware, 'get_all_subscriptions');
  await method.run(taskOn(node).task, {});
  expect(bmc.sessions).toHaveLength(1);
  await hardware.release?.(node);
  expect(bmc.sessions).toHaveLength(0);
  await hardware.release?.(nodeOf('redfish'));
});

test('closing deletes every session, and the log contains no secret', async () => {
  const bmc = await startBmc({ accounts: { operator: 'open-sesame' } });
  const hardware = createRedfishHardwareType({ settings, log });
  const node = nodeOf('redfish', {
    redfish_address: bmc.url,
    redfish_username: 'operator',
    redfish_password: 'open-sesame',
  });
  const method = methodOf(hardware, 'create_subscription');
  const args = { Destination: 'https://ev.example/x', HttpHeaders: [{ Authorization: 'Bearer abc' }] };
  await method.run(taskOn(node).task, method.parse(args));
  await hardware.close?.();
  expect(bmc.sessions).toHaveLength(0);
  expect(logged.length).toBeGreaterThan(0);
  expect(logged.join()).not.toMatch(/open-sesame|Bearer|x-auth-token/i);
});
