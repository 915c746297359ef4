import type { Profile } from '../bmc.ts';
import { createLocationOnly } from '../quirks/createAnswer.ts';
import { errorsOnProperty } from '../quirks/errorForm.ts';
import { noEventTypes } from '../quirks/eventService.ts';
import { cdAndUsb } from '../quirks/mediaDevices.ts';
import { mediaUnderManager } from '../quirks/mediaPlace.ts';
import { refusesEventTypes } from '../quirks/refusedProperty.ts';
import { INSERTED, machine } from './machine.ts';

/** Behaviour as bmcweb's source has it. */
export const openbmcProfile: Profile = {
  name: 'openbmc',
  description: 'OpenBMC (bmcweb)',
  documents: machine({
    root: { UUID: 'a1b2c3d4-5566-4777-8888-99aabbccddee' },
    system: { id: 'system', Name: 'system', Manufacturer: 'Simulated', Model: 'OpenBMC machine' },
    manager: { id: 'bmc', Name: 'OpenBmc Manager', Model: 'OpenBmc', FirmwareVersion: '2.14.0' },
    chassis: { id: 'chassis', Name: 'chassis' },
    eventService: { RegistryPrefixes: ['Base', 'OpenBMC', 'TaskEvent'], ResourceTypes: ['Task'] },
    media: { Slot_0: { Name: 'Virtual Removable Media', ...INSERTED } },
  }),
  quirks: [mediaUnderManager, cdAndUsb, noEventTypes, createLocationOnly, refusesEventTypes, errorsOnProperty],
};
