import { expect, test } from 'vitest';
import { makeCertificate } from './certificate.ts';
import { enrol, open, rest } from './operator.ts';

// Addresses come as IPv6 without brackets, with or without scheme, port and path.

test.for([
  ['::1', 'https://[::1]'],
  ['[::1]', 'https://[::1]'],
  ['::1/redfish/v1', 'https://[::1]'],
  ['::1/redfish/v1/', 'https://[::1]'],
  ['https://::1', 'https://[::1]'],
  ['https://::1/', 'https://[::1]'],
  ['https://::1/redfish/v1/', 'https://[::1]'],
  ['http://::1/redfish/v1', 'http://[::1]'],
  ['HTTPS://::1', 'https://[::1]'],
  ['0:0:0:0:0:0:0:1', 'https://[::1]'],
  ['0000:0000:0000:0000:0000:0000:0000:0001', 'https://[::1]'],
  ['[::1]:9', 'https://[::1]:9'],
  ['https://[::1]:9/redfish/v1', 'https://[::1]:9'],
  ['::ffff:127.0.0.1', 'https://[::ffff:7f00:1]'],
  ['127.0.0.1:9', 'https://127.0.0.1:9'],
])('%s is the address %s', async ([address, url]) => {
  const node = await enrol({ redfish_address: address });
  expect((await node.validate()).json.vendor).toMatchObject({ result: true });
  const { status, told } = await node.call('get_all_subscriptions');
  expect(status).toBe(500);
  expect(told).toContain('Unable to connect');
  expect(told).toContain(url!);
  const discovered = await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', { address });
  // Mapped addresses of IPv4 need not be allowed as destinations.
  if (address!.includes('ffff')) return;
  expect(discovered.status).toBe(500);
  expect(discovered.fault.faultstring).toContain(url!);
});

test.for([
  'fd00::17',
  'FD00::17',
  '2001:db8::a:b:c:d',
  'https://fd00::17',
  'fd00::17:8443',
  'https://fd00::17/redfish/v1',
])('%s is a valid address', async (address) => {
  const node = await enrol({ redfish_address: address });
  expect((await node.validate()).json.vendor).toMatchObject({ result: true });
});

test.for([
  'fd00::17::1',
  '[::1',
  '::1]',
  'fd00::xyz',
  'https://[fd00::17',
  '1:2:3:4:5:6:7:8:9:a',
  'u:p@::1',
  '::1?x=1',
])('%s is no address', async (address) => {
  const node = await enrol({ redfish_address: address });
  const { vendor } = (await node.validate()).json;
  expect(vendor.result).toBe(false);
  expect(vendor.reason).toContain('redfish_address');
});

test.for<readonly [string, (port: string) => string, boolean]>([
  ['its scheme', (port) => `http://[::1]:${port}`, false],
  ['scheme and path', (port) => `http://[::1]:${port}/redfish/v1`, false],
  ['all of its digits', (port) => `http://[0:0:0:0:0:0:0:1]:${port}/redfish/v1/`, false],
  ['no scheme', (port) => `[::1]:${port}`, true],
  ['no scheme, but a path', (port) => `[::1]:${port}/redfish/v1/`, true],
])('a machine at ::1 is reached by its address with %s', async ([, write, secure], context) => {
  const certificate = makeCertificate();
  context.onTestFinished(certificate.remove);
  const tls = secure ? { key: certificate.key, cert: certificate.cert } : {};
  const { machine } = await open(context, { host: '::1', ...(secure ? { tls } : {}) });
  const address = write(new URL(machine.url).port);
  const node = await enrol({ redfish_address: address, redfish_verify_ca: false });
  expect((await node.call('get_all_subscriptions')).status).toBe(200);
  expect((await node.eject()).outcomes).toEqual({ CD1: 'ejected' });
  const discovered = await rest('POST', '/v1/drivers/redfish/vendor_passthru?method=discover', {
    address,
    username: 'u',
    password: 'p',
    verify_ca: false,
  });
  expect(discovered.json.systems).toMatchObject([{ model: 'M1' }]);
  await node.remove();
});
