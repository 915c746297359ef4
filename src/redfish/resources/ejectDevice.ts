import { pause } from '../../core/waiting.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { hasStatus, RedfishError } from '../errors.ts';
import { samePath } from '../links.ts';
import type { RedfishResponse } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { followTask, type TaskListener } from './task.ts';
import { type MediaDevice, type MediaSlot, readMediaDevices } from './virtualMedia.ts';

/** The result for a device that contained an image; `skipped` devices cannot be ejected. */
export type EjectOutcome = 'ejected' | 'skipped';

export interface EjectDeviceOptions extends RequestOptions {
  /** Receives each step; `fraction` from 0 to 1, null when unknown. */
  progress: (fraction: number | null, message: string) => void;
  /** How long a device may still report its image, in ms. Default 30 s, as iDRAC is slow to update it. */
  confirmMs?: number;
}

/** How far the eject of a device has got; `accepted` is any successful response. */
interface EjectState {
  stage: 'not sent' | 'sent' | 'refused' | 'accepted';
}

/** Sends a request that empties the device, with the options that it passes to `send`. */
type SendEject = (send: (options: RequestOptions) => Promise<RedfishResponse>) => Promise<RedfishResponse>;

const CONFIRM_MS = 30_000;
const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 3000;
/** Time limit for checking a device whose eject was stopped, in ms; below the wait for a cancelled job. */
const CHECK_MS = 2000;

/**
 * Ejects `device`, which contained an image when it was read, and reads it back.
 * @throws kind `outcome-unknown`, with what was found, when the eject was sent and the device does not show as empty;
 *   `stopped`, with how far it had got and what was found, when the signal fires; the BMC's refusal
 */
export async function ejectDevice(
  client: RedfishClient,
  device: MediaDevice,
  options: EjectDeviceOptions,
  listener: TaskListener,
): Promise<EjectOutcome> {
  const state: EjectState = { stage: 'not sent' };
  try {
    return await eject(client, device, state, options, listener);
  } catch (error) {
    if (!options.signal.aborted || error !== options.signal.reason) throw error;
    throw await stoppedError(client, device.slot, state.stage, options);
  }
}

async function eject(
  client: RedfishClient,
  device: MediaDevice,
  state: EjectState,
  options: EjectDeviceOptions,
  listener: TaskListener,
): Promise<EjectOutcome> {
  const { slot, ejectTarget } = device;
  try {
    const sendEject: SendEject = (send) => track(state, options, send);
    const response =
      ejectTarget === null
        ? await patchEmpty(client, device, sendEject, options)
        : await postEject(client, ejectTarget, sendEject);
    await followTask(client, response, { ...options, listener });
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    const inserted = await isInserted(client, slot, options).catch(() => null);
    options.signal.throwIfAborted();
    // Whatever failed, the device is empty as requested.
    if (inserted === false) return 'ejected';
    // Cisco C845A M8: some slots have no actions, or return 405.
    if ([405, 501].includes(error.status)) return 'skipped';
    if (error.kind !== 'outcome-unknown') throw error;
    const found =
      inserted === null
        ? `Whether ${slot.id} is empty now could not be checked; check before ejecting again`
        : `${slot.id} still contains an image; eject it again`;
    throw new RedfishError('outcome-unknown', `${error.message}. ${found}`, { url: error.url, cause: error });
  }
  await confirmEmpty(client, slot, options);
  return 'ejected';
}

/** Sends one request that empties the device, and records how far it got. */
async function track(
  state: EjectState,
  options: RequestOptions,
  send: Parameters<SendEject>[0],
): Promise<RedfishResponse> {
  const beforeSend = () => {
    options.beforeSend?.();
    state.stage = 'sent';
  };
  try {
    const response = await send({ ...options, beforeSend });
    state.stage = 'accepted';
    return response;
  } catch (error) {
    if (error instanceof RedfishError && error.kind !== 'outcome-unknown') state.stage = 'refused';
    throw error;
  }
}

/** Returns the error of an aborted eject: how far it had got, and what a short check finds now. */
async function stoppedError(
  client: RedfishClient,
  slot: MediaSlot,
  stage: EjectState['stage'],
  options: EjectDeviceOptions,
): Promise<RedfishError> {
  const error = (text: string) =>
    new RedfishError('stopped', `${slot.id}: ${text}`, { url: client.origin, cause: options.signal.reason });
  if (stage === 'not sent') return error('its eject was not sent');
  if (stage === 'refused') return error('the BMC had refused its eject, and no other was sent');
  const signal = AbortSignal.timeout(CHECK_MS);
  const found = await isInserted(client, slot, { ...options, signal }).then(
    (inserted) => (inserted ? 'it still contains an image' : 'it is empty now'),
    () => 'whether it is empty now could not be checked',
  );
  return error(
    stage === 'sent'
      ? `its eject was sent and had no response yet, so its outcome is unknown; ${found}`
      : `the BMC had accepted its eject; ${found}`,
  );
}

/**
 * Reads whether a device contains an image. One that is gone does not, provided that its collection exists without it: a BMC
 * that is starting returns 404 to everything.
 */
export async function isInserted(client: RedfishClient, slot: MediaSlot, options: RequestOptions): Promise<boolean> {
  const [now] = await readMediaDevices(client, [slot], options);
  if (now !== null && now !== undefined) return now.inserted;
  const { members } = await getCollection(client, slot.collection, options);
  if (!members.some(({ path }) => samePath(path, slot.path))) return false;
  throw new RedfishError('failed', `The BMC lists ${slot.id} but does not return it`, {
    url: client.origin + slot.path,
  });
}

/** Sends the action without a body; HPE iLO requires an empty object and otherwise returns 400 or 415. */
async function postEject(client: RedfishClient, target: string, sendEject: SendEject): Promise<RedfishResponse> {
  try {
    return await sendEject((options) => client.post(target, null, options));
  } catch (error) {
    if (!hasStatus(error, 400, 411, 415)) throw error;
    return sendEject((options) => client.post(target, {}, options));
  }
}

/**
 * Empties a device without the action (Lenovo XCC) by PATCH under its ETag. After a 412 the device is read again: a changed
 * ETag is tried in the same form, once; after an unchanged one the next form is tried, as the BMC does not match this one. So
 * a device gets six requests at most, and none once it is empty.
 */
async function patchEmpty(
  client: RedfishClient,
  device: MediaDevice,
  sendEject: SendEject,
  options: RequestOptions,
): Promise<RedfishResponse> {
  let { etag } = device;
  let retried = false;
  for (let form = 0; ; ) {
    const match = etagForms(etag)[form] ?? null;
    try {
      const headers = { ...options.headers, ...(match === null ? {} : { 'if-match': match }) };
      const body = { Image: null, Inserted: false };
      return await sendEject((tracked) => client.patch(device.slot.path, body, { ...tracked, headers }));
    } catch (error) {
      if (!hasStatus(error, 412)) throw error;
      const [now] = await readMediaDevices(client, [device.slot], options);
      if (!now?.inserted) throw error;
      const changed: boolean = now.etag !== etag && !retried;
      retried = changed;
      if (!changed) form++;
      if (form >= etagForms(now.etag).length) throw error;
      etag = now.etag;
    }
  }
}

/** Returns the forms that BMCs match: the ETag as it is, a weak one's strong form (sushy's second try), unquoted (some XCC). */
function etagForms(etag: string | null): (string | null)[] {
  if (etag === null) return [null];
  const strong = etag.replace(/^W\//, '');
  return [...new Set([etag, strong, strong.replaceAll('"', '')])];
}

/** Polls the device until it is empty, or gone from its collection. */
async function confirmEmpty(client: RedfishClient, slot: MediaSlot, options: EjectDeviceOptions): Promise<void> {
  const limit = options.confirmMs ?? CONFIRM_MS;
  const end = performance.now() + limit;
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, MAX_WAIT_MS)) {
    let finding: string;
    try {
      if (!(await isInserted(client, slot, options))) return;
      finding = `it still reports an image in ${slot.id}`;
    } catch (error) {
      // The eject was accepted; a failed check must not look like a failed eject.
      if (!(error instanceof RedfishError)) throw error;
      finding = `${slot.id} cannot be read: ${error.message}`;
    }
    if (performance.now() + wait > end) {
      const message = `The BMC accepted the eject, but ${limit / 1000} s later ${finding}`;
      throw new RedfishError('outcome-unknown', message, { url: client.origin + slot.path });
    }
    options.progress(null, `Waiting for ${slot.id} to be empty`);
    await pause(wait, options.signal);
  }
}
