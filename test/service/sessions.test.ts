import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { startService } from '../../src/service.ts';
import { startFleet } from '../../src/sim/index.ts';
import { nodeCall, operator } from '../core/harness.ts';

test('deletes its sessions at the BMCs when it stops', async () => {
  const fleet = await startFleet({ count: 3 });
  const environment = {
    PASSTHRU_STORE: 'sqlite::memory:',
    PASSTHRU_LISTEN: '127.0.0.1:0',
    PASSTHRU_REDFISH_AUTH_TYPE: 'session',
  };
  const service = await startService(loadConfig({ file: null, environment }), { log: silentLogger });
  for (const [index, { url }] of fleet.bmcs.entries()) {
    const driverInfo = { redfish_address: url, redfish_username: 'u', redfish_password: 'p' };
    const node = `n${index}`;
    // Hardware types based on Redfish share the state of a BMC.
    await service.core.nodes.create({ name: node, driver: index === 0 ? 'idrac' : 'redfish', driverInfo }, operator);
    await service.core.callNodeMethod(nodeCall('get_all_subscriptions', { node }));
  }
  expect(fleet.bmcs.map(({ sessions }) => sessions.length)).toEqual([1, 1, 1]);
  await service.close();
  expect(fleet.bmcs.map(({ sessions }) => sessions.length)).toEqual([0, 0, 0]);
  await fleet.close();
});
