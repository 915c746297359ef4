import type { Profile } from '../bmc.ts';
import { createLocationOnly } from '../quirks/createAnswer.ts';
import { headersEmptyList, noEventTypes } from '../quirks/eventService.ts';
import { lingeringMedia } from '../quirks/lingeringMedia.ts';
import { failedDeliveryDisables } from '../quirks/lostSubscriptions.ts';
import { mediaUnderSystem } from '../quirks/mediaPlace.ts';
import { oneOfADestinationIdrac } from '../quirks/sameDestination.ts';
import { INSERTED, machine } from './machine.ts';

/** Facts of a captured PowerEdge (spyroot/redfish_ctl); behaviour as Ironic, sushy and metal-operator met it. */
export const idrac9Profile: Profile = {
  name: 'idrac9',
  description: 'Dell PowerEdge with iDRAC 9',
  documents: machine({
    root: { Product: 'Integrated Dell Remote Access Controller', Vendor: 'Dell' },
    system: {
      id: 'System.Embedded.1',
      Manufacturer: 'Dell Inc.',
      Model: 'PowerEdge XR8620t',
      SerialNumber: 'CNIVC0031D0001',
      SKU: '7XQ2K93',
      UUID: '4c4c4544-0051-3210-8058-b7c04f353433',
      BiosVersion: '2.1.5',
    },
    manager: {
      id: 'iDRAC.Embedded.1',
      Model: '16G Monolithic',
      FirmwareVersion: '7.00.00.00',
      UUID: '3335394f-c0b7-5880-3210-00514c4c4544',
    },
    chassis: { id: 'System.Embedded.1', Manufacturer: 'Dell Inc.', Model: 'PowerEdge XR8620t' },
    eventService: {},
    media: {
      '1': { Name: 'VirtualMedia Instance 1', MediaTypes: ['CD', 'DVD', 'USBStick'] },
      '2': { Name: 'VirtualMedia Instance 2', ...INSERTED },
    },
  }),
  quirks: [
    mediaUnderSystem,
    lingeringMedia,
    noEventTypes,
    headersEmptyList,
    createLocationOnly,
    oneOfADestinationIdrac,
    failedDeliveryDisables,
  ],
};
