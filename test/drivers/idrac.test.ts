import { afterEach, expect, test } from 'vitest';
import type { HardwareType } from '../../src/core/hardware.ts';
import { silentLogger } from '../../src/core/logger.ts';
import {
  createIdracHardwareType,
  createLoggedClients,
  createRedfishHardwareType,
} from '../../src/drivers/redfish/redfishHardwareType.ts';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

const settings = {
  authType: 'auto' as const,
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 5000,
};
const clients = createLoggedClients(silentLogger);
const idrac: HardwareType = createIdracHardwareType(clients, settings);
const redfish: HardwareType = createRedfishHardwareType({ settings, log: silentLogger, clients });
let fleet: Fleet | null = null;

afterEach(async () => {
  await fleet?.close();
  fleet = null;
});

const methodsOf = ({ vendorInterfaces }: HardwareType) =>
  vendorInterfaces[0].methods.map(({ name, httpMethods, async, description }) => [
    name,
    httpMethods,
    async,
    description,
  ]);

test('idrac has the vendor interfaces idrac-redfish, the default, and no-vendor', () => {
  expect(idrac.name).toBe('idrac');
  expect(idrac.vendorInterfaces.map(({ name }) => name)).toEqual(['idrac-redfish', 'no-vendor']);
  expect(idrac.vendorInterfaces[1]?.methods).toEqual([]);
});

test('idrac-redfish has the methods, the checks and the properties of redfish', () => {
  expect(methodsOf(idrac)).toEqual(methodsOf(redfish));
  expect(methodsOf(idrac).map(([name]) => name)).toContain('eject_vmedia');
  expect(idrac.properties).toEqual(redfish.properties);
  expect(() => idrac.vendorInterfaces[0].validate?.(nodeOf('idrac'))).toThrow(/redfish_address/);
});

test('a node of idrac and one of redfish behind one BMC share its session, and closing either type twice is harmless', async () => {
  fleet = await startFleet();
  const [bmc] = fleet.bmcs;
  const info = { redfish_address: bmc!.url, redfish_username: 'u', redfish_password: 'p' };
  for (const hardwareType of [idrac, redfish]) {
    const method = methodOf(hardwareType, 'get_subscription');
    const result = await method.run(taskOn(nodeOf(hardwareType.name, info)).task, method.parse({ id: '1' }));
    expect(result).toMatchObject({ Id: '1' });
  }
  expect(bmc!.sessions).toHaveLength(1);
  expect(bmc!.connections).toBe(1);
  await idrac.close?.();
  await redfish.close?.();
  expect(bmc!.sessions).toHaveLength(0);
});
