import type { Profile } from '../bmc.ts';
import { insertRefusesFlags } from '../quirks/insertParameters.ts';
import { mediaUnderManager } from '../quirks/mediaPlace.ts';
import { INSERTED, machine } from './machine.ts';

/** Behaviour as sushy met it. */
export const supermicroProfile: Profile = {
  name: 'supermicro',
  description: 'Supermicro X11',
  documents: machine({
    root: { Vendor: 'Supermicro', UUID: '00000000-0000-0000-0000-3CECEF456D2A' },
    system: {
      id: '1',
      Manufacturer: 'Supermicro',
      Model: 'SYS-6029U-TR4',
      SerialNumber: 'S313131X9A15231',
      UUID: '00000000-0000-0000-0000-3CECEF456D2C',
      BiosVersion: '3.4',
    },
    manager: { id: '1', Model: 'ASPEED', FirmwareVersion: '01.74.02' },
    chassis: { id: '1', Manufacturer: 'Supermicro', Model: 'X11DPU' },
    eventService: {},
    media: { CD1: { Name: 'Virtual CD', ...INSERTED }, Floppy1: { Name: 'Virtual Floppy', MediaTypes: ['Floppy'] } },
  }),
  quirks: [mediaUnderManager, insertRefusesFlags],
};
