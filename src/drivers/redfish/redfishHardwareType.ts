// The Redfish driver: Ironic's vendor methods on BMCs that support Redfish, one file a method.
import type { HardwareType } from '../../core/hardware.ts';
import type { Logger } from '../../core/logger.ts';
import { type BmcExchange, createRedfishClients, type RedfishClients } from '../../redfish/index.ts';
import { accessBy } from './bmcAccess.ts';
import { discoverMethod } from './discoverMethod.ts';
import {
  checkAuthorities,
  driverInfoReader,
  type NodeBmc,
  type RedfishSettings,
  readDriverInfo,
} from './driverInfo.ts';
import { ejectMethod } from './ejectMethod.ts';
import { getMediaMethod } from './getMediaMethod.ts';
import { insertMethod } from './insertMethod.ts';
import { REDFISH_PROPERTIES } from './properties.ts';
import { redfishEvents } from './redfishEvents.ts';
import { subscriptionMethods } from './subscriptionMethods.ts';

interface RedfishHardwareTypeOptions {
  settings: RedfishSettings;
  /** Receives each request to a BMC, at level debug. */
  log: Logger;
  /** Clients to share with other hardware types; its own by default. */
  clients?: RedfishClients;
}

/**
 * Makes clients of BMCs whose requests are logged at level debug.
 * @param observe receives each request as well
 */
export function createLoggedClients(log: Logger, observe: (exchange: BmcExchange) => void = () => {}): RedfishClients {
  return createRedfishClients({
    observe(exchange) {
      log.debug(exchange, 'BMC request');
      observe(exchange);
    },
  });
}

/**
 * Makes the hardware type `redfish`: machines whose BMC supports Redfish (DSP0266). Nodes with the same BMC and account share
 * connections, session and discovered paths.
 */
export function createRedfishHardwareType(options: RedfishHardwareTypeOptions): HardwareType {
  const { settings, log, clients = createLoggedClients(log) } = options;
  return {
    ...redfishMachines('redfish', clients, settings),
    name: 'redfish',
    driverMethods: [discoverMethod(clients, settings)],
  };
}

/**
 * Makes the hardware type `idrac` for Dell machines. Its vendor interface `idrac-redfish` has the methods of `redfish`, as
 * Ironic's DracRedfishVendorPassthru adds none; the Redfish client handles iDRAC's peculiarities by behaviour. Ironic's other
 * interfaces for it use WS-Man, which is not supported.
 * @param clients those of the hardware type `redfish`, so that nodes of both types share the state of one BMC
 */
export function createIdracHardwareType(clients: RedfishClients, settings: RedfishSettings): HardwareType {
  return { ...redfishMachines('idrac-redfish', clients, settings), name: 'idrac' };
}

/** Makes the common part of hardware types with Redfish, whose methods are in the vendor interface `vendorInterface`. */
export function redfishMachines(
  vendorInterface: string,
  clients: RedfishClients,
  settings: RedfishSettings,
): Omit<HardwareType, 'name'> {
  const read = driverInfoReader(settings);
  const useBmc = accessBy(clients, settings, read);
  return {
    vendorInterfaces: [
      {
        name: vendorInterface,
        methods: [
          ...subscriptionMethods(useBmc, settings.destinations),
          ejectMethod(useBmc),
          insertMethod(useBmc, settings.destinations),
          getMediaMethod(useBmc),
        ],
        validate: (node) => checkAuthorities(node, read(node)),
      },
      { name: 'no-vendor', methods: [] },
    ],
    events: redfishEvents(useBmc, read),
    properties: REDFISH_PROPERTIES,
    secretKeys: ['redfish_password'],
    addressKeys: ['redfish_address'],
    longestRequest: (node) => read(node).target.limits.timeoutMs,
    async release(node) {
      let bmc: NodeBmc;
      try {
        bmc = readDriverInfo(node, settings);
      } catch {
        // With this driver_info nothing was ever sent.
        return;
      }
      await clients.forget(bmc.target);
    },
    close: () => clients.close(),
  };
}
