import type { JsonObject } from '../../core/json.ts';
import type { Profile } from '../bmc.ts';
import type { Part } from './documentParts.ts';
import { collection, document, ENABLED } from './documentParts.ts';
import { machine } from './machine.ts';
import { VENDOR_REGISTRIES } from './registryMessages.ts';

/** A device of the mockup: inserted, writable, and of a newer schema than machine()'s. */
const WRITABLE: JsonObject = {
  '@odata.type': '#VirtualMedia.v1_6_0.VirtualMedia',
  Inserted: true,
  WriteProtected: false,
};

const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';

/**
 * A BMC that follows the Redfish specification and adds nothing. Its facts are those of DMTF's mockup
 * "public-rackmount1", plus the virtual media actions that the mockup lacks.
 */
export const plainProfile: Profile = {
  name: 'plain',
  description: "Redfish as specified, with the facts of DMTF's rack-mount mockup",
  documents: new Map([
    ...machine({
      root: { UUID: '92384634-2938-2342-8820-489239905423', Vendor: 'Contoso' },
      system: {
        id: '437XR1138R2',
        '@odata.type': '#ComputerSystem.v1_20_0.ComputerSystem',
        Name: 'WebFrontEnd483',
        AssetTag: 'Chicago-45Z-2381',
        Manufacturer: 'Contoso',
        Model: '3500',
        SKU: '8675309',
        SerialNumber: '437XR1138R2',
        PartNumber: '224071-J23',
        UUID: '38947555-7742-3448-3784-823347823834',
        HostName: 'web483',
        IndicatorLED: 'Off',
        Boot: {
          BootSourceOverrideEnabled: 'Once',
          BootSourceOverrideTarget: 'Pxe',
          'BootSourceOverrideTarget@Redfish.AllowableValues': ['None', 'Pxe', 'Cd', 'Usb', 'Hdd', 'BiosSetup'],
          BootSourceOverrideMode: 'UEFI',
        },
        ProcessorSummary: { Count: 2, Model: 'Multi-Core Intel(R) Xeon(R) processor 7xxx Series', Status: ENABLED },
        MemorySummary: { TotalSystemMemoryGiB: 96, Status: ENABLED },
        BiosVersion: 'P79 v1.45 (12/06/2017)',
      },
      manager: {
        id: 'BMC',
        '@odata.type': '#Manager.v1_17_0.Manager',
        Model: 'Joo Janta 200',
        FirmwareVersion: '1.45.455b66-rev4',
        ServiceEntryPointUUID: '92384634-2938-2342-8820-489239905423',
        UUID: '58893887-8974-2487-2389-841168418919',
        PowerState: 'On',
      },
      chassis: {
        id: '1U',
        '@odata.type': '#Chassis.v1_23_0.Chassis',
        Name: 'Computer System Chassis',
        Manufacturer: 'Contoso',
        Model: '3500RX',
        SerialNumber: '437XR1138R2',
        PowerState: 'On',
      },
      eventService: {
        '@odata.type': '#EventService.v1_9_0.EventService',
        DeliveryRetryIntervalSeconds: 60,
        ServerSentEventUri: '/redfish/v1/EventService/SSE',
      },
      media: {
        Floppy1: {
          ...WRITABLE,
          Name: 'Virtual Removable Media',
          MediaTypes: ['Floppy', 'USBStick'],
          Image: 'https://www.dmtf.org/freeImages/Sardine.img',
          ImageName: 'Sardine2.1.43.35.6a',
          ConnectedVia: 'URI',
        },
        CD1: {
          ...WRITABLE,
          Name: 'Virtual CD',
          Image: 'redfish.dmtf.org/freeImages/freeOS.1.1.iso',
          ImageName: 'mymedia-read-only',
          ConnectedVia: 'Applet',
        },
      },
      registry: VENDOR_REGISTRIES.plain,
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
  ]),
};

function subscription(id: string, properties: JsonObject): Part {
  return document(`${SUBSCRIPTIONS}/${id}`, 'EventDestination.v1_13_0.EventDestination', { Id: id, ...properties });
}
