import type { HardwareType } from '../../core/hardware.ts';
import type { Logger } from '../../core/logger.ts';
import { createRedfishClients } from '../../redfish/index.ts';
import { discoverMethod } from './discoverMethod.ts';
import { type RedfishSettings, readDriverInfo } from './driverInfo.ts';
import { ejectMethod } from './ejectMethod.ts';
import { accessBy } from './nodeAccess.ts';
import { REDFISH_PROPERTIES } from './properties.ts';
import { subscriptionMethods } from './subscriptionMethods.ts';

export interface RedfishHardwareTypeOptions {
  settings: RedfishSettings;
  /** Gets each request to a BMC at level debug. */
  log: Logger;
}

/**
 * The hardware type `redfish`: machines whose BMC speaks Redfish (DSP0266). Nodes behind one BMC with one account share
 * its connections, its session and what is known of it.
 */
export function createRedfishHardwareType({ settings, log }: RedfishHardwareTypeOptions): HardwareType {
  const clients = createRedfishClients({ observe: (exchange) => log.debug(exchange, 'asked a BMC') });
  const access = accessBy(clients, settings);
  return {
    name: 'redfish',
    vendorInterfaces: [
      {
        name: 'redfish',
        methods: [...subscriptionMethods(access), ejectMethod(access)],
        validate: (node) => void readDriverInfo(node, settings),
      },
      { name: 'no-vendor', methods: [] },
    ],
    driverMethods: [discoverMethod(clients, settings)],
    properties: REDFISH_PROPERTIES,
    async release(node) {
      let target: ReturnType<typeof readDriverInfo>['target'];
      try {
        ({ target } = readDriverInfo(node, settings));
      } catch {
        // With this driver_info no conversation was ever begun.
        return;
      }
      await clients.forget(target);
    },
    close: () => clients.close(),
  };
}
