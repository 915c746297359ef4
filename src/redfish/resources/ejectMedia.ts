import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { type EjectDeviceOptions, type EjectOutcome, ejectDevice, isInserted } from './ejectDevice.ts';
import { confirmDiscovered } from './serviceRoot.ts';
import { findOnlySystem } from './system.ts';
import type { TaskListener } from './task.ts';
import {
  discoveredMediaSlots,
  listMediaDevices,
  type MediaDevice,
  type MediaSlot,
  pairTwins,
  readMediaDevices,
} from './virtualMedia.ts';

interface EjectedDevice {
  slot: MediaSlot;
  /** `empty`: it contained no image. */
  outcome: EjectOutcome | 'empty';
}

interface EjectOptions extends EjectDeviceOptions {
  /** Restricts the eject to devices of these media types; null: all devices. */
  mediaTypes: readonly string[] | null;
}

/** The outcomes of the devices so far. */
interface Outcomes {
  results: EjectedDevice[];
  failures: { slot: MediaSlot; error: RedfishError }[];
}

/**
 * Ejects the virtual media of the system at `systemPath`, or of the BMC's only system when that is null. Reads each device
 * back, and returns the outcome of each.
 * @throws kind `unsupported` when there are no virtual media, none of the requested types, or none that can be ejected; the
 *   first device's error, with the outcomes of all, when one could not be emptied; `stopped`, with what had been sent and
 *   what was found then, when the signal fires
 */
export async function ejectMedia(
  client: RedfishClient,
  systemPath: string | null,
  options: EjectOptions,
): Promise<EjectedDevice[]> {
  const outcomes: Outcomes = { results: [], failures: [] };
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
  return results;
}

/** Ejects the devices in turn, and adds the outcome of each. */
async function ejectEach(
  client: RedfishClient,
  systemPath: string | null,
  options: EjectOptions,
  { results, failures }: Outcomes,
): Promise<void> {
  options.progress(null, 'Looking for virtual media');
  await confirmDiscovered(client);
  const system = systemPath ?? (await findOnlySystem(client));
  const devices = await selectDevices(client, system, options.mediaTypes);
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

/**
 * Reads the devices of the requested types. Discovered slots are read directly; when none of them contains an image, the
 * collections are read again, because some BMCs list a device only while it contains one.
 */
async function selectDevices(
  client: RedfishClient,
  systemPath: string,
  types: EjectOptions['mediaTypes'],
): Promise<MediaDevice[]> {
  const matches = ({ mediaTypes }: MediaSlot) => types === null || mediaTypes.some((type) => types.includes(type));
  const slots = (discoveredMediaSlots(client, systemPath) ?? []).filter(matches);
  if (slots.length > 0) {
    const devices = await readMediaDevices(client, slots);
    const existing = devices.filter((device) => device !== null);
    if (existing.length === slots.length && existing.some(({ inserted }) => inserted)) return pairTwins(existing);
  }
  const all = await listMediaDevices(client, systemPath);
  const unsupported = (message: string) => new RedfishError('unsupported', message, { url: client.origin });
  if (all.length === 0)
    throw unsupported('The BMC has no virtual media, neither under the system nor under its managers');
  const selected = all.filter(({ slot }) => matches(slot));
  if (selected.length > 0) return selected;
  const offered = all.map(({ slot }) => `${slot.id} (${slot.mediaTypes.join(', ')})`).join('; ');
  throw unsupported(`The BMC has no virtual media device for ${types?.join(' or ')}; it has ${offered}`);
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

function describeOutcomes({ results, failures }: Outcomes): string[] {
  return [
    ...results.map(({ slot, outcome }) => `${slot.id}: ${outcome}`),
    ...failures.map(({ slot, error: { message } }) => `${slot.id}: ${message}`),
  ];
}
