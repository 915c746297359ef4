import { afterEach, beforeEach, expect, test } from 'vitest';
import type { HardwareType } from '../../src/core/hardware.ts';
import type { JsonObject } from '../../src/core/json.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { createDestinations, type HostAddress } from '../../src/net/destinations.ts';
import type { NetworkRules } from '../../src/net/networks.ts';
import { type Fleet, startFleet } from '../../src/sim/index.ts';
import { selfSigned } from '../sim/selfSigned.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

let fleet: Fleet;
const hardwareTypes: HardwareType[] = [];
beforeEach(async () => {
  fleet = await startFleet();
});
afterEach(async () => {
  await Promise.all(hardwareTypes.splice(0).map((hardwareType) => hardwareType.close?.()));
  await fleet.close();
});

type Lookup = (host: string) => Promise<readonly HostAddress[]>;

function redfish(rules: NetworkRules, lookup?: Lookup): HardwareType {
  const hardwareType = createRedfishHardwareType({
    settings: {
      authType: 'auto',
      connectionAttempts: 1,
      connectionRetryIntervalMs: 5,
      requestTimeoutMs: 5000,
      destinations: createDestinations(rules, lookup),
    },
    log: silentLogger,
  });
  hardwareTypes.push(hardwareType);
  return hardwareType;
}

function call(hardwareType: HardwareType, name: string, args: JsonObject): Promise<unknown> {
  const method = methodOf(hardwareType, name);
  const info = { redfish_address: fleet.bmcs[0]!.url, redfish_username: 'u', redfish_password: 'p' };
  return method.run(taskOn(nodeOf('redfish', info)).task, method.parse(args));
}

const BY_DEFAULT = { allow: [], deny: [] };
const LOOPBACK = { allow: ['127.0.0.0/8'], deny: [] };

test('create_subscription to a denied address is refused before anything is sent to a reachable BMC', async () => {
  const hardwareType = redfish(BY_DEFAULT);
  for (const key of ['Destination', 'destination']) {
    await expect(
      call(hardwareType, 'create_subscription', { [key]: 'http://169.254.169.254/x' }),
    ).rejects.toMatchObject({
      kind: 'invalid_argument',
      violations: [{ field: 'arguments.Destination' }],
    });
  }
  expect(fleet.bmcs[0]!.requestCount).toBe(0);
  expect(await call(hardwareType, 'get_all_subscriptions', {})).toMatchObject({ 'Members@odata.count': 4 });
  const created = await call(redfish(LOOPBACK), 'create_subscription', { Destination: 'http://127.0.0.1:9/x' });
  expect(created).toMatchObject({ Destination: 'http://127.0.0.1:9/x' });
});

test('discover of a denied address is refused before anything is connected', async () => {
  const { url } = fleet.bmcs[0]!;
  await expect(call(redfish(BY_DEFAULT), 'discover', { address: url })).rejects.toMatchObject({
    kind: 'invalid_argument',
    message: expect.stringContaining('address must not lead to 127.0.0.1 (127.0.0.0/8: loopback)'),
    violations: [{ field: 'arguments.address' }],
  });
  expect(fleet.bmcs[0]!.requestCount).toBe(0);
  expect(await call(redfish(LOOPBACK), 'discover', { address: url, username: 'u', password: 'p' })).toHaveProperty(
    'systems',
  );
});

test('discover connects to the address that was checked, even if the name resolves to another one later', async () => {
  const requested: string[] = [];
  const lookup: Lookup = async (host) => {
    requested.push(host);
    return [{ address: '127.0.0.1', family: 4 }];
  };
  // No resolver knows this name: resolving it again would fail.
  const address = fleet.bmcs[0]!.url.replace('127.0.0.1', 'bmc.invalid');
  const found = await call(redfish(LOOPBACK, lookup), 'discover', { address, username: 'u', password: 'p' });
  expect(found).toHaveProperty('systems.0.vendor');
  expect(requested).toEqual(['bmc.invalid']);
});

test('discover over TLS checks the certificate against the name, not against the address', async () => {
  const { cert, key } = selfSigned();
  const secure = await startFleet({ tls: { cert, key } });
  try {
    const hardwareType = redfish(LOOPBACK, async () => [{ address: '127.0.0.1', family: 4 }]);
    const discover = (host: string) =>
      call(hardwareType, 'discover', {
        address: secure.bmcs[0]!.url.replace('127.0.0.1', host),
        username: 'u',
        password: 'p',
        verify_ca: cert,
      });
    await expect(discover('bmc.invalid')).rejects.toMatchObject({
      kind: 'bmc_tls_failed',
      message: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID'),
    });
    expect(await discover('localhost')).toHaveProperty('systems');
  } finally {
    await secure.close();
  }
});

test('discover of an unknown host name is reported as unreachable', async () => {
  const lookup: Lookup = async () => {
    throw new Error('ENOTFOUND');
  };
  await expect(call(redfish(BY_DEFAULT, lookup), 'discover', { address: 'bmc.invalid' })).rejects.toMatchObject({
    kind: 'bmc_unreachable',
    message:
      'Redfish connection failed for https://bmc.invalid: Unable to connect to https://bmc.invalid. Error: the host name is unknown',
  });
});

test.each([
  ['create_subscription', { Destination: 'https://listener.example/events' }],
  ['discover', { address: 'bmc.example' }],
])(
  '%s that is cancelled while the resolver does not respond ends at once',
  async (name, args) => {
    const requested = Promise.withResolvers<void>();
    const hardwareType = redfish(LOOPBACK, () => {
      requested.resolve();
      return new Promise<never>(() => {});
    });
    const method = methodOf(hardwareType, name);
    const info = { redfish_address: fleet.bmcs[0]!.url };
    const { task, abort } = taskOn(nodeOf('redfish', info));
    const run = method.run(task, method.parse(args));
    await requested.promise;
    abort.abort(new Error('cancelled'));
    await expect(run).rejects.toThrow('cancelled');
    expect(fleet.bmcs[0]!.requestCount).toBe(0);
  },
  4000,
);
