import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { samePath } from '../links.ts';
import { getCollection } from './collection.ts';
import { type KnownCollections, type KnownSlots, mediaKeys } from './knownMedia.ts';
import { type MediaDevice, type MediaPlace, readMediaCollection } from './mediaDevice.ts';
import { getServiceRoot } from './serviceRoot.ts';
import { type ComputerSystem, getSystem, managersOf } from './system.ts';
import { asUnreadable, isAbsent, maySleep, type Parts, patientFor, readParts, type Unreadable } from './unreadable.ts';

/** The virtual media of a system. */
export interface MediaListing {
  /** The devices that could be read, each once. */
  devices: MediaDevice[];
  /** The devices, collections and managers that could not be read, and may contain more. */
  unreadable: Unreadable[];
  /** Whether there is any collection of virtual media, possibly an empty one. */
  exists: boolean;
}

/**
 * Searches for the virtual media of one system, which may be under the system (newer), its managers (older) or both. Reads
 * each collection once. Make one for each call.
 */
export class MediaSearch {
  readonly #client: RedfishClient;
  readonly #systemPath: string;
  readonly #readings = new Map<string, Promise<Parts<MediaDevice>>>();

  constructor(client: RedfishClient, systemPath: string) {
    this.#client = client;
    this.#systemPath = systemPath;
  }

  /** Returns the devices of the system's own collection, without reading its managers. */
  async own(): Promise<MediaListing> {
    const client = this.#client;
    const wasDiscovered = this.#wasDiscovered;
    const { virtualMedia: path } = await this.#system();
    if (path === null) return { devices: [], unreadable: [], exists: false };
    try {
      const { values: devices, unreadable } = await this.#read(patientFor(client), { path, owner: 'system' });
      this.#remember(mediaKeys.ownSlots(this.#systemPath), devices, unreadable);
      return { devices, unreadable, exists: true };
    } catch (error) {
      if (wasDiscovered && isNotFound(error)) return this.#again().own();
      return { devices: [], unreadable: [asUnreadable(client, path, error)], exists: true };
    }
  }

  /** Returns all devices. The places of the collections are requested once. */
  async all(): Promise<MediaListing> {
    const client = this.#client;
    const wasDiscovered = this.#wasDiscovered;
    const { places, unreadable: owners } = await this.#collections();
    const read = (reader: RedfishClient, place: MediaPlace) => this.#read(reader, place);
    const collections = await readParts(client, places, ({ path }) => path, read, true);
    if (wasDiscovered && collections.unreadable.some(({ error }) => isNotFound(error))) return this.#again().all();
    const devices = distinctPlaces(
      collections.values.flatMap(({ values }) => values),
      ({ slot }) => slot.path,
    );
    const members = collections.values.flatMap(({ unreadable }) => unreadable);
    const unreadable = distinctPlaces([...owners, ...collections.unreadable, ...members], ({ path }) => path);
    this.#remember(mediaKeys.slots(this.#systemPath), devices, unreadable);
    return { devices: pairTwins(devices), unreadable, exists: places.length > 0 };
  }

  get #wasDiscovered(): boolean {
    return this.#client.discovered.peek(mediaKeys.links(this.#systemPath)) !== undefined;
  }

  /** Drops what was discovered, after a 404, and returns a new search. */
  #again(): MediaSearch {
    this.#client.discovered.forget();
    return new MediaSearch(this.#client, this.#systemPath);
  }

  #remember(key: string, devices: MediaDevice[], unreadable: Unreadable[]): void {
    if (devices.length === 0 || unreadable.some(maySleep)) return;
    const slots = devices.map(({ slot }) => slot);
    this.#client.discovered.set(key, { slots, unreadable } satisfies KnownSlots);
  }

  /** Reads a collection once, and again when that failed. */
  #read(reader: RedfishClient, place: MediaPlace): Promise<Parts<MediaDevice>> {
    const known = this.#readings.get(place.path);
    if (known !== undefined) return known;
    const reading = readMediaCollection(reader, place);
    this.#readings.set(place.path, reading);
    reading.catch(() => this.#readings.delete(place.path));
    return reading;
  }

  #system(): Promise<ComputerSystem> {
    const client = this.#client;
    return client.discovered.get(mediaKeys.links(this.#systemPath), client.signal, async () => {
      // The service root shows later whether the BMC is still the same.
      const [system] = await Promise.all([getSystem(client, this.#systemPath), getServiceRoot(client)]);
      return system;
    });
  }

  #collections(): Promise<KnownCollections> {
    const client = this.#client;
    return client.discovered.get(mediaKeys.collections(this.#systemPath), client.signal, async (doNotKeep) => {
      const system = await this.#system();
      // Read while the managers are searched for. Unhandled when that fails meanwhile.
      if (system.virtualMedia !== null) {
        this.#read(patientFor(client), { path: system.virtualMedia, owner: 'system' }).catch(() => undefined);
      }
      const { values: managers, unreadable } = await managersOf(client, system, system.virtualMedia === null);
      if (unreadable.some(maySleep)) doNotKeep();
      const owners = [
        { ...system, owner: 'system' as const },
        ...managers.map((manager) => ({ ...manager, owner: 'manager' as const })),
      ];
      const linked = owners.flatMap(({ owner, virtualMedia: path }) => (path === null ? [] : [{ owner, path }]));
      if (linked.length > 0) return { places: distinctPlaces(linked, ({ path }) => path), unreadable };
      const guessed = await this.#unlinked(owners);
      if (guessed.unreadable.some(maySleep)) doNotKeep();
      return { places: guessed.values, unreadable: [...unreadable, ...guessed.unreadable] };
    });
  }

  /**
   * Returns the collections at the usual path, to which there is no link (the captured iDRAC 9). What else the BMC says there
   * than that there is nothing counts only where there is none.
   */
  async #unlinked(owners: MediaPlace[]): Promise<Parts<MediaPlace>> {
    const guesses = owners.map(({ owner, path }) => ({
      owner,
      path: `${path.replace(/(?<!\/)\/+$/, '')}/VirtualMedia`,
    }));
    const read = async (reader: RedfishClient, place: MediaPlace) => {
      await getCollection(reader, place.path);
      return place;
    };
    const { values, unreadable } = await readParts(this.#client, guesses, ({ path }) => path, read, true);
    return { values, unreadable: values.length > 0 ? [] : unreadable.filter(isThere) };
  }
}

/**
 * Checks that a device of the requested types was found. A machine whose collections are empty has none to find.
 * @param found those of `listing` that have one of the types
 * @throws kind `unsupported` when the machine has none; the BMC's words when one could not be read
 */
export function requireDevice(
  client: RedfishClient,
  { devices, unreadable, exists }: MediaListing,
  found: MediaDevice[],
  types: readonly string[] | null,
): void {
  if (found.length > 0) return;
  if (unreadable.length > 0) throw noneReadable(unreadable);
  const unsupported = (message: string) => new RedfishError('unsupported', message, { url: client.origin });
  if (!exists) throw unsupported('The BMC has no virtual media, neither under the system nor under its managers');
  if (devices.length === 0) return;
  const offered = devices.map(({ slot }) => `${slot.id} (${slot.mediaTypes.join(', ')})`).join('; ');
  throw unsupported(`The BMC has no virtual media device for ${types?.join(' or ')}; it has ${offered}`);
}

/** Returns the error when no device of the requested types could be read: the BMC's words about the first part. */
function noneReadable(unreadable: Unreadable[]): RedfishError {
  const [first, ...others] = unreadable;
  const { kind, message, status, extendedInfo, url } = first!.error;
  const more = others.length === 0 ? '' : ` (nor could ${others.map(({ path }) => path).join(', ')})`;
  const text = `No such virtual media device could be read; ${first!.path} could not be read: ${message}${more}`;
  return new RedfishError(kind, text, { status, extendedInfo, url, cause: first!.error });
}

/** Whether a failed read of a guessed path shows that something is there. A front end may return its own page for every path. */
function isThere(part: Unreadable): boolean {
  return !isAbsent(part) && part.error.status !== 200;
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
