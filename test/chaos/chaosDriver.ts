import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { HardwareType } from '../../src/core/hardware.ts';
import { defineMethod } from '../../src/core/method.ts';
import type { NodeTask } from '../../src/core/task.ts';
import type { DriverContext } from '../../src/drivers/load.ts';
import { accessBy } from '../../src/drivers/redfish/bmcAccess.ts';
import { driverInfoReader } from '../../src/drivers/redfish/driverInfo.ts';
import { createLoggedClients, redfishMachines } from '../../src/drivers/redfish/redfishHardwareType.ts';
import { createSubscription, listSubscriptions } from '../../src/redfish/index.ts';

/** The timeout of a request to a BMC in milliseconds. */
export const REQUEST_TIMEOUT = 1000;

const SETTINGS = {
  authType: 'basic' as const,
  connectionAttempts: 2,
  connectionRetryIntervalMs: 100,
  requestTimeoutMs: REQUEST_TIMEOUT,
  fenceHeader: true,
};

/** The hardware type `chaos`: `redfish` with an asynchronous method that creates a subscription. */
export default ({ log }: DriverContext): HardwareType => {
  const clients = createLoggedClients(log);
  const useBmc = accessBy(clients, SETTINGS, driverInfoReader(SETTINGS));
  const machines = redfishMachines('chaos', clients, SETTINGS);
  const [own] = machines.vendorInterfaces;
  const subscribeInSteps = defineMethod({
    name: 'subscribe_in_steps',
    httpMethods: ['POST'],
    description: 'Creates a subscription after a few requests, and reports each',
    async: true,
    arguments: z.object({ destination: z.string(), steps: z.number() }),
    result: z.json(),
    handler: (task: NodeTask, { destination, steps }) =>
      useBmc(task, 'Failed to subscribe in steps on', async (client) => {
        for (let step = 1; step <= steps; step++) {
          await listSubscriptions(client);
          task.progress(step / (steps + 1), `step ${step}`);
          await sleep(50, undefined, { signal: task.signal }).catch(() => task.signal.throwIfAborted());
        }
        const { Id = null } = await createSubscription(client, { Destination: destination });
        return { Id };
      }),
  });
  return {
    ...machines,
    name: 'chaos',
    vendorInterfaces: [{ ...own, methods: [...own.methods, subscribeInSteps] }],
  };
};
