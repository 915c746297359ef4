import { pause } from '../../core/waiting.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { hasStatus, RedfishError } from '../errors.ts';
import { samePath } from '../links.ts';
import type { Answer } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { followTask, type TaskListener } from './task.ts';
import { type MediaDevice, type MediaSlot, readMediaDevices } from './virtualMedia.ts';

/** What became of a device that held an image: emptied, or of a kind that cannot be ejected. */
export type EjectOutcome = 'ejected' | 'skipped';

export interface EjectDeviceOptions extends RequestOptions {
  /** Told of each step; `fraction` from 0 to 1, null when unknown. */
  progress: (fraction: number | null, message: string) => void;
  /** Milliseconds until a device that still reports its image counts as not emptied. Default 30 s; iDRAC is slow to tell. */
  confirmMs?: number;
}

/** How far the eject of a device has come; `accepted` is any answer of success. */
interface Course {
  stage: 'not sent' | 'sent' | 'refused' | 'accepted';
}

/** Sends a request that is to empty the device with the options that it is given. */
type Change = (send: (options: RequestOptions) => Promise<Answer>) => Promise<Answer>;

const CONFIRM_MS = 30_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 3000;
/** For the look at a device whose eject was stopped; less than a cancelled job is waited for. */
const LOOK_MS = 2000;

/**
 * Ejects `device`, which held an image when it was read, and reads it back.
 * @throws kind `outcome-unknown`, with what was found, when the eject was sent and the device does not show as empty;
 *   `stopped`, with how far it had come and what was found, when the signal fires; the BMC's refusal
 */
export async function ejectDevice(
  client: RedfishClient,
  device: MediaDevice,
  options: EjectDeviceOptions,
  listener: TaskListener,
): Promise<EjectOutcome> {
  const course: Course = { stage: 'not sent' };
  try {
    return await carryOut(client, device, course, options, listener);
  } catch (error) {
    if (!options.signal.aborted || error !== options.signal.reason) throw error;
    throw await stopped(client, device.slot, course.stage, options);
  }
}

async function carryOut(
  client: RedfishClient,
  device: MediaDevice,
  course: Course,
  options: EjectDeviceOptions,
  listener: TaskListener,
): Promise<EjectOutcome> {
  const { slot, ejectTarget } = device;
  try {
    const change: Change = (send) => noting(course, options, send);
    const answer =
      ejectTarget === null
        ? await patchEmpty(client, device, change, options)
        : await postEject(client, ejectTarget, change);
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

/** Sends one request that is to empty the device, and notes how far it came. */
async function noting(course: Course, options: RequestOptions, send: Parameters<Change>[0]): Promise<Answer> {
  const beforeSend = () => {
    options.beforeSend?.();
    course.stage = 'sent';
  };
  try {
    const answer = await send({ ...options, beforeSend });
    course.stage = 'accepted';
    return answer;
  } catch (error) {
    if (error instanceof RedfishError && error.kind !== 'outcome-unknown') course.stage = 'refused';
    throw error;
  }
}

/** How far an eject had come whose caller wants no more, and what there is to see now: a look that nobody waits for long. */
async function stopped(
  client: RedfishClient,
  slot: MediaSlot,
  stage: Course['stage'],
  options: EjectDeviceOptions,
): Promise<RedfishError> {
  const error = (told: string) =>
    new RedfishError('stopped', `${slot.id}: ${told}`, { url: client.origin, cause: options.signal.reason });
  if (stage === 'not sent') return error('its eject was not sent');
  if (stage === 'refused') return error('the BMC had refused its eject, and no other was sent');
  const signal = AbortSignal.timeout(LOOK_MS);
  const found = await isInserted(client, slot, { ...options, signal }).then(
    (inserted) => (inserted ? 'it still holds an image' : 'it is empty now'),
    () => 'the BMC could not be asked whether it is empty now',
  );
  return error(
    stage === 'sent'
      ? `its eject was sent and had no answer yet, so its outcome is unknown; ${found}`
      : `the BMC had accepted its eject; ${found}`,
  );
}

/**
 * Whether a device holds an image now. One that is gone does not, if its collection is there without it: a BMC that starts
 * answers 404 to everything.
 */
export async function isInserted(client: RedfishClient, slot: MediaSlot, options: RequestOptions): Promise<boolean> {
  const [now] = await readMediaDevices(client, [slot], options);
  if (now !== null && now !== undefined) return now.inserted;
  const { members } = await getCollection(client, slot.collection, options);
  if (!members.some(({ path }) => samePath(path, slot.path))) return false;
  throw new RedfishError('failed', `The BMC lists ${slot.id} but does not show it`, { url: client.origin + slot.path });
}

/** The action without a body; HPE iLO wants an empty object and answers 400 or 415 else. */
async function postEject(client: RedfishClient, target: string, change: Change): Promise<Answer> {
  try {
    return await change((options) => client.post(target, null, options));
  } catch (error) {
    if (!hasStatus(error, 400, 411, 415)) throw error;
    return change((options) => client.post(target, {}, options));
  }
}

/**
 * Devices without the action (Lenovo XCC) are emptied by PATCH under the ETag. After a 412 the device is read again: where
 * its ETag has changed, that one is tried in the same form, once; where not, the form is one that the BMC does not compare.
 * So a device gets six requests at most, and none once it is found empty.
 */
async function patchEmpty(
  client: RedfishClient,
  device: MediaDevice,
  change: Change,
  options: RequestOptions,
): Promise<Answer> {
  let { etag } = device;
  let triedAgain = false;
  for (let form = 0; ; ) {
    const match = etagForms(etag)[form] ?? null;
    try {
      const headers = { ...options.headers, ...(match === null ? {} : { 'if-match': match }) };
      const body = { Image: null, Inserted: false };
      return await change((noted) => client.patch(device.slot.path, body, { ...noted, headers }));
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
async function confirmEmpty(client: RedfishClient, slot: MediaSlot, options: EjectDeviceOptions): Promise<void> {
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
    await pause(wait, options.signal);
  }
}
