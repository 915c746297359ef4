import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { send } from '../rest/client.ts';
import { type RunningService, runService } from '../service.ts';

let service: RunningService;
beforeEach(async () => {
  const settings = {
    authType: 'auto' as const,
    connectionAttempts: 1,
    connectionRetryIntervalMs: 1,
    requestTimeoutMs: 1,
  };
  const { addressKeys, properties } = createRedfishHardwareType({ settings, log: silentLogger });
  const none = [{ name: 'none', methods: [] }] as const;
  service = await runService({
    hardwareTypes: [
      { name: 'web', vendorInterfaces: none, properties, addressKeys },
      { name: 'other', vendorInterfaces: none, properties },
    ],
  });
});
afterEach(() => service.close());

const create = (driver: string, name: string, address: unknown) =>
  send(service.url, {
    method: 'POST',
    path: '/v1/nodes',
    body: { driver, name, driver_info: { redfish_address: address } },
  });
const patch = (name: string, ...body: object[]) =>
  send(service.url, { method: 'PATCH', path: `/v1/nodes/${name}`, body });
const put = (path: string, value: unknown) => ({ op: 'add', path, value });

describe('the address of a machine', () => {
  test.each(['ftp://u:a-password@bmc', 'FTP://bmc', 'redfish://bmc', 'ws://bmc/x', 'x+https://bmc'])(
    'is refused when a node is enrolled or changed, with field, scheme and what is allowed: %s',
    async (address) => {
      const scheme = address.split(':')[0]!.toLowerCase();
      await create('web', 'n1', 'https://bmc');
      const put1 = put('/driver_info/redfish_address', address);
      for (const refused of [await create('web', 'n2', address), await patch('n1', put1)]) {
        expect(refused.status).toBe(400);
        expect(refused.fault.faultstring).toBe(
          `driver_info.redfish_address of a node with driver web must be a URL of the scheme http or https, not ${scheme}`,
        );
        expect(refused.fault.detail.violations[0].field).toBe('driver_info.redfish_address');
        expect(refused.text).not.toContain('a-password');
      }
      expect((await send(service.url, { path: '/v1/nodes' })).json.nodes).toHaveLength(1);
      expect((await send(service.url, { path: '/v1/nodes/n1' })).json.driver_info.redfish_address).toBe('https://bmc');
    },
  );

  test.each([
    'https://bmc',
    'HTTP://bmc',
    'bmc.example',
    'bmc:443',
    '//bmc',
    '',
    null,
    5,
    '[fe80::1]:443',
    'a://'.slice(1),
  ])('may be a URL of http or https, a host, or what only a call can judge: %j', async (address) => {
    expect((await create('web', 'n1', address)).status).toBe(201);
  });

  test('is not checked again while it stays, and not for a driver that declares none', async () => {
    expect((await create('other', 'old', 'ftp://bmc')).status).toBe(201);
    expect((await patch('old', put('/driver', 'web'))).status).toBe(400);
    expect((await patch('old', put('/driver_info/redfish_username', 'u'), put('/description', 'd'))).status).toBe(200);
    expect((await patch('old', put('/driver', 'web'), put('/driver_info/redfish_address', 'bmc'))).status).toBe(200);
  });
});
