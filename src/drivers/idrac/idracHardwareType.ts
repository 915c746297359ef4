import type { HardwareType } from '../../core/hardware.ts';
import type { RedfishClients } from '../../redfish/index.ts';
import type { RedfishSettings } from '../redfish/driverInfo.ts';
import { redfishMachines } from '../redfish/redfishHardwareType.ts';

/**
 * Makes the hardware type `idrac` for Dell machines. Its vendor interface `idrac-redfish` has the methods of `redfish`, as
 * Ironic's DracRedfishVendorPassthru adds none; the Redfish client handles iDRAC's peculiarities by behaviour. Ironic's other
 * interfaces for it use WS-Man, which is not supported.
 *
 * @param clients those of the hardware type `redfish`, so that nodes of both types share the state of one BMC
 */
export function createIdracHardwareType(clients: RedfishClients, settings: RedfishSettings): HardwareType {
  return { ...redfishMachines('idrac-redfish', clients, settings), name: 'idrac' };
}
