import type { JsonObject } from '../../../src/core/json.ts';
import type { SimulatedBmc } from '../../../src/sim/index.ts';
import { PROFILES } from '../../../src/sim/index.ts';
import type { Machine } from './machine.ts';

type Profile = NonNullable<ReturnType<typeof PROFILES.get>>;

const SYSTEM_TYPE = /^#ComputerSystem\./;
const MANAGER_TYPE = /^#Manager\./;

export const SUBSCRIPTIONS = '/redfish/v1/EventService/Subscriptions';

/** The path of the machine's own system. */
export function systemOf({ profile }: Machine): string {
  return pathOfType(PROFILES.get(profile)!.documents, SYSTEM_TYPE);
}

/** Returns the machine's profile, with its virtual media in place of the profile's own, and without quirks. */
export function furnish(machine: Machine): Profile {
  const profile = PROFILES.get(machine.profile)!;
  const documents = new Map<string, JsonObject>();
  let sample: JsonObject = {};
  for (const [path, document] of profile.documents) {
    if (/\/VirtualMedia\/[^/]+$/.test(path)) sample = { ...document };
    if (path.includes('/VirtualMedia')) continue;
    const { VirtualMedia: _, ...rest } = document;
    documents.set(path, rest);
  }
  const system = pathOfType(documents, SYSTEM_TYPE);
  const manager = pathOfType(documents, MANAGER_TYPE);
  const place = (owner: string, devices: Machine['devices']) => {
    const collection = `${owner}/VirtualMedia`;
    documents.set(owner, { ...documents.get(owner), VirtualMedia: { '@odata.id': collection } });
    const paths = devices.map(({ id }) => `${collection}/${id}`);
    documents.set(collection, {
      '@odata.id': collection,
      '@odata.type': '#VirtualMediaCollection.VirtualMediaCollection',
      Name: 'Virtual Media Collection',
      Members: paths.map((path) => ({ '@odata.id': path })),
      'Members@odata.count': paths.length,
    });
    for (const [index, { id, types, inserted }] of devices.entries()) {
      documents.set(paths[index]!, deviceDocument(sample, paths[index]!, id, types, inserted));
    }
  };
  const { devices } = machine;
  const under = machine.place;
  if (under === 'system' || under === 'both-same') place(system, devices);
  if (under === 'manager') place(manager, devices);
  if (under === 'empty') place(system, []);
  if (under === 'both-different') {
    place(system, devices);
    place(
      manager,
      devices.map((device) => ({ ...device, id: `Other${device.id}`, inserted: !device.inserted })),
    );
  }
  return { name: machine.profile, description: '', documents };
}

function deviceDocument(sample: JsonObject, path: string, id: string, types: string[], inserted: boolean): JsonObject {
  const empty = { Image: null, ImageName: null, Inserted: false, ConnectedVia: 'NotConnected' };
  const full = { Image: `http://images.example/${id}.iso`, ImageName: id, Inserted: true, ConnectedVia: 'URI' };
  return {
    ...sample,
    '@odata.id': path,
    Id: id,
    MediaTypes: types,
    ...(inserted ? full : empty),
    Actions: {
      '#VirtualMedia.EjectMedia': { target: `${path}/Actions/VirtualMedia.EjectMedia` },
      '#VirtualMedia.InsertMedia': { target: `${path}/Actions/VirtualMedia.InsertMedia` },
    },
  };
}

function pathOfType(documents: ReadonlyMap<string, JsonObject>, type: RegExp): string {
  for (const [path, document] of documents) if (type.test(String(document['@odata.type']))) return path;
  throw new Error(`no ${type}`);
}

/** A subscription as the BMC itself holds it. */
export interface Held {
  id: string;
  path: string;
  destination: string;
  context: string;
}

/** Returns the subscriptions that the BMC holds. */
export function subscriptionsAt(bmc: SimulatedBmc): Held[] {
  const members = (bmc.documents.get(SUBSCRIPTIONS)?.Members ?? []) as { '@odata.id': string }[];
  return members.flatMap(({ '@odata.id': path }) => {
    const document = bmc.documents.get(path);
    if (!document) return [];
    return [
      {
        id: String(document.Id),
        path,
        destination: String(document.Destination),
        context: String(document.Context ?? ''),
      },
    ];
  });
}

/** A virtual media device as the BMC itself holds it. */
export interface HeldDevice {
  path: string;
  id: string;
  types: string[];
  inserted: boolean;
  image: string | null;
}

/** Returns the virtual media devices of the machine's own system and manager. */
export function devicesAt(bmc: SimulatedBmc, profile: string): HeldDevice[] {
  const { documents } = PROFILES.get(profile)!;
  return [SYSTEM_TYPE, MANAGER_TYPE].flatMap((type) => {
    const collection = bmc.documents.get(`${pathOfType(documents, type)}/VirtualMedia`);
    return ((collection?.Members ?? []) as { '@odata.id': string }[]).flatMap(({ '@odata.id': path }) => {
      const device = bmc.documents.get(path);
      if (!device) return [];
      return [
        {
          path,
          id: String(device.Id),
          types: device.MediaTypes as string[],
          inserted: device.Inserted === true,
          image: typeof device.Image === 'string' ? device.Image : null,
        },
      ];
    });
  });
}
