import type { HardwareType } from '../../core/hardware.ts';
import type { RedfishClients } from '../../redfish/index.ts';
import type { RedfishSettings } from '../redfish/driverInfo.ts';
import { redfishMachines } from '../redfish/redfishHardwareType.ts';

/**
 * The hardware type `idrac`: Dell machines. Its vendor interface `idrac-redfish` has the methods of `redfish`, as
 * Ironic's DracRedfishVendorPassthru adds none; what iDRAC does differently the Redfish client finds by behaviour. Ironic's
 * other interfaces for it speak WS-Man, which is not served.
 *
 * @param clients those of the hardware type `redfish`, so that nodes of either share what is known of one BMC
 */
export function createIdracHardwareType(clients: RedfishClients, settings: RedfishSettings): HardwareType {
  return { ...redfishMachines('idrac-redfish', clients, settings), name: 'idrac' };
}
