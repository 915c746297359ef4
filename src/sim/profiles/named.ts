// The profiles: the documents that BMCs of each vendor have.
import type { Profile } from '../bmc.ts';
import { quirksNamed } from '../quirks/named.ts';
import { INSERTED, machine } from './machine.ts';
import { plainProfile } from './plain.ts';
import { VENDOR_REGISTRIES } from './registryMessages.ts';

/** Facts of a captured ProLiant (spyroot/redfish_ctl), with iLO 5's version; behaviour as met by sushy and gofish. */
const ilo5: Profile = {
  name: 'ilo5',
  description: 'HPE ProLiant with iLO 5',
  events: { messageId: 'iLOEvents.2.3.FanFailed', testMessageId: 'iLOEvents.2.3.ServerPoweredOn' },
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
      // iLO has "" where others have null, and no ImageName.
      '1': { Name: 'VirtualMedia', MediaTypes: ['Floppy', 'USBStick'], Image: '' },
      '2': { Name: 'VirtualMedia', ...INSERTED },
    },
    registry: VENDOR_REGISTRIES.ilo5,
    registryStore: '/redfish/v1/RegistryStore/registries/en',
  }),
  quirks: quirksNamed(
    'redirect-to-slash',
    'links-with-slash',
    'weak-etags',
    'registries-not-identity',
    'success-message',
    'errors-ilo',
    'media-under-manager',
    'eject-wants-object-400',
    'no-event-types',
    'create-location-only',
    'refuses-retry-policy',
    'one-per-destination-ilo',
    'failed-delivery-deletes',
    'event-wants-200',
    'event-message-empty',
    'event-severity-old',
    'event-id-uuid',
    'test-event-ilo',
    'test-event-message-id-lower',
  ),
};

/** Facts of a captured PowerEdge (spyroot/redfish_ctl); behaviour as met by Ironic, sushy and metal-operator. */
const idrac9: Profile = {
  name: 'idrac9',
  description: 'Dell PowerEdge with iDRAC 9',
  events: { messageId: 'IDRAC.2.8.TMP0120', testMessageId: 'IDRAC.2.8.TST100' },
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
    eventService: { ServerSentEventUri: '/redfish/v1/SSE' },
    media: {
      '1': { Name: 'VirtualMedia Instance 1', MediaTypes: ['CD', 'DVD', 'USBStick'] },
      '2': { Name: 'VirtualMedia Instance 2', ...INSERTED },
    },
    registry: VENDOR_REGISTRIES.idrac9,
  }),
  quirks: quirksNamed(
    'media-under-system',
    'lingering-media',
    'insert-refused-while-full',
    'no-event-types',
    'http-headers-empty-list',
    'create-location-only',
    'one-per-destination-idrac',
    'failed-delivery-disables',
    'event-timestamp-local',
    'event-message-id-no-version',
    'test-event-idrac',
    'test-event-ids-vendor',
  ),
};

/** Behaviour as met by python-redfish-lenovo, sushy and gofish. */
const xcc: Profile = {
  name: 'xcc',
  description: 'Lenovo ThinkSystem with XClarity Controller (XCC)',
  events: { messageId: 'EventRegistry.1.0.FQXSPPW0031J', testMessageId: 'EventRegistry.1.0.FQXSPEM4043I' },
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
    registry: VENDOR_REGISTRIES.xcc,
  }),
  quirks: quirksNamed(
    'media-under-both',
    'no-media-actions',
    'if-match-wanted',
    'insert-patch-wants-inserted',
    'event-origin-text',
    'test-event-xcc',
  ),
};

/** Behaviour as met by sushy. */
const supermicro: Profile = {
  name: 'supermicro',
  description: 'Supermicro X11',
  events: { messageId: 'Alert.1.0.PowerSupplyFailure', testMessageId: 'Alert.1.0.TestEvent' },
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
    registry: VENDOR_REGISTRIES.supermicro,
  }),
  quirks: quirksNamed(
    'media-under-manager',
    'insert-refuses-flags',
    'subscriptions-lost-at-restart',
    'event-not-repeated',
    'event-type-missing',
    'event-timestamp-compact',
    'event-member-id-missing',
    'test-event-needs-type',
  ),
};

/** Behaviour from the source of bmcweb. */
const openbmc: Profile = {
  name: 'openbmc',
  description: 'OpenBMC (bmcweb)',
  events: { messageId: 'OpenBMC.0.5.PowerSupplyFailed', testMessageId: 'OpenBMC.0.5.TestEventLog' },
  documents: machine({
    root: { UUID: 'a1b2c3d4-5566-4777-8888-99aabbccddee' },
    system: { id: 'system', Name: 'system', Manufacturer: 'Simulated', Model: 'OpenBMC machine' },
    manager: { id: 'bmc', Name: 'OpenBmc Manager', Model: 'OpenBmc', FirmwareVersion: '2.14.0' },
    chassis: { id: 'chassis', Name: 'chassis' },
    eventService: {
      RegistryPrefixes: ['Base', 'OpenBMC', 'TaskEvent', 'ResourceEvent'],
      ResourceTypes: ['Task'],
      ServerSentEventUri: '/redfish/v1/EventService/SSE',
    },
    media: { Slot_0: { Name: 'Virtual Removable Media', ...INSERTED } },
    registry: VENDOR_REGISTRIES.openbmc,
  }),
  quirks: quirksNamed(
    'media-under-manager',
    'cd-and-usb-in-one',
    'no-event-types',
    'create-location-only',
    'refuses-event-types',
    'errors-on-property',
    'event-few-subscriptions',
    'event-stream-replays',
    'event-verifies',
    'event-timestamp-utc',
    'event-origin-missing',
    'event-context-in-record',
    'event-body-indented',
    'test-event-unfiltered',
  ),
};

/** The profiles by name, in the order of `--list-profiles`. */
export const PROFILES: ReadonlyMap<string, Profile> = new Map(
  [plainProfile, ilo5, idrac9, xcc, supermicro, openbmc].map((profile) => [profile.name, profile]),
);
