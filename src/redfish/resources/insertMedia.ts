import { maskText } from '../../core/secrets.ts';
import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { hasMessage } from '../wire/messages.ts';
import { ejectDevice } from './ejectDevice.ts';
import { hasImage, insertDevice, type Medium } from './insertDevice.ts';
import { knownMediaSlots } from './knownMedia.ts';
import type { ChangeOptions } from './mediaChange.ts';
import { type MediaDevice, type MediaSlot, readMediaSlots } from './mediaDevice.ts';
import { confirmDiscovered } from './serviceRoot.ts';
import { findOnlySystem } from './system.ts';
import type { TaskListener } from './task.ts';
import type { Unreadable } from './unreadable.ts';
import { type MediaListing, MediaSearch, pairTwins, requireDevice } from './virtualMedia.ts';

/** The device that contains the image. */
export interface InsertedMedia {
  slot: Pick<MediaSlot, 'id' | 'path' | 'mediaTypes'>;
  /** `unchanged`: it contained this image already, and nothing was sent. */
  outcome: 'inserted' | 'unchanged';
  /** Whether it contained another image, which was ejected. */
  replaced: boolean;
  /** Devices that were tried before, with why they did not take the image. */
  refused: { slot: MediaSlot; reason: string }[];
}

interface InsertOptions extends ChangeOptions {
  /** The media types of the devices to use. */
  mediaTypes: readonly string[];
  /** What happens when every such device contains another image: nothing, or the first is ejected before. */
  ifInserted: 'refuse' | 'replace';
}

/** What was done so far. */
interface Progress {
  refused: InsertedMedia['refused'];
  /** The first refusal. */
  error: RedfishError | null;
  /** Whether an image was ejected. */
  ejected: MediaSlot | null;
}

/**
 * Inserts an image into the first empty device of the requested types, of the system at `systemPath`, or of the BMC's only
 * system when that is null. A device that refuses it is followed by the next: some slots are for local media only. A device that
 * contains the image already is left as it is.
 * @throws kind `occupied` when every such device contains another image; `unsupported` when there is none, or none takes images;
 *   the first refusal; `stopped`, with what had been sent and was found then, when the signal fires
 */
export async function insertMedia(
  client: RedfishClient,
  systemPath: string | null,
  medium: Medium,
  options: InsertOptions,
): Promise<InsertedMedia> {
  const done: Progress = { refused: [], error: null, ejected: null };
  try {
    const inserted = await insertSomewhere(client, systemPath, medium, options, done);
    options.progress(1, 'Done');
    return inserted;
  } catch (error) {
    const { aborted, reason } = client.signal;
    const stopped = error instanceof RedfishError && error.kind === 'stopped';
    const isAbort = aborted && error === reason;
    if (isAbort || (stopped && describe(done) !== '')) {
      const last = stopped ? error.message : `no ${done.refused.length > 0 ? 'other ' : ''}insert was sent`;
      const message = [describe(done), last].filter((text) => text !== '').join('; ');
      throw new RedfishError('stopped', message, { url: client.origin, cause: reason });
    }
    throw error instanceof RedfishError && !stopped ? withDone(error, done) : error;
  }
}

async function insertSomewhere(
  client: RedfishClient,
  systemPath: string | null,
  medium: Medium,
  options: InsertOptions,
  done: Progress,
): Promise<InsertedMedia> {
  options.progress(null, 'Looking for virtual media');
  await confirmDiscovered(client);
  const system = systemPath ?? (await findOnlySystem(client));
  const { devices, unreadable } = await selectDevices(client, system, medium, options.mediaTypes);
  const same = devices.find((device) => hasImage(device, medium.image));
  if (same !== undefined) return { slot: same.slot, outcome: 'unchanged', replaced: false, refused: [] };
  const full = devices.filter(({ inserted }) => inserted);
  const empty = devices.filter(({ inserted }) => !inserted);
  const found = await insertInto(client, empty, medium, options, done);
  if (found !== null) return found;
  if (options.ifInserted === 'replace' && mayTakeElsewhere(done)) {
    const replaced = await replaceIn(client, full, medium, options, done);
    if (replaced !== null) return replaced;
  } else if (empty.length === 0) throw occupiedError(client, full, unreadable, options.mediaTypes);
  if (done.error !== null) throw done.error;
  const ids = devices.map(({ slot }) => slot.id).join(', ');
  const reason = ids === '' ? 'The BMC lists no virtual media device' : `The BMC supports no insert into ${ids}`;
  throw new RedfishError('unsupported', reason, { url: client.origin });
}

/** Whether what was tried refused as a device (Cisco UCS: local media only), not the image: else no image is ejected for it. */
function mayTakeElsewhere({ error }: Progress): boolean {
  return error === null || hasMessage(error.extendedInfo, 'ActionNotSupported');
}

/** Inserts into the first of `devices` that takes the image; null when none does. */
async function insertInto(
  client: RedfishClient,
  devices: MediaDevice[],
  medium: Medium,
  options: InsertOptions,
  done: Progress,
): Promise<InsertedMedia | null> {
  for (const device of devices) {
    const { slot } = device;
    options.progress(null, `Inserting into ${slot.id}`);
    const listener = taskProgress(`Inserting into ${slot.id}`, options);
    try {
      const outcome = await insertDevice(client, device, medium, options, listener);
      if (outcome === 'inserted') return { slot, outcome, replaced: done.ejected === slot, refused: done.refused };
      done.refused.push({ slot, reason: 'The BMC supports no insert into it' });
    } catch (error) {
      if (!(error instanceof RedfishError) || error.kind !== 'refused') throw error;
      done.error ??= error;
      done.refused.push({ slot, reason: error.message });
    }
    // Seems to be the same device, which may take there what it does not here.
    if (device.twin !== null) {
      const there = await insertInto(client, [device.twin], medium, options, done);
      if (there !== null) return there;
    }
  }
  return null;
}

/** Ejects the first of `devices` that can be emptied, and inserts into it; null when none takes the image. */
async function replaceIn(
  client: RedfishClient,
  devices: MediaDevice[],
  medium: Medium,
  options: InsertOptions,
  done: Progress,
): Promise<InsertedMedia | null> {
  for (const device of devices) {
    const { slot } = device;
    options.progress(null, `Ejecting ${slot.id}`);
    const outcome = await ejectDevice(client, device, options, taskProgress(`Ejecting ${slot.id}`, options));
    if (outcome === 'skipped') {
      done.refused.push({ slot, reason: 'The BMC supports no eject of it' });
      continue;
    }
    done.ejected = slot;
    // The eject has changed its ETag.
    const { values: emptied } = await readMediaSlots(client, [slot]);
    if (emptied.length === 0) done.refused.push({ slot, reason: 'The BMC does not list it while it is empty' });
    // One image is ejected at most.
    return insertInto(
      client,
      emptied.map((now) => ({ ...now, slot })),
      medium,
      options,
      done,
    );
  }
  return null;
}

function taskProgress(step: string, { progress }: InsertOptions): TaskListener {
  return (percent, message) => progress(percent === null ? null : Math.min(percent / 100, 1), `${step}: ${message}`);
}

/**
 * Reads the devices of the requested types: those of the system's own collection when one of them is empty or contains the
 * image, else also those of its managers. Known slots are read directly.
 */
async function selectDevices(
  client: RedfishClient,
  systemPath: string,
  medium: Medium,
  types: readonly string[],
): Promise<Pick<MediaListing, 'devices' | 'unreadable'>> {
  const matches = ({ slot }: { slot: MediaSlot }) => slot.mediaTypes.some((type) => types.includes(type));
  const suffice = (devices: MediaDevice[]) =>
    devices.some((device) => !device.inserted || hasImage(device, medium.image));
  const known = knownMediaSlots(client, systemPath, true);
  const slots = known?.slots.filter((slot) => matches({ slot })) ?? [];
  if (known !== null && slots.length > 0) {
    const { values, unreadable } = await readMediaSlots(client, slots);
    if (unreadable.length === 0 && values.length === slots.length && suffice(values)) {
      return { devices: pairTwins(values), unreadable: known.unreadable };
    }
  }
  const search = new MediaSearch(client, systemPath);
  const own = await search.own();
  const ownDevices = own.devices.filter(matches);
  if (suffice(ownDevices)) return { devices: ownDevices, unreadable: own.unreadable };
  const listing = await search.all();
  const devices = listing.devices.filter(matches);
  requireDevice(client, listing, devices, types);
  return { devices, unreadable: listing.unreadable };
}

function occupiedError(
  client: RedfishClient,
  devices: MediaDevice[],
  unreadable: Unreadable[],
  types: readonly string[],
): RedfishError {
  const kind = types.join(' or ');
  if (devices.length === 0) {
    const message = `The BMC lists no virtual media device for ${kind}, and may list one only while it contains an image`;
    return new RedfishError('unsupported', message, { url: client.origin });
  }
  const contents = devices.map(({ slot, image }) => `${slot.id} contains ${image === null ? 'one' : maskText(image)}`);
  const others = unreadable.map(({ path }) => `${path} could not be read`);
  const message = `Every virtual media device for ${kind} contains an image already: ${[...contents, ...others].join('; ')}. Eject it first`;
  return new RedfishError('occupied', message, { url: client.origin });
}

/** Adds what was done before to an error. */
function withDone(error: RedfishError, done: Progress): RedfishError {
  const others = { ...done, refused: done.refused.filter(({ reason }) => reason !== error.message) };
  const before = describe(others);
  if (before === '') return error;
  const { kind, status, extendedInfo, url } = error;
  return new RedfishError(kind, `${error.message}; ${before}`, { status, extendedInfo, url, cause: error });
}

function describe({ ejected, refused }: Progress): string {
  const texts = refused.map(({ slot, reason }) => `${slot.id}: ${reason}`);
  return (ejected === null ? texts : [`${ejected.id}: ejected`, ...texts]).join('; ');
}
