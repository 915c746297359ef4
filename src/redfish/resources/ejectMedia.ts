import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { lastSegment } from '../links.ts';
import { type EjectOutcome, ejectDevice, isInserted } from './ejectDevice.ts';
import { knownMediaSlots } from './knownMedia.ts';
import type { ChangeOptions } from './mediaChange.ts';
import { type MediaDevice, type MediaSlot, readMediaSlots } from './mediaDevice.ts';
import { confirmDiscovered } from './serviceRoot.ts';
import { findOnlySystem } from './system.ts';
import type { TaskListener } from './task.ts';
import type { Unreadable } from './unreadable.ts';
import { type MediaListing, MediaSearch, pairTwins, requireDevice } from './virtualMedia.ts';

/** What became of a device, or of a part of the machine that may have devices. */
interface EjectedDevice {
  slot: Pick<MediaSlot, 'id' | 'path' | 'mediaTypes'>;
  /** `empty`: it contained no image; `unreadable`: it could not be read, so that nothing was done to it. */
  outcome: EjectOutcome | 'empty' | 'unreadable';
  /** The BMC's own words, for `unreadable`. */
  reason?: string;
}

interface EjectOptions extends ChangeOptions {
  /** Restricts the eject to devices of these media types; null: all devices. */
  mediaTypes: readonly string[] | null;
}

/** The outcomes of the devices so far. */
interface Outcomes {
  results: EjectedDevice[];
  failures: { slot: MediaSlot; error: RedfishError }[];
  /** The parts that could not be read. */
  unreadable: Unreadable[];
}

/**
 * Ejects the virtual media of the system at `systemPath`, or of the BMC's only system when that is null. Reads each device
 * back, and returns the outcome of each. What could not be read is named in the result.
 * @throws kind `unsupported` when there are no virtual media, none of the requested types, or none that can be ejected; the
 *   first device's error, with the outcomes of all, when one could not be emptied; that of a part that could not be read,
 *   when no device could; `stopped`, with what had been sent and
 *   what was found then, when the signal fires
 */
export async function ejectMedia(
  client: RedfishClient,
  systemPath: string | null,
  options: EjectOptions,
): Promise<EjectedDevice[]> {
  const outcomes: Outcomes = { results: [], failures: [], unreadable: [] };
  const { results, failures } = outcomes;
  try {
    await ejectEach(client, systemPath, options, outcomes);
  } catch (error) {
    const { aborted, reason } = client.signal;
    const stopped = error instanceof RedfishError && error.kind === 'stopped';
    if (!stopped && (!aborted || error !== reason)) throw error;
    const some = failures.length > 0 || results.some(({ outcome }) => outcome !== 'empty');
    const last = stopped ? error.message : `no ${some ? 'other ' : ''}eject was sent`;
    const message = [...describeOutcomes(outcomes), last].join('; ');
    throw new RedfishError('stopped', message, { url: client.origin, cause: reason });
  }
  const [first] = failures;
  if (first !== undefined) throw withOutcomes(first.error, outcomes);
  const skipped = results.filter(({ outcome }) => outcome === 'skipped');
  if (skipped.length > 0 && !results.some(({ outcome }) => outcome === 'ejected')) {
    const ids = skipped.map(({ slot }) => slot.id).join(', ');
    throw new RedfishError('unsupported', `The BMC does not support ejecting ${ids}`, { url: client.origin });
  }
  options.progress(1, 'Done');
  return [...results, ...outcomes.unreadable.map(toUnreadableDevice)];
}

function toUnreadableDevice({ path, error }: Unreadable): EjectedDevice {
  return { slot: { id: lastSegment(path), path, mediaTypes: [] }, outcome: 'unreadable', reason: error.message };
}

/** Ejects the devices in turn, and adds the outcome of each. */
async function ejectEach(
  client: RedfishClient,
  systemPath: string | null,
  options: EjectOptions,
  outcomes: Outcomes,
): Promise<void> {
  const { results, failures } = outcomes;
  options.progress(null, 'Looking for virtual media');
  await confirmDiscovered(client);
  const system = systemPath ?? (await findOnlySystem(client));
  const { devices, unreadable } = await selectDevices(client, system, options.mediaTypes);
  outcomes.unreadable = unreadable;
  for (const [index, device] of devices.entries()) {
    if (!device.inserted) {
      results.push({ slot: device.slot, outcome: 'empty' });
      continue;
    }
    let twin: MediaDevice | null = null;
    options.progress(index / devices.length, `Ejecting ${device.slot.id}`);
    const listener = taskProgress(index, devices, options);
    try {
      const outcome = await ejectDevice(client, device, options, listener);
      results.push({ slot: device.slot, outcome });
      twin = await findInsertedTwin(client, device, outcome);
      if (twin !== null) {
        const second = await ejectDevice(client, twin, options, listener);
        if (outcome !== 'skipped' || second !== 'skipped') results.push({ slot: twin.slot, outcome: second });
      }
    } catch (error) {
      if (!(error instanceof RedfishError) || error.kind === 'stopped') throw error;
      failures.push({ slot: (twin ?? device).slot, error });
    }
  }
}

/** Reports the task that ejects the device at `index` as a fraction of all devices, which never decreases. */
function taskProgress(index: number, devices: MediaDevice[], { progress }: EjectOptions): TaskListener {
  let done = 0;
  return (percent, message) => {
    done = Math.max(done, Math.min((percent ?? 0) / 100, 1));
    progress((index + done) / devices.length, `Ejecting ${devices[index]!.slot.id}: ${message}`);
  };
}

/** The devices of the requested types, and the parts that could not be read. */
type Selection = Pick<MediaListing, 'devices' | 'unreadable'>;

/**
 * Reads the devices of the requested types. Known slots are read directly; when none of them contains an image, the
 * collections are read again, because some BMCs list a device only while it contains one. Where types are requested and one
 * of the system's own devices contains an image, the managers are not searched.
 */
async function selectDevices(
  client: RedfishClient,
  systemPath: string,
  types: EjectOptions['mediaTypes'],
): Promise<Selection> {
  const matches = ({ slot }: { slot: MediaSlot }) =>
    types === null || slot.mediaTypes.some((type) => types.includes(type));
  const known = await readKnown(client, systemPath, types !== null, matches);
  if (known !== null) return known;
  const search = new MediaSearch(client, systemPath);
  if (types !== null) {
    const { devices, unreadable } = await search.own();
    const selected = devices.filter(matches);
    if (selected.some(({ inserted }) => inserted)) return { devices: selected, unreadable };
  }
  const listing = await search.all();
  const selected = listing.devices.filter(matches);
  requireDevice(client, listing, selected, types);
  return { devices: selected, unreadable: listing.unreadable };
}

/** Reads the devices of known slots; null when that does not show enough. */
async function readKnown(
  client: RedfishClient,
  systemPath: string,
  ownSuffice: boolean,
  matches: (device: { slot: MediaSlot }) => boolean,
): Promise<Selection | null> {
  const known = knownMediaSlots(client, systemPath, ownSuffice);
  const slots = known?.slots.filter((slot) => matches({ slot })) ?? [];
  if (known === null || slots.length === 0) return null;
  const { values: devices, unreadable } = await readMediaSlots(client, slots);
  if (unreadable.length > 0 || devices.length < slots.length) return null;
  if (!devices.some(({ inserted }) => inserted)) return null;
  return { devices: pairTwins(devices), unreadable: known.unreadable };
}

/** Returns the twin of an ejected device when it still contains an image, and so is or may be another device. */
async function findInsertedTwin(
  client: RedfishClient,
  { twin }: MediaDevice,
  outcome: EjectOutcome,
): Promise<MediaDevice | null> {
  // A twin may support the eject where the device does not.
  if (twin === null || outcome === 'skipped') return twin;
  const inserted = await isInserted(client, twin.slot).catch((error: unknown) => {
    if (!(error instanceof RedfishError)) throw error;
    return true;
  });
  client.signal.throwIfAborted();
  return inserted ? twin : null;
}

/** Adds the outcomes of all devices to `error` when there were several. */
function withOutcomes(error: RedfishError, outcomes: Outcomes): RedfishError {
  const texts = describeOutcomes(outcomes);
  if (texts.length === 1) return error;
  const { status, extendedInfo, url } = error;
  return new RedfishError(error.kind, texts.join('; '), { status, extendedInfo, url, cause: error });
}

function describeOutcomes({ results, failures, unreadable }: Outcomes): string[] {
  return [
    ...results.map(({ slot, outcome }) => `${slot.id}: ${outcome}`),
    ...failures.map(({ slot, error: { message } }) => `${slot.id}: ${message}`),
    ...unreadable.map(({ path, error: { message } }) => `${lastSegment(path)}: unreadable (${message})`),
  ];
}
