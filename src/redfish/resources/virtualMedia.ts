import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { ifFound, isNotFound } from '../errors.ts';
import { lastSegment, objectOf, optionalLinkPath, samePath, textOf } from '../links.ts';
import { type Collection, getCollection } from './collection.ts';
import { getServiceRoot } from './serviceRoot.ts';
import { getSystem, managersOf } from './system.ts';

/** A virtual media device as it was read (DSP2046, VirtualMedia). */
export interface MediaDevice {
  slot: MediaSlot;
  /** Whether it contains an image. */
  inserted: boolean;
  /** Null when empty. */
  image: string | null;
  /** Target of `#VirtualMedia.EjectMedia`; null where the device lacks the action. */
  ejectTarget: string | null;
  etag: string | null;
  /** The device that seems to be the same one, listed under the manager as well as under the system; null for most. */
  twin: MediaDevice | null;
}

/** A collection of virtual media or one of its devices, with the resource that the collection belongs to. */
interface MediaPlace {
  path: string;
  owner: 'system' | 'manager';
}

/** The place of a device, which does not change. */
export interface MediaSlot extends MediaPlace {
  id: string;
  /** `CD`, `DVD`, `USBStick`, `Floppy`; a device may offer several. */
  mediaTypes: string[];
  collection: string;
  /** Whether the collection contains the whole device (iDRAC 9), so that it is read there. */
  inline: boolean;
}

/**
 * Returns the virtual media devices of the system at `systemPath`, each once, which may be under the system (newer), its
 * managers (older) or both. The places of the collections are requested once. Empty when there are no devices.
 */
export async function listMediaDevices(client: RedfishClient, systemPath: string): Promise<MediaDevice[]> {
  const wasDiscovered = client.discovered.peek(collectionsKey(systemPath)) !== undefined;
  const readings = new Map<string, Promise<MediaDevice[]>>();
  const read = (place: MediaPlace) => {
    const reading = readings.get(place.path) ?? readCollection(client, place);
    readings.set(place.path, reading);
    // Unhandled when the discovery fails meanwhile.
    reading.catch(() => undefined);
    return reading;
  };
  const collections = await mediaCollections(client, systemPath, read);
  let devices: MediaDevice[];
  try {
    devices = (await Promise.all(collections.map(read))).flat();
  } catch (error) {
    if (!wasDiscovered || !isNotFound(error)) throw error;
    client.discovered.forget();
    return listMediaDevices(client, systemPath);
  }
  const distinct = distinctPlaces(devices, ({ slot }) => slot.path);
  const slots = distinct.map(({ slot }) => slot);
  if (slots.length > 0) client.discovered.set(slotsKey(systemPath), slots);
  return pairTwins(distinct);
}

/** Returns the slots that `listMediaDevices` found, with twins; null when it must be called (again). */
export function discoveredMediaSlots(client: RedfishClient, systemPath: string): MediaSlot[] | null {
  return client.discovered.peek<MediaSlot[]>(slotsKey(systemPath)) ?? null;
}

/**
 * Reads the devices in `slots` again, with one request each, or one for all devices that a collection contains. Null for a
 * device that is gone.
 */
export async function readMediaDevices(client: RedfishClient, slots: MediaSlot[]): Promise<(MediaDevice | null)[]> {
  const collections = new Map<string, Promise<Collection>>();
  for (const { inline, collection } of slots) {
    if (inline && !collections.has(collection)) collections.set(collection, getCollection(client, collection));
  }
  const read = async (slot: MediaSlot) => {
    if (!slot.inline) return readDevice(client, slot);
    const { members } = await collections.get(slot.collection)!;
    const member = members.find(({ path }) => samePath(path, slot.path));
    return member?.document ? toDevice(client, slot, member.document, null) : null;
  };
  return Promise.all(slots.map((slot) => ifFound(read(slot))));
}

const COLLECTIONS = 'media collections of ';
const collectionsKey = (systemPath: string) => COLLECTIONS + systemPath;
const slotsKey = (systemPath: string) => `media slots of ${systemPath}`;

/** The virtual media of a system, as far as they were discovered. */
export interface KnownMedia {
  systemPath: string;
  collections: MediaPlace[];
  slots: MediaSlot[];
}

/** Returns the virtual media in a snapshot of `Discovered`. */
export function knownMedia(discovered: ReadonlyMap<string, unknown>): KnownMedia[] {
  return [...discovered].flatMap(([key, value]) => {
    if (!key.startsWith(COLLECTIONS)) return [];
    const systemPath = key.slice(COLLECTIONS.length);
    const slots = (discovered.get(slotsKey(systemPath)) ?? []) as MediaSlot[];
    return [{ systemPath, collections: value as MediaPlace[], slots }];
  });
}

/** @param found receives a collection as soon as it is discovered, so that it can be read while others are searched for */
async function mediaCollections(
  client: RedfishClient,
  systemPath: string,
  found: (place: MediaPlace) => void,
): Promise<MediaPlace[]> {
  return client.discovered.get(collectionsKey(systemPath), client.signal, async () => {
    // The service root shows later whether the BMC is still the same.
    const [system] = await Promise.all([getSystem(client, systemPath), getServiceRoot(client)]);
    if (system.virtualMedia !== null) found({ path: system.virtualMedia, owner: 'system' });
    const owners = [
      { ...system, owner: 'system' as const },
      ...(await managersOf(client, system)).map((manager) => ({ ...manager, owner: 'manager' as const })),
    ];
    const linked = owners.flatMap(({ owner, virtualMedia: path }) => (path === null ? [] : [{ owner, path }]));
    if (linked.length > 0) return distinctPlaces(linked, ({ path }) => path);
    // The captured iDRAC 9 has virtual media at the usual path, but no link to them.
    const guesses = owners.map(({ owner, path }) => ({
      owner,
      path: `${path.replace(/(?<!\/)\/+$/, '')}/VirtualMedia`,
    }));
    const read = await Promise.all(guesses.map(({ path }) => ifFound(getCollection(client, path))));
    return guesses.filter((_, index) => read[index] !== null);
  });
}

async function readCollection(client: RedfishClient, { path, owner }: MediaPlace): Promise<MediaDevice[]> {
  const { members } = await getCollection(client, path);
  const devices = await Promise.all(
    members.map(async ({ path: devicePath, document }) => {
      const inline = document !== null;
      const slot = { path: devicePath, id: lastSegment(devicePath), mediaTypes: [], collection: path, owner, inline };
      return inline ? toDevice(client, slot, document, null) : ifFound(readDevice(client, slot));
    }),
  );
  return devices.filter((device) => device !== null);
}

async function readDevice(client: RedfishClient, slot: MediaSlot): Promise<MediaDevice> {
  const { document, headers } = await client.getResponse(slot.path);
  return toDevice(client, slot, document, headers.etag ?? null);
}

function toDevice(client: RedfishClient, slot: MediaSlot, document: JsonObject, etag: string | null): MediaDevice {
  const image = textOf(document, 'Image');
  const eject = objectOf(objectOf(document, 'Actions'), '#VirtualMedia.EjectMedia');
  const types = document.MediaTypes;
  return {
    slot: {
      ...slot,
      id: textOf(document, 'Id') ?? slot.id,
      mediaTypes: Array.isArray(types) ? types.filter((type) => typeof type === 'string') : [],
    },
    // VirtualMedia v1.0 has Inserted but does not require it.
    inserted: typeof document.Inserted === 'boolean' ? document.Inserted : image !== null,
    image,
    ejectTarget: optionalLinkPath(eject.target, client.origin),
    etag: etag ?? textOf(document, '@odata.etag'),
    twin: null,
  };
}

/**
 * Joins devices that seem to be one, listed under the system and under its manager: same id, types and contents. Each device
 * has one twin at most, since two managers have a device each. This is a guess: check the twin after an eject.
 */
export function pairTwins(devices: MediaDevice[]): MediaDevice[] {
  const paired: MediaDevice[] = [];
  for (const device of devices) {
    const first = paired.findIndex((other) => other.twin === null && seemsTwin(other, device));
    if (first === -1) paired.push(device);
    else paired[first] = { ...paired[first]!, twin: device };
  }
  return paired;
}

function seemsTwin(first: MediaDevice, second: MediaDevice): boolean {
  const marks = ({ slot, inserted, image }: MediaDevice) =>
    JSON.stringify([slot.id, slot.mediaTypes.toSorted(), inserted, image]);
  return first.slot.owner !== second.slot.owner && marks(first) === marks(second);
}

function distinctPlaces<Place>(places: Place[], pathOf: (place: Place) => string): Place[] {
  return places.filter((place, index) => places.findIndex((other) => samePath(pathOf(other), pathOf(place))) === index);
}
