import type { JsonObject } from '../../core/json.ts';
import type { Profile } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import type { Part } from './documentParts.ts';
import { collection, document, ENABLED, link, services } from './documentParts.ts';

const SYSTEM = '/redfish/v1/Systems/437XR1138R2';
const MANAGER = '/redfish/v1/Managers/BMC';
const CHASSIS = '/redfish/v1/Chassis/1U';
const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';

/**
 * A BMC that does what Redfish says and no more. Its facts are those of DMTF's mockup "public-rackmount1"; what is added
 * are the actions of its virtual media, which the mockup lacks.
 */
export const plainProfile: Profile = {
  name: 'plain',
  description: "Redfish as specified, with the facts of DMTF's rack-mount mockup",
  documents: new Map<string, RedfishDocument>([
    document('/redfish/v1', 'ServiceRoot.v1_15_0.ServiceRoot', {
      '@odata.id': '/redfish/v1/',
      Id: 'RootService',
      Name: 'Root Service',
      RedfishVersion: '1.15.0',
      UUID: '92384634-2938-2342-8820-489239905423',
      Vendor: 'Contoso',
      Systems: link('/redfish/v1/Systems'),
      Chassis: link('/redfish/v1/Chassis'),
      Managers: link('/redfish/v1/Managers'),
      Tasks: link('/redfish/v1/TaskService'),
      SessionService: link('/redfish/v1/SessionService'),
      AccountService: link('/redfish/v1/AccountService'),
      EventService: link('/redfish/v1/EventService'),
      Links: { Sessions: link('/redfish/v1/SessionService/Sessions') },
    }),

    collection('/redfish/v1/Systems', 'ComputerSystem', 'Computer System Collection', ['437XR1138R2']),
    document(SYSTEM, 'ComputerSystem.v1_20_0.ComputerSystem', {
      Id: '437XR1138R2',
      Name: 'WebFrontEnd483',
      SystemType: 'Physical',
      AssetTag: 'Chicago-45Z-2381',
      Manufacturer: 'Contoso',
      Model: '3500',
      SKU: '8675309',
      SerialNumber: '437XR1138R2',
      PartNumber: '224071-J23',
      UUID: '38947555-7742-3448-3784-823347823834',
      HostName: 'web483',
      Status: { ...ENABLED, HealthRollup: 'OK' },
      IndicatorLED: 'Off',
      PowerState: 'On',
      BiosVersion: 'P79 v1.45 (12/06/2017)',
      Boot: {
        BootSourceOverrideEnabled: 'Once',
        BootSourceOverrideTarget: 'Pxe',
        'BootSourceOverrideTarget@Redfish.AllowableValues': ['None', 'Pxe', 'Cd', 'Usb', 'Hdd', 'BiosSetup'],
        BootSourceOverrideMode: 'UEFI',
      },
      ProcessorSummary: { Count: 2, Model: 'Multi-Core Intel(R) Xeon(R) processor 7xxx Series', Status: ENABLED },
      MemorySummary: { TotalSystemMemoryGiB: 96, Status: ENABLED },
      VirtualMedia: link(`${SYSTEM}/VirtualMedia`),
      Links: { Chassis: [link(CHASSIS)], ManagedBy: [link(MANAGER)] },
      Actions: {
        '#ComputerSystem.Reset': {
          target: `${SYSTEM}/Actions/ComputerSystem.Reset`,
          'ResetType@Redfish.AllowableValues': [
            'On',
            'ForceOff',
            'GracefulShutdown',
            'GracefulRestart',
            'ForceRestart',
            'ForceOn',
            'PushPowerButton',
          ],
        },
      },
    }),
    collection(`${SYSTEM}/VirtualMedia`, 'VirtualMedia', 'Virtual Media Services', ['Floppy1', 'CD1']),
    virtualMedia('Floppy1', {
      Name: 'Virtual Removable Media',
      MediaTypes: ['Floppy', 'USBStick'],
      Image: 'https://www.dmtf.org/freeImages/Sardine.img',
      ImageName: 'Sardine2.1.43.35.6a',
      ConnectedVia: 'URI',
    }),
    virtualMedia('CD1', {
      Name: 'Virtual CD',
      MediaTypes: ['CD', 'DVD'],
      Image: 'redfish.dmtf.org/freeImages/freeOS.1.1.iso',
      ImageName: 'mymedia-read-only',
      ConnectedVia: 'Applet',
    }),

    collection('/redfish/v1/Managers', 'Manager', 'Manager Collection', ['BMC']),
    document(MANAGER, 'Manager.v1_17_0.Manager', {
      Id: 'BMC',
      Name: 'Manager',
      ManagerType: 'BMC',
      Model: 'Joo Janta 200',
      FirmwareVersion: '1.45.455b66-rev4',
      ServiceEntryPointUUID: '92384634-2938-2342-8820-489239905423',
      UUID: '58893887-8974-2487-2389-841168418919',
      Status: ENABLED,
      PowerState: 'On',
      Links: { ManagerForServers: [link(SYSTEM)], ManagerForChassis: [link(CHASSIS)] },
      Actions: {
        '#Manager.Reset': {
          target: `${MANAGER}/Actions/Manager.Reset`,
          'ResetType@Redfish.AllowableValues': ['ForceRestart', 'GracefulRestart'],
        },
      },
    }),

    collection('/redfish/v1/Chassis', 'Chassis', 'Chassis Collection', ['1U']),
    document(CHASSIS, 'Chassis.v1_23_0.Chassis', {
      Id: '1U',
      Name: 'Computer System Chassis',
      ChassisType: 'RackMount',
      Manufacturer: 'Contoso',
      Model: '3500RX',
      SerialNumber: '437XR1138R2',
      PowerState: 'On',
      Status: ENABLED,
      Links: { ComputerSystems: [link(SYSTEM)], ManagedBy: [link(MANAGER)] },
    }),

    document('/redfish/v1/EventService', 'EventService.v1_9_0.EventService', {
      Id: 'EventService',
      Name: 'Event Service',
      Status: ENABLED,
      ServiceEnabled: true,
      DeliveryRetryAttempts: 3,
      DeliveryRetryIntervalSeconds: 60,
      EventTypesForSubscription: ['StatusChange', 'ResourceUpdated', 'ResourceAdded', 'ResourceRemoved', 'Alert'],
      Subscriptions: link(SUBSCRIPTIONS),
      // None: the simulator sends no events. Sushy wants the property.
      Actions: {},
    }),
    collection(SUBSCRIPTIONS, 'EventDestination', 'Event Subscriptions Collection', ['1', '2', '3', '4']),
    subscription('1', {
      Name: 'EventSubscription 1',
      Destination: 'http://www.dnsname.com/Destination1',
      EventTypes: ['Alert'],
      Context: 'WebUser3',
      Protocol: 'Redfish',
    }),
    subscription('2', {
      Name: 'SNMPv3 EventSubscription',
      Destination: 'contoso_user@snmp_server.contoso.com',
      ResourceTypes: ['Certificate', 'Volume', 'Thermal', 'VirtualMedia', 'Power'],
      Context: 'My_SNMPv3_Events',
      Protocol: 'SNMPv3',
      SubscriptionType: 'SNMPInform',
      SNMP: {
        TrapCommunity: null,
        AuthenticationKey: null,
        AuthenticationProtocol: 'HMAC_SHA96',
        EncryptionKey: null,
        EncryptionProtocol: 'CFB128_AES128',
      },
    }),
    subscription('3', {
      Name: 'EventSubscription for SMTP',
      Destination: 'mailto:spam@contoso.com',
      ResourceTypes: ['Certificates', 'Systems'],
      Context: 'EmailUser3',
      Protocol: 'SMTP',
    }),
    subscription('4', {
      Name: 'EventSubscription for Remote syslog',
      Destination: 'syslog://123.45.10:514',
      Context: 'Syslog-Mockup',
      Protocol: 'SyslogTCP',
      SyslogFilters: [{ LogFacilities: ['Kern', 'User'], LowestSeverity: 'Warning' }],
    }),

    ...services(),
  ]),
};

function virtualMedia(id: string, properties: JsonObject): Part {
  const path = `${SYSTEM}/VirtualMedia/${id}`;
  return document(path, 'VirtualMedia.v1_6_0.VirtualMedia', {
    Id: id,
    ...properties,
    Inserted: true,
    WriteProtected: false,
    Actions: {
      '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` },
      '#VirtualMedia.InsertMedia': { target: `${path}/Actions/VirtualMedia.InsertMedia` },
    },
  });
}

function subscription(id: string, properties: JsonObject): Part {
  return document(`${SUBSCRIPTIONS}/${id}`, 'EventDestination.v1_13_0.EventDestination', { Id: id, ...properties });
}
