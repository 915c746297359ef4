import { expect, test } from 'vitest';
import { silentLogger } from '../../src/core/logger.ts';
import { createRedfishHardwareType } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { QUIRKS, startFleet } from '../../src/sim/index.ts';
import { selfSigned } from '../sim/selfSigned.ts';
import { methodOf, nodeOf, taskOn } from './nodeTask.ts';

test('a BMC with only TLS 1.0 is refused with the key to set, and a call succeeds once it is set', async () => {
  const fleet = await startFleet({ tls: selfSigned(), quirks: [QUIRKS.get('tls-1.0')!] });
  const settings = {
    authType: 'auto' as const,
    connectionAttempts: 1,
    connectionRetryIntervalMs: 5,
    requestTimeoutMs: 5000,
  };
  const redfish = createRedfishHardwareType({ settings, log: silentLogger });
  const bmc = fleet.bmcs[0]!;
  const list = async (more: Record<string, string>) => {
    const account = { redfish_address: bmc.url, redfish_username: 'u', redfish_password: 'p' };
    const { task } = taskOn(nodeOf('redfish', { ...account, redfish_verify_ca: 'False', ...more }));
    const method = methodOf(redfish, 'get_all_subscriptions');
    return method.run(task, method.parse({}));
  };
  try {
    await expect(list({})).rejects.toMatchObject({
      kind: 'bmc_tls_failed',
      message: expect.stringContaining('redfish_tls_minimum_version'),
    });
    expect(bmc.requestCount).toBe(0);
    expect(await list({ redfish_tls_minimum_version: '1.0' })).toMatchObject({ Members: expect.any(Array) });
  } finally {
    await redfish.close?.();
    await fleet.close();
  }
});
