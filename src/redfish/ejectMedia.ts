import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './answer.ts';
import type { RedfishClient, RequestOptions } from './client.ts';
import { getCollection } from './collection.ts';
import { hasStatus, RedfishError } from './errors.ts';
import { samePath } from './paths.ts';
import { confirmKnown } from './serviceRoot.ts';
import { followTask, type TaskListener } from './task.ts';
import {
  knownMediaSlots,
  listMediaDevices,
  type MediaDevice,
  type MediaSlot,
  pairTwins,
  readMediaDevices,
} from './virtualMedia.ts';

/** What became of a device: emptied, empty from the start, or of a kind that cannot be ejected. */
export type EjectOutcome = 'ejected' | 'empty' | 'skipped';

export interface EjectedDevice {
  slot: MediaSlot;
  outcome: EjectOutcome;
}

export interface EjectOptions extends RequestOptions {
  /** Only devices of one of these media types; null: all that hold an image. */
  mediaTypes: readonly string[] | null;
  /** Told of each step; `fraction` from 0 to 1, null when unknown. */
  progress: (fraction: number | null, message: string) => void;
  /** Milliseconds until a device that still reports its image counts as not emptied. Default 30 s; iDRAC is slow to tell. */
  confirmMs?: number;
}

const CONFIRM_MS = 30_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 3000;

/**
 * Ejects the virtual media of the system at `systemPath` and answers what became of each device, having read it back.
 * @throws kind `unsupported` when there are no virtual media, or none of the wanted type, or none that can be ejected;
 *   the first device's error, with the fate of all, when one could not be emptied
 */
export async function ejectMedia(
  client: RedfishClient,
  systemPath: string,
  options: EjectOptions,
): Promise<EjectedDevice[]> {
  options.progress(null, 'Looking for virtual media');
  await confirmKnown(client, options);
  const devices = await wantedDevices(client, systemPath, options);
  const results: EjectedDevice[] = [];
  const failures: { slot: MediaSlot; error: RedfishError }[] = [];
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
      if (!(error instanceof RedfishError)) throw error;
      failures.push({ slot: (left ?? device).slot, error });
    }
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

async function ejectDevice(
  client: RedfishClient,
  device: MediaDevice,
  options: EjectOptions,
  listener: TaskListener,
): Promise<EjectOutcome> {
  const { slot, ejectTarget } = device;
  try {
    const answer =
      ejectTarget === null ? await patchEmpty(client, device, options) : await postEject(client, ejectTarget, options);
    await followTask(client, answer, { ...options, listener });
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    const inserted = await isInserted(client, slot, options).catch(() => null);
    options.signal.throwIfAborted();
    // Whatever went wrong, an empty device is what was wanted.
    if (inserted === false) return 'ejected';
    // Cisco C845A M8: some slots have no actions, or answer 405.
    if ([405, 501].includes(error.status)) return 'skipped';
    if (error.kind !== 'outcome-unknown') throw error;
    const found =
      inserted === null
        ? `The BMC could not be asked whether ${slot.id} is empty now; look before ejecting again`
        : `${slot.id} still holds an image; eject it again`;
    throw new RedfishError('outcome-unknown', `${error.message}. ${found}`, { url: error.url, cause: error });
  }
  await confirmEmpty(client, slot, options);
  return 'ejected';
}

/**
 * Whether a device holds an image now. One that is gone does not, if its collection is there without it: a BMC that starts
 * answers 404 to everything.
 */
async function isInserted(client: RedfishClient, slot: MediaSlot, options: EjectOptions): Promise<boolean> {
  const [now] = await readMediaDevices(client, [slot], options);
  if (now !== null && now !== undefined) return now.inserted;
  const { members } = await getCollection(client, slot.collection, options);
  if (!members.some(({ path }) => samePath(path, slot.path))) return false;
  throw new RedfishError('failed', `The BMC lists ${slot.id} but does not show it`, { url: client.origin + slot.path });
}

/** The action without a body; HPE iLO wants an empty object and answers 400 or 415 else. */
async function postEject(client: RedfishClient, target: string, options: RequestOptions): Promise<Answer> {
  try {
    return await client.post(target, null, options);
  } catch (error) {
    if (!hasStatus(error, 400, 411, 415)) throw error;
    return client.post(target, {}, options);
  }
}

/**
 * Devices without the action (Lenovo XCC) are emptied by PATCH under the ETag. After a 412 the device is read again: where
 * its ETag has changed, that one is tried in the same form, once; where not, the form is one that the BMC does not compare.
 * So a device gets six requests at most, and none once it is found empty.
 */
async function patchEmpty(client: RedfishClient, device: MediaDevice, options: RequestOptions): Promise<Answer> {
  let { etag } = device;
  let triedAgain = false;
  for (let form = 0; ; ) {
    const match = etagForms(etag)[form] ?? null;
    try {
      return await client.patch(
        device.slot.path,
        { Image: null, Inserted: false },
        { ...options, headers: { ...options.headers, ...(match === null ? {} : { 'if-match': match }) } },
      );
    } catch (error) {
      if (!hasStatus(error, 412)) throw error;
      const [now] = await readMediaDevices(client, [device.slot], options);
      if (!now?.inserted) throw error;
      const changed: boolean = now.etag !== etag && !triedAgain;
      triedAgain = changed;
      if (!changed) form++;
      if (form >= etagForms(now.etag).length) throw error;
      etag = now.etag;
    }
  }
}

/** How BMCs want an ETag back: as it is, the strong form of a weak one (sushy tries it second), without quotes (some XCC). */
function etagForms(etag: string | null): (string | null)[] {
  if (etag === null) return [null];
  const strong = etag.replace(/^W\//, '');
  return [...new Set([etag, strong, strong.replaceAll('"', '')])];
}

/** Reads the device until it is empty, or gone from a collection that is there. */
async function confirmEmpty(client: RedfishClient, slot: MediaSlot, options: EjectOptions): Promise<void> {
  const limit = options.confirmMs ?? CONFIRM_MS;
  const end = performance.now() + limit;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    let seen: string;
    try {
      if (!(await isInserted(client, slot, options))) return;
      seen = `it reports an image in ${slot.id}`;
    } catch (error) {
      // The eject was accepted; a failing look must not pass for a failing eject.
      if (!(error instanceof RedfishError)) throw error;
      seen = `${slot.id} cannot be read: ${error.message}`;
    }
    if (performance.now() + wait > end) {
      const message = `The BMC accepted the eject, but ${limit / 1000} s later ${seen}`;
      throw new RedfishError('outcome-unknown', message, { url: client.origin + slot.path });
    }
    options.progress(null, `Waiting for ${slot.id} to be empty`);
    await sleep(wait, undefined, { signal: options.signal }).catch(() => options.signal.throwIfAborted());
  }
}

/** `error`, told with what became of every device when there were several. */
function withFates(
  error: RedfishError,
  results: EjectedDevice[],
  failures: { slot: MediaSlot; error: RedfishError }[],
): RedfishError {
  if (results.length + failures.length === 1) return error;
  const fates = [
    ...results.map(({ slot, outcome }) => `${slot.id}: ${outcome}`),
    ...failures.map(({ slot, error: { message } }) => `${slot.id}: ${message}`),
  ];
  const { status, extendedInfo, url } = error;
  return new RedfishError(error.kind, fates.join('; '), { status, extendedInfo, url, cause: error });
}
