import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { lastSegment, objectOf, ownLinkPath, samePath, textOf } from '../links.ts';
import { type Collection, getCollection, type Member } from './collection.ts';
import { asUnreadable, type Parts, readParts } from './unreadable.ts';

/** A virtual media device as it was read (DSP2046, VirtualMedia). */
export interface MediaDevice {
  slot: MediaSlot;
  /** Whether it contains an image. */
  inserted: boolean;
  /** Null when empty. */
  image: string | null;
  /** Target of `#VirtualMedia.EjectMedia`; null where the device lacks the action. */
  ejectTarget: string | null;
  /** Target of `#VirtualMedia.InsertMedia`; null where the device lacks the action. */
  insertTarget: string | null;
  etag: string | null;
  /** The device that seems to be the same one, listed under the manager as well as under the system; null for most. */
  twin: MediaDevice | null;
}

/** A collection of virtual media or one of its devices, with the resource that the collection belongs to. */
export interface MediaPlace {
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

/** Reads the collection of virtual media at `place`, and each device whose document it does not contain as a whole. */
export async function readMediaCollection(client: RedfishClient, place: MediaPlace): Promise<Parts<MediaDevice>> {
  const { members, unreadable: links } = await getCollection(client, place.path);
  const read = (reader: RedfishClient, member: Member) => {
    const { path } = member;
    const slot = { path, id: lastSegment(path), mediaTypes: [], collection: place.path, owner: place.owner };
    return readMember(reader, { ...slot, inline: false }, member);
  };
  const { values, unreadable } = await readParts(client, members, ({ path }) => path, read, true);
  return { values, unreadable: [...links, ...unreadable] };
}

/**
 * Reads the devices in `slots` again, with one request each, or one for all devices that a collection contains. A device that
 * is gone is missing.
 */
export async function readMediaSlots(client: RedfishClient, slots: MediaSlot[]): Promise<Parts<MediaDevice>> {
  const collections = new Map<string, Promise<Collection>>();
  const read = async (reader: RedfishClient, slot: MediaSlot) => {
    if (!slot.inline) return readDevice(reader, slot);
    const collection = collections.get(slot.collection) ?? getCollection(reader, slot.collection);
    collections.set(slot.collection, collection);
    const member = (await collection).members.find(({ path }) => samePath(path, slot.path));
    return member === undefined ? null : readMember(reader, slot, member);
  };
  const { values, unreadable } = await readParts(client, slots, ({ path }) => path, read, true);
  return {
    values: values.filter((device) => device !== null),
    unreadable: unreadable.filter(({ error }) => !isNotFound(error)),
  };
}

/**
 * Reads one device again; null when it is gone.
 * @throws whatever a GET throws
 */
export async function readMediaSlot(client: RedfishClient, slot: MediaSlot): Promise<MediaDevice | null> {
  const { values, unreadable } = await readMediaSlots(client, [slot]);
  const [failed] = unreadable;
  if (failed !== undefined) throw failed.error;
  return values[0] ?? null;
}

/**
 * Reads a member from its collection where that contains all that is needed. A property that is absent there may be present
 * in the member's own document.
 */
async function readMember(client: RedfishClient, slot: MediaSlot, { document }: Member): Promise<MediaDevice> {
  if (document !== null && isWhole(document)) return toDevice(client, { ...slot, inline: true }, document, null);
  try {
    return await readDevice(client, { ...slot, inline: false });
  } catch (error) {
    asUnreadable(client, slot.path, error);
    if (document === null || insertedIn(document) === null) throw error;
    return toDevice(client, { ...slot, inline: true }, document, null);
  }
}

function isWhole(document: JsonObject): boolean {
  const { Inserted: inserted, MediaTypes: types } = document;
  const hasEject = textOf(actionOf(document, 'EjectMedia'), 'target') !== null;
  return typeof inserted === 'boolean' && Array.isArray(types) && hasEject;
}

function actionOf(document: JsonObject, name: string): JsonObject {
  return objectOf(objectOf(document, 'Actions'), `#VirtualMedia.${name}`);
}

async function readDevice(client: RedfishClient, slot: MediaSlot): Promise<MediaDevice> {
  const { document, headers } = await client.getResponse(slot.path);
  return toDevice(client, slot, document, headers.etag?.trim() || null);
}

/** Returns whether a device contains an image; null where nothing that was read shows it. */
function insertedIn(document: JsonObject): boolean | null {
  if (typeof document.Inserted === 'boolean') return document.Inserted;
  // VirtualMedia v1.0 has Inserted but does not require it.
  if (document.Image !== undefined) return textOf(document, 'Image') !== null;
  return document.ConnectedVia === 'NotConnected' ? false : null;
}

const MEDIA_TYPES = ['CD', 'DVD', 'USBStick', 'Floppy'];

/** Returns the media types as DSP0268 spells them; some BMCs write them in lower case, or one of them as a text. */
function mediaTypesOf({ MediaTypes: types }: JsonObject): string[] {
  const list = Array.isArray(types) ? types.filter((type) => typeof type === 'string') : [];
  const all = typeof types === 'string' ? [types] : list;
  return all.map((type) => MEDIA_TYPES.find((known) => known.toLowerCase() === type.toLowerCase()) ?? type);
}

function toDevice(client: RedfishClient, slot: MediaSlot, document: JsonObject, etag: string | null): MediaDevice {
  const inserted = insertedIn(document);
  if (inserted === null) {
    const url = client.origin + slot.path;
    const message = `HTTP GET ${url} does not show whether the device contains an image: Inserted and Image are missing`;
    throw new RedfishError('failed', message, { status: 200, url });
  }
  return {
    slot: {
      ...slot,
      id: textOf(document, 'Id') ?? slot.id,
      mediaTypes: mediaTypesOf(document),
    },
    inserted,
    image: textOf(document, 'Image'),
    ejectTarget: ownLinkPath(actionOf(document, 'EjectMedia').target, client.origin),
    insertTarget: ownLinkPath(actionOf(document, 'InsertMedia').target, client.origin),
    etag: etag ?? textOf(document, '@odata.etag'),
    twin: null,
  };
}
