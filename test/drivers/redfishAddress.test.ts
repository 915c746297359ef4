import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type RedfishSettings, readBmc } from '../../src/drivers/redfish/driverInfo.ts';
import { createRedfishClients } from '../../src/redfish/index.ts';
import { selfSigned } from '../sim/selfSigned.ts';

const settings: RedfishSettings = {
  authType: 'auto',
  connectionAttempts: 1,
  connectionRetryIntervalMs: 5,
  requestTimeoutMs: 5000,
};

function read(address: string) {
  const info = { redfish_address: address, redfish_verify_ca: false };
  return readBmc(info, settings, { field: (key) => key, message: (faults) => faults }).target;
}

test.each([
  ['fd00::17', 'https://[fd00::17]', '/redfish/v1/'],
  ['::1', 'https://[::1]', '/redfish/v1/'],
  ['https://fd00::17', 'https://[fd00::17]', '/redfish/v1/'],
  ['http://fd00::17/', 'http://[fd00::17]', '/redfish/v1/'],
  ['fd00::17/redfish/v1', 'https://[fd00::17]', '/redfish/v1'],
  ['https://fd00::17/bmc/redfish/v1/', 'https://[fd00::17]', '/bmc/redfish/v1/'],
  ['[fd00::17]:8443', 'https://[fd00::17]:8443', '/redfish/v1/'],
  ['fd00:0:0:0:0:0:0:17:8443', 'https://[fd00::17]:8443', '/redfish/v1/'],
  ['https://fd00:0:0:0:0:0:0:17:8443/redfish/v1', 'https://[fd00::17]:8443', '/redfish/v1'],
  ['::ffff:192.0.2.1', 'https://[::ffff:c000:201]', '/redfish/v1/'],
  // Digits after a compressed address are a part of it.
  ['fd00::17:8443', 'https://[fd00::17:8443]', '/redfish/v1/'],
  ['1:2:3:4:5:6:7:8', 'https://[1:2:3:4:5:6:7:8]', '/redfish/v1/'],
])('the address %s is read as %s', (address, origin, root) => {
  expect(read(address)).toMatchObject({ origin, root });
});

test.each([
  ['FD00::17', 'fd00::17'],
  ['https://[FD00:0:0:0::17]:443', 'fd00:0:0:0:0:0:0:17'],
  ['BMC.Example:443', 'https://bmc.example/'],
  ['http://bmc.example:80', 'http://bmc.example'],
])('%s and %s are one BMC, with one set of connections and one login', (one, other) => {
  expect(read(one).origin).toBe(read(other).origin);
});

test.each([
  ['fe80::1%eth0', /zone/],
  ['https://[fe80::1%25eth0]', /zone/],
  ['fd00:::17', /is no IPv6 address/],
  ['fd00::17:84430', /in brackets, such as https:\/\/\[fd00::17\]:8443/],
  ['fd00::zz', /is no IPv6 address/],
  ['1:2:3:4:5:6:7:8:99999', /must be a URL/],
  ['[::1', /must be a URL/],
  ['https:fd00::17', /is no IPv6 address/],
  ['https://', /must be a URL/],
  ['https://u:secret@[::1]', /must not contain credentials/],
  ['fd00::17?x', /must not contain a query/],
])('the address %s is refused with what is wrong', (address, fault) => {
  expect(() => read(address)).toThrow(fault);
  expect(() => read(address)).not.toThrow('secret');
});

test('a BMC at an IPv6 address without brackets is reached, and its certificate is verified', async () => {
  const pair = selfSigned();
  const server = createServer(pair, (_request, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
  const clients = createRedfishClients();
  onTestFinished(async () => {
    await clients.close();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const { connection, ...target } = read(`0:0:0:0:0:0:0:1:${port}`);
  const send = (verifyCa: boolean) =>
    clients
      .for(
        { ...target, connection: { ...connection, tls: { ...connection.tls, verifyCa } } },
        { signal: AbortSignal.timeout(5000) },
      )
      .get('/redfish/v1/');
  expect(await send(false)).toEqual({});
  // It is refused for being self-signed, not for its name.
  await expect(send(true)).rejects.toThrow('it is self-signed');
});
