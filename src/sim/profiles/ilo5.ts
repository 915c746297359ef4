import type { Profile } from '../bmc.ts';
import { registriesNotIdentity } from '../quirks/contentCoding.ts';
import { createLocationOnly } from '../quirks/createAnswer.ts';
import { ejectWantsObject400 } from '../quirks/ejectBody.ts';
import { errorsIlo } from '../quirks/errorForm.ts';
import { weakEtags } from '../quirks/etags.ts';
import { noEventTypes } from '../quirks/eventService.ts';
import { slashedLinks } from '../quirks/links.ts';
import { failedDeliveryDeletes } from '../quirks/lostSubscriptions.ts';
import { mediaUnderManager } from '../quirks/mediaPlace.ts';
import { redirectsToSlash } from '../quirks/redirects.ts';
import { refusesRetryPolicy } from '../quirks/refusedProperty.ts';
import { oneOfADestinationIlo } from '../quirks/sameDestination.ts';
import { successMessage } from '../quirks/successMessage.ts';
import { INSERTED, machine } from './machine.ts';

/** Facts of a captured ProLiant (spyroot/redfish_ctl), with iLO 5's version; behaviour as sushy and gofish met it. */
export const ilo5Profile: Profile = {
  name: 'ilo5',
  description: 'HPE ProLiant with iLO 5',
  documents: machine({
    root: {
      Name: 'HPE RESTful Root Service',
      Product: 'ProLiant DL360 Gen10',
      Vendor: 'HPE',
      UUID: '724d47b7-f6ec-5b98-bb39-6a46562d65da',
      Oem: { Hpe: { Manager: [{ ManagerType: 'iLO 5', ManagerFirmwareVersion: '2.72' }] } },
    },
    system: {
      id: '1',
      Name: 'Computer System',
      Manufacturer: 'HPE',
      Model: 'ProLiant DL360 Gen10',
      SerialNumber: '2M2D2J00L4',
      SKU: 'P54903-B21',
      UUID: '39343550-3330-4D32-3244-324A30304C34',
      BiosVersion: 'U32 v2.68 (07/14/2022)',
    },
    manager: {
      id: '1',
      Model: 'iLO 5',
      FirmwareVersion: 'iLO 5 v2.72',
      UUID: '96d4a4e3-b3d6-5f2a-b427-9adff13d8c8d',
    },
    chassis: { id: '1', Manufacturer: 'HPE', Model: 'ProLiant DL360 Gen10', SerialNumber: '2M2D2J00L4' },
    eventService: { RegistryPrefixes: ['iLOEvents', 'ResourceEvent', 'NetworkDevice', 'iLOSecurityEvents'] },
    media: {
      // iLO says "" where others say null, and has no ImageName.
      '1': { Name: 'VirtualMedia', MediaTypes: ['Floppy', 'USBStick'], Image: '' },
      '2': { Name: 'VirtualMedia', ...INSERTED },
    },
  }),
  quirks: [
    redirectsToSlash,
    slashedLinks,
    weakEtags,
    registriesNotIdentity,
    successMessage,
    errorsIlo,
    mediaUnderManager,
    ejectWantsObject400,
    noEventTypes,
    createLocationOnly,
    refusesRetryPolicy,
    oneOfADestinationIlo,
    failedDeliveryDeletes,
  ],
};
