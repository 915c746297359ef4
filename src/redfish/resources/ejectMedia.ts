import type { RedfishClient } from '../client.ts';
import { RedfishError } from '../errors.ts';
import { type EjectDeviceOptions, type EjectOutcome, ejectDevice, isInserted } from './ejectDevice.ts';
import { confirmKnown } from './serviceRoot.ts';
import { findOnlySystem } from './system.ts';
import type { TaskListener } from './task.ts';
import {
  knownMediaSlots,
  listMediaDevices,
  type MediaDevice,
  type MediaSlot,
  pairTwins,
  readMediaDevices,
} from './virtualMedia.ts';

export interface EjectedDevice {
  slot: MediaSlot;
  /** `empty`: it was from the start. */
  outcome: EjectOutcome | 'empty';
}

export interface EjectOptions extends EjectDeviceOptions {
  /** Only devices of one of these media types; null: all that hold an image. */
  mediaTypes: readonly string[] | null;
}

/**
 * Ejects the virtual media of the system at `systemPath`, of the BMC's only one when that is null, and answers what became of each device, having read it back.
 * @throws kind `unsupported` when there are no virtual media, or none of the wanted type, or none that can be ejected;
 *   the first device's error, with the fate of all, when one could not be emptied; `stopped`, with what had been sent and
 *   what was found then, when the signal fires
 */
export async function ejectMedia(
  client: RedfishClient,
  systemPath: string | null,
  options: EjectOptions,
): Promise<EjectedDevice[]> {
  const results: EjectedDevice[] = [];
  const failures: EjectFailure[] = [];
  try {
    await ejectEach(client, systemPath, options, results, failures);
  } catch (error) {
    const stopped = error instanceof RedfishError && error.kind === 'stopped';
    if (!stopped && (!options.signal.aborted || error !== options.signal.reason)) throw error;
    const some = failures.length > 0 || results.some(({ outcome }) => outcome !== 'empty');
    const last = stopped ? error.message : `no ${some ? 'other ' : ''}eject was sent`;
    const told = [...fatesOf(results, failures), last].join('; ');
    throw new RedfishError('stopped', told, { url: client.origin, cause: options.signal.reason });
  }
  const [first] = failures;
  if (first !== undefined) throw withFates(first.error, results, failures);
  if (
    results.length > 0 &&
    results.some((r) => r.outcome === 'skipped') &&
    !results.some((r) => r.outcome === 'ejected')
  ) {
    const ids = results.filter((r) => r.outcome === 'skipped').map(({ slot }) => slot.id);
    throw new RedfishError('unsupported', `The BMC offers no way to eject ${ids.join(', ')}`, { url: client.origin });
  }
  options.progress(1, 'Done');
  return results;
}

interface EjectFailure {
  slot: MediaSlot;
  error: RedfishError;
}

/** Ejects one device after another, and adds what became of each to `results` or `failures`. */
async function ejectEach(
  client: RedfishClient,
  systemPath: string | null,
  options: EjectOptions,
  results: EjectedDevice[],
  failures: EjectFailure[],
): Promise<void> {
  options.progress(null, 'Looking for virtual media');
  await confirmKnown(client, options);
  const system = systemPath ?? (await findOnlySystem(client, options));
  const devices = await wantedDevices(client, system, options);
  for (const [index, device] of devices.entries()) {
    if (!device.inserted) {
      results.push({ slot: device.slot, outcome: 'empty' });
      continue;
    }
    let left: MediaDevice | null = null;
    options.progress(index / devices.length, `Ejecting ${device.slot.id}`);
    const listener = shareOf(index, devices, options);
    try {
      const outcome = await ejectDevice(client, device, options, listener);
      results.push({ slot: device.slot, outcome });
      left = await leftTwin(client, device, outcome, options);
      if (left !== null) {
        const twins = await ejectDevice(client, left, options, listener);
        if (outcome !== 'skipped' || twins !== 'skipped') results.push({ slot: left.slot, outcome: twins });
      }
    } catch (error) {
      if (!(error instanceof RedfishError) || error.kind === 'stopped') throw error;
      failures.push({ slot: (left ?? device).slot, error });
    }
  }
}

/** Tells how far the task is that ejects the device at `index`, as a part of all; never less than was told before. */
function shareOf(index: number, devices: MediaDevice[], { progress }: EjectOptions): TaskListener {
  let done = 0;
  return (percent, message) => {
    done = Math.max(done, Math.min((percent ?? 0) / 100, 1));
    progress((index + done) / devices.length, `Ejecting ${devices[index]!.slot.id}: ${message}`);
  };
}

/**
 * The devices to look at, read just now. Known slots are read without asking where they are; when none of them holds an
 * image, the collections are read again, for some BMCs list a device only while it holds one.
 */
async function wantedDevices(client: RedfishClient, systemPath: string, options: EjectOptions): Promise<MediaDevice[]> {
  const wanted = ({ mediaTypes }: MediaSlot) =>
    options.mediaTypes === null || mediaTypes.some((type) => options.mediaTypes!.includes(type));
  const slots = (knownMediaSlots(client, systemPath) ?? []).filter(wanted);
  if (slots.length > 0) {
    const devices = await readMediaDevices(client, slots, options);
    const there = devices.filter((device) => device !== null);
    if (there.length === slots.length && there.some(({ inserted }) => inserted)) return pairTwins(there);
  }
  const all = await listMediaDevices(client, systemPath, options);
  const unsupported = (what: string) => new RedfishError('unsupported', what, { url: client.origin });
  if (all.length === 0)
    throw unsupported('The BMC has no virtual media, neither under the system nor under its managers');
  const some = all.filter(({ slot }) => wanted(slot));
  if (some.length > 0) return some;
  const offered = all.map(({ slot }) => `${slot.id} (${slot.mediaTypes.join(', ')})`).join('; ');
  throw unsupported(`The BMC has no virtual media device for ${options.mediaTypes?.join(' or ')}; it has ${offered}`);
}

/** The twin of a device that has been dealt with, when it holds an image yet and so is another device, or may be. */
async function leftTwin(
  client: RedfishClient,
  { twin }: MediaDevice,
  outcome: EjectOutcome,
  options: EjectOptions,
): Promise<MediaDevice | null> {
  if (twin === null) return null;
  // A twin with a way to be ejected serves where the device has none.
  if (outcome === 'skipped') return twin;
  const inserted = await isInserted(client, twin.slot, options).catch((error: unknown) => {
    if (!(error instanceof RedfishError)) throw error;
    return true;
  });
  options.signal.throwIfAborted();
  return inserted ? twin : null;
}

/** `error`, told with what became of every device when there were several. */
function withFates(error: RedfishError, results: EjectedDevice[], failures: EjectFailure[]): RedfishError {
  if (results.length + failures.length === 1) return error;
  const fates = fatesOf(results, failures);
  const { status, extendedInfo, url } = error;
  return new RedfishError(error.kind, fates.join('; '), { status, extendedInfo, url, cause: error });
}

function fatesOf(results: EjectedDevice[], failures: EjectFailure[]): string[] {
  return [
    ...results.map(({ slot, outcome }) => `${slot.id}: ${outcome}`),
    ...failures.map(({ slot, error: { message } }) => `${slot.id}: ${message}`),
  ];
}
