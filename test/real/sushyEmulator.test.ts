import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PassthruError } from '../../src/core/errors.ts';
import type { HardwareType } from '../../src/core/hardware.ts';
import type { Json, JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { methodOf, nodeOf, taskOn } from '../drivers/nodeTask.ts';
import { needs } from '../needs.ts';
import { pythonEnvironment } from './pythonEnvironment.ts';
import { type SushyEmulator, startSushyEmulator } from './sushyEmulator.ts';

const USER = 'admin';
const PASSWORD = 's3cret-word';
const SYSTEM = '/redfish/v1/Systems/27946b59-9e44-4fa7-8e91-f3527a1ef094';

const environment = await pythonEnvironment();

describe(
  "the redfish driver and sushy-tools' emulator",
  needs('missing' in environment ? environment.missing : null),
  () => {
    let emulator: SushyEmulator;
    let images: Server;
    let redfish: HardwareType;

    beforeAll(async () => {
      if ('missing' in environment) return;
      emulator = await startSushyEmulator(environment.python, USER, PASSWORD);
      images = createServer((_request, response) => response.end('an image')).listen(0, '127.0.0.1');
      await once(images, 'listening');
    });
    afterAll(async () => {
      await emulator.close();
      await new Promise((resolve) => images.close(resolve));
    });
    beforeEach(() => {
      emulator.requests.length = 0;
      const settings = {
        authType: 'auto' as const,
        connectionAttempts: 1,
        connectionRetryIntervalMs: 5,
        requestTimeoutMs: 10_000,
      };
      redfish = createRedfishHardwareType({ settings, log: silentLogger });
    });
    afterEach(() => redfish.close?.());

    function call(name: string, args: JsonObject, driverInfo: JsonObject = {}): Promise<Json | undefined> {
      const method = methodOf(redfish, name);
      const account = {
        redfish_username: USER,
        redfish_password: PASSWORD,
        redfish_auth_type: 'basic',
        redfish_system_id: SYSTEM,
      };
      const { task } = taskOn(nodeOf('redfish', { redfish_address: emulator.url, ...account, ...driverInfo }));
      return method.run(task, method.parse(args)) as Promise<Json | undefined>;
    }

    async function failure(promise: Promise<unknown>): Promise<PassthruError> {
      const error = await promise.then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(PassthruError);
      return error as PassthruError;
    }

    async function bmc(method: string, path: string, body?: JsonObject): Promise<JsonObject> {
      const response = await fetch(emulator.url + path, {
        method,
        headers: { Authorization: `Basic ${btoa(`${USER}:${PASSWORD}`)}`, 'Content-Type': 'application/json' },
        body: body === undefined ? null : JSON.stringify(body),
      });
      expect(response.ok, `${method} ${path}: ${response.status}`).toBe(true);
      const text = await response.text();
      return text === '' ? {} : JSON.parse(text);
    }

    /** Inserts an image into `device` and returns the path of the device. */
    async function insert(device: string): Promise<string> {
      const path = `${SYSTEM}/VirtualMedia/${device}`;
      const image = `http://127.0.0.1:${(images.address() as AddressInfo).port}/boot.iso`;
      await bmc('POST', `${path}/Actions/VirtualMedia.InsertMedia`, { Image: image });
      expect(await bmc('GET', path)).toMatchObject({ Inserted: true });
      return path;
    }

    test('ejects an inserted image and reports the other devices as empty', async () => {
      const path = await insert('Cd');
      const { devices } = (await call('eject_vmedia', {})) as { devices: JsonObject[] };
      const outcomes = Object.fromEntries(devices.map(({ id, outcome }) => [id, outcome]));
      expect(outcomes).toMatchObject({ Cd: 'ejected', Floppy: 'empty' });
      expect(await bmc('GET', path)).toMatchObject({ Inserted: false, Image: '' });
    });

    test('ejects only the device of the given boot_device', async () => {
      const floppy = await insert('Floppy');
      const cd = await insert('Cd');
      await call('eject_vmedia', { boot_device: 'cd' });
      expect([await bmc('GET', cd), await bmc('GET', floppy)]).toMatchObject([{ Inserted: false }, { Inserted: true }]);
      await call('eject_vmedia', {});
      expect(await bmc('GET', floppy)).toMatchObject({ Inserted: false });
    });

    test('ejects nothing and succeeds when nothing is inserted', async () => {
      const { devices } = (await call('eject_vmedia', {})) as { devices: JsonObject[] };
      expect(new Set(devices.map(({ outcome }) => outcome))).toEqual(new Set(['empty']));
      expect(emulator.requests.filter(({ line }) => /^(PATCH|PUT|DELETE|POST .*Actions)/.test(line))).toEqual([]);
    });

    // Its service root has no sessions, and the usual path of sessions responds 401 without Basic, as every path does.
    // The driver must not take that for a wrong password.
    test('falls back to Basic when the BMC has no sessions and rejects the login with 401', async () => {
      await call('eject_vmedia', {}, { redfish_auth_type: 'auto' });
      await call('eject_vmedia', {}, { redfish_auth_type: 'auto' });
      expect(emulator.requests.filter(({ line }) => line.includes('Session')).length).toBeLessThanOrEqual(1);
    });

    test('reports missing sessions, not a wrong password, when auth_type is session', async () => {
      const error = await failure(call('eject_vmedia', {}, { redfish_auth_type: 'session' }));
      expect(error.message).not.toMatch(/password/);
    });

    test('reports a wrong password with the 401, sends it once, and shows it nowhere', async () => {
      const wrong = { redfish_password: 'other-w0rd' };
      const error = await failure(call('eject_vmedia', {}, wrong));
      expect(error).toMatchObject({ bmc: { status: 401 } });
      const { length } = emulator.requests;
      await failure(call('eject_vmedia', {}, wrong));
      expect(emulator.requests).toHaveLength(length);
      expect(`${error.message}${JSON.stringify(error)}`).not.toContain('other-w0rd');
    });

    test('reports the missing event service from every subscription method', async () => {
      const create = await failure(call('create_subscription', { Destination: 'https://events.example/x' }));
      const list = await failure(call('get_all_subscriptions', {}));
      for (const error of [create, list]) expect(error.message).toMatch(/[Ee]vent ?[Ss]ervice/);
    });

    test("an unknown system fails with the BMC's own 404 message", async () => {
      const error = await failure(call('eject_vmedia', {}, { redfish_system_id: '/redfish/v1/Systems/nowhere' }));
      expect(error.message).toContain('nowhere');
    });
  },
);
