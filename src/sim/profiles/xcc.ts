import type { Profile } from '../bmc.ts';
import { ifMatchWanted, noMediaActions } from '../quirks/mediaByPatch.ts';
import { mediaUnderBoth } from '../quirks/mediaPlace.ts';
import { INSERTED, machine } from './machine.ts';

/** Behaviour as python-redfish-lenovo, sushy and gofish met it. */
export const xccProfile: Profile = {
  name: 'xcc',
  description: 'Lenovo ThinkSystem with XClarity Controller (XCC)',
  documents: machine({
    root: { Vendor: 'Lenovo', UUID: '5b2d9f6e-0d7c-11ec-8f3a-7cd30a5b1c22' },
    system: {
      id: '1',
      Name: 'ComputerSystem',
      Manufacturer: 'Lenovo',
      Model: 'ThinkSystem SR630 V2',
      SerialNumber: 'J30AF7LC',
      UUID: '5b2d9f6e-0d7c-11ec-8f3a-7cd30a5b1c23',
      BiosVersion: 'AFE118M',
    },
    manager: { id: '1', Model: 'Lenovo XClarity Controller', FirmwareVersion: 'AFBT20X 1.89 2021-09-02' },
    chassis: { id: '1', Manufacturer: 'Lenovo', Model: 'ThinkSystem SR630 V2', SerialNumber: 'J30AF7LC' },
    eventService: {},
    media: {
      EXT1: { Name: 'VirtualMedia', ...INSERTED },
      EXT2: { Name: 'VirtualMedia' },
      RDOC1: { Name: 'VirtualMedia' },
      Remote1: { Name: 'VirtualMedia', MediaTypes: ['CD', 'DVD', 'USBStick'] },
    },
  }),
  quirks: [mediaUnderBoth, noMediaActions, ifMatchWanted],
};
