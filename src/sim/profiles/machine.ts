import type { JsonObject } from '../../core/json.ts';
import type { Documents, RedfishDocument } from '../documents.ts';
import type { Part } from './documentParts.ts';
import { collection, document, ENABLED, link, services } from './documentParts.ts';
import { registries } from './registries.ts';
import type { Registry } from './registryMessages.ts';

/** The facts of a machine, apart from quirks. Each entry is added to the common properties. */
interface MachineFacts {
  /** Added to the service root. */
  root: JsonObject;
  /** The Ids of system, manager and chassis, and the properties added to their documents. */
  system: { id: string } & JsonObject;
  manager: { id: string } & JsonObject;
  chassis: { id: string } & JsonObject;
  /** Added to the event service. */
  eventService: JsonObject;
  /** The virtual media devices by Id. They are under the system unless a quirk moves them. */
  media: Record<string, JsonObject>;
  /** The vendor's own message registry, besides the standard ones. */
  registry: Registry;
  /** The folder of the registries; by default each is under its file. */
  registryStore?: string;
}

/** The properties of a device that holds an image. */
export const INSERTED: JsonObject = {
  Image: 'http://images.example/installer.iso',
  ImageName: 'installer.iso',
  Inserted: true,
  ConnectedVia: 'URI',
};

/** Returns the documents of a machine with one system, one manager and one chassis. */
export function machine(facts: MachineFacts): Documents {
  const { root, system, manager, chassis, eventService, media, registry, registryStore } = facts;
  const paths = {
    system: `/redfish/v1/Systems/${system.id}`,
    manager: `/redfish/v1/Managers/${manager.id}`,
    chassis: `/redfish/v1/Chassis/${chassis.id}`,
  };
  const place = `${paths.system}/VirtualMedia`;
  return new Map<string, RedfishDocument>([
    document('/redfish/v1', 'ServiceRoot.v1_15_0.ServiceRoot', {
      '@odata.id': '/redfish/v1/',
      Id: 'RootService',
      Name: 'Root Service',
      RedfishVersion: '1.15.0',
      Systems: link('/redfish/v1/Systems'),
      Chassis: link('/redfish/v1/Chassis'),
      Managers: link('/redfish/v1/Managers'),
      Tasks: link('/redfish/v1/TaskService'),
      SessionService: link('/redfish/v1/SessionService'),
      AccountService: link('/redfish/v1/AccountService'),
      EventService: link('/redfish/v1/EventService'),
      Registries: link('/redfish/v1/Registries'),
      Links: { Sessions: link('/redfish/v1/SessionService/Sessions') },
      ...root,
    }),
    collection('/redfish/v1/Systems', 'ComputerSystem', 'Computer System Collection', [system.id]),
    systemDocument(system, paths, place),
    collection('/redfish/v1/Managers', 'Manager', 'Manager Collection', [manager.id]),
    managerDocument(manager, paths),
    collection('/redfish/v1/Chassis', 'Chassis', 'Chassis Collection', [chassis.id]),
    chassisDocument(chassis, paths),
    collection(place, 'VirtualMedia', 'Virtual Media Collection', Object.keys(media)),
    ...Object.entries(media).map(([id, properties]) => device(place, id, properties)),
    document('/redfish/v1/EventService', 'EventService.v1_7_0.EventService', {
      Id: 'EventService',
      Name: 'Event Service',
      Status: ENABLED,
      ServiceEnabled: true,
      DeliveryRetryAttempts: 3,
      DeliveryRetryIntervalSeconds: 30,
      EventTypesForSubscription: ['StatusChange', 'ResourceUpdated', 'ResourceAdded', 'ResourceRemoved', 'Alert'],
      Subscriptions: link('/redfish/v1/EventService/Subscriptions'),
      Actions: {
        '#EventService.SubmitTestEvent': {
          target: '/redfish/v1/EventService/Actions/EventService.SubmitTestEvent',
        },
      },
      ...eventService,
    }),
    collection('/redfish/v1/EventService/Subscriptions', 'EventDestination', 'Event Subscriptions Collection', []),
    ...services(),
    ...registries(registry, registryStore),
  ]);
}

type Paths = Record<'system' | 'manager' | 'chassis', string>;

function systemDocument({ id, ...properties }: MachineFacts['system'], paths: Paths, media: string): Part {
  return document(paths.system, 'ComputerSystem.v1_16_0.ComputerSystem', {
    Id: id,
    Name: 'System',
    SystemType: 'Physical',
    PowerState: 'On',
    Status: { ...ENABLED, HealthRollup: 'OK' },
    Boot: {
      BootSourceOverrideEnabled: 'Disabled',
      BootSourceOverrideTarget: 'None',
      'BootSourceOverrideTarget@Redfish.AllowableValues': ['None', 'Pxe', 'Cd', 'Usb', 'Hdd', 'BiosSetup'],
      BootSourceOverrideMode: 'UEFI',
    },
    ProcessorSummary: { Count: 2, Model: 'Simulated', Status: ENABLED },
    MemorySummary: { TotalSystemMemoryGiB: 256, Status: ENABLED },
    VirtualMedia: link(media),
    Links: { Chassis: [link(paths.chassis)], ManagedBy: [link(paths.manager)] },
    Actions: {
      '#ComputerSystem.Reset': {
        target: `${paths.system}/Actions/ComputerSystem.Reset`,
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
    ...properties,
  });
}

function managerDocument({ id, ...properties }: MachineFacts['manager'], paths: Paths): Part {
  return document(paths.manager, 'Manager.v1_10_0.Manager', {
    Id: id,
    Name: 'Manager',
    ManagerType: 'BMC',
    Status: ENABLED,
    Links: { ManagerForServers: [link(paths.system)], ManagerForChassis: [link(paths.chassis)] },
    Actions: {
      '#Manager.Reset': {
        target: `${paths.manager}/Actions/Manager.Reset`,
        'ResetType@Redfish.AllowableValues': ['ForceRestart', 'GracefulRestart'],
      },
    },
    ...properties,
  });
}

function chassisDocument({ id, ...properties }: MachineFacts['chassis'], paths: Paths): Part {
  return document(paths.chassis, 'Chassis.v1_14_0.Chassis', {
    Id: id,
    Name: 'Chassis',
    ChassisType: 'RackMount',
    Status: ENABLED,
    Links: { ComputerSystems: [link(paths.system)], ManagedBy: [link(paths.manager)] },
    ...properties,
  });
}

function device(place: string, id: string, properties: JsonObject): Part {
  const path = `${place}/${id}`;
  return document(path, 'VirtualMedia.v1_3_2.VirtualMedia', {
    Id: id,
    Name: 'Virtual Media',
    MediaTypes: ['CD', 'DVD'],
    Image: null,
    ImageName: null,
    Inserted: false,
    ConnectedVia: 'NotConnected',
    WriteProtected: true,
    Actions: {
      '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` },
      '#VirtualMedia.InsertMedia': { target: `${path}/Actions/VirtualMedia.InsertMedia` },
    },
    ...properties,
  });
}
