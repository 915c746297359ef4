import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { hasStatus, RedfishError, withFinding } from '../errors.ts';
import { samePath } from '../links.ts';
import type { RedfishResponse } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { sendWithDefaults } from './defaults.ts';
import { type MediaDevice, type MediaSlot, readMediaSlot } from './mediaDevice.ts';
import { followTask, poll, type TaskListener } from './task.ts';

/** The result for a device that contained an image; `skipped` devices cannot be ejected. */
export type EjectOutcome = 'ejected' | 'skipped';

export interface EjectDeviceOptions {
  /** Receives each step; `fraction` from 0 to 1, null when unknown. */
  progress: (fraction: number | null, message: string) => void;
  /** How long a device may still report its image, in ms. Default 30 s, as iDRAC is slow to update it. */
  confirmMs?: number;
}

/** How far the eject of a device has got; `accepted` is any successful response. */
interface EjectState {
  stage: 'not sent' | 'sent' | 'refused' | 'accepted';
}

const CONFIRM_MS = 30_000;
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
    const outcome = await requestEject(client, device, state, listener);
    if (outcome !== null) return outcome;
    await confirmEmpty(client, device.slot, options);
    return 'ejected';
  } catch (error) {
    if (!client.signal.aborted || error !== client.signal.reason) throw error;
    throw await stoppedError(client, device.slot, state.stage);
  }
}

/** Requests the eject. Returns null when the BMC accepted it; otherwise the outcome that the device shows. */
async function requestEject(
  client: RedfishClient,
  device: MediaDevice,
  state: EjectState,
  listener: TaskListener,
): Promise<EjectOutcome | null> {
  const { slot, ejectTarget } = device;
  try {
    const patch = ejectTarget === null;
    const response = await (patch ? patchEmpty(client, device, state) : postEject(client, ejectTarget, state));
    await followTask(client, response, listener);
    return null;
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    const inserted = await isInserted(client, slot).catch(() => null);
    client.signal.throwIfAborted();
    // Whatever failed, the device is empty as requested.
    if (inserted === false) return 'ejected';
    // Cisco C845A M8: some slots have no actions, or return 405.
    if ([405, 501].includes(error.status)) return 'skipped';
    if (error.kind !== 'outcome-unknown') throw error;
    const unchecked = `Whether ${slot.id} is empty now could not be checked; check before ejecting again`;
    throw withFinding(error, inserted === null ? unchecked : `${slot.id} still contains an image; eject it again`);
  }
}

/** Sends one request that empties the device, and records how far it got. */
async function track(
  client: RedfishClient,
  state: EjectState,
  send: (tracked: RedfishClient) => Promise<RedfishResponse>,
): Promise<RedfishResponse> {
  const beforeSend = () => {
    state.stage = 'sent';
  };
  try {
    const response = await send(client.with({ beforeSend }));
    state.stage = 'accepted';
    return response;
  } catch (error) {
    if (error instanceof RedfishError && error.kind !== 'outcome-unknown') state.stage = 'refused';
    throw error;
  }
}

/** Returns the error of an aborted eject: how far it had got, and what a short check finds now. */
async function stoppedError(client: RedfishClient, slot: MediaSlot, stage: EjectState['stage']): Promise<RedfishError> {
  const error = (text: string) =>
    new RedfishError('stopped', `${slot.id}: ${text}`, { url: client.origin, cause: client.signal.reason });
  if (stage === 'not sent') return error('its eject was not sent');
  if (stage === 'refused') return error('the BMC had refused its eject, and no other was sent');
  const found = await isInserted(client.with({ signal: AbortSignal.timeout(CHECK_MS) }), slot).then(
    (inserted) => (inserted ? 'it still contains an image' : 'it is empty now'),
    () => 'whether it is empty now could not be checked',
  );
  return error(
    stage === 'sent'
      ? `its eject was sent and got no response, so its outcome is unknown; ${found}`
      : `the BMC had accepted its eject; ${found}`,
  );
}

/**
 * Reads whether a device contains an image. One that is gone does not, provided that its collection exists without it: a BMC
 * that is starting returns 404 to everything.
 */
export async function isInserted(client: RedfishClient, slot: MediaSlot): Promise<boolean> {
  const now = await readMediaSlot(client, slot);
  if (now !== null) return now.inserted;
  const { members, complete } = await getCollection(client, slot.collection);
  if (complete && !members.some(({ path }) => samePath(path, slot.path))) return false;
  const url = client.origin + slot.path;
  throw new RedfishError('failed', `The BMC lists ${slot.id} but does not return it`, { url });
}

/** Sends the action without a body; HPE iLO requires an empty object and otherwise returns 400 or 415. */
async function postEject(client: RedfishClient, target: string, state: EjectState): Promise<RedfishResponse> {
  try {
    return await track(client, state, (tracked) => tracked.post(target, null));
  } catch (error) {
    if (!hasStatus(error, 400, 411, 415)) throw error;
    return track(client, state, (tracked) => tracked.post(target, {}));
  }
}

/**
 * Empties a device without the action (Lenovo XCC) by PATCH under its ETag. After a 412 or 428 the device is read again: a
 * changed ETag is tried in the same form, once; after an unchanged one the next form is tried, as the BMC does not match this
 * one. So a device gets seven requests at most, and none once it is empty.
 */
async function patchEmpty(client: RedfishClient, device: MediaDevice, state: EjectState): Promise<RedfishResponse> {
  let { etag } = device;
  let retried = false;
  for (let form = 0; ; ) {
    const match = matchForms(etag)[form] ?? null;
    const matching = client.with({ headers: match === null ? {} : { 'if-match': match } });
    const send = (body: JsonObject) => track(matching, state, (tracked) => tracked.patch(device.slot.path, body));
    try {
      return await sendWithDefaults({}, { Image: null, Inserted: false }, send);
    } catch (error) {
      if (!hasStatus(error, 412, 428)) throw error;
      const now = await readMediaSlot(client, device.slot);
      if (!now?.inserted) throw error;
      const changed: boolean = now.etag !== etag && !retried;
      retried = changed;
      if (!changed) form++;
      if (form >= matchForms(now.etag).length) throw error;
      etag = now.etag;
    }
  }
}

/**
 * Returns the forms of `If-Match` that BMCs take: the ETag as it is, a weak one's strong form (sushy's second try), unquoted
 * (some XCC), and none (a BMC that matches no ETag); any, without an ETag (428). Null sends none.
 */
function matchForms(etag: string | null): (string | null)[] {
  if (etag === null) return [null, '*'];
  const strong = etag.replace(/^W\//, '');
  return [...new Set([etag, strong, strong.replaceAll('"', '')]), null];
}

/** Polls the device until it is empty, or gone from its collection. */
async function confirmEmpty(client: RedfishClient, slot: MediaSlot, options: EjectDeviceOptions): Promise<void> {
  const { progress, confirmMs = CONFIRM_MS } = options;
  let finding = '';
  const look = async () => {
    if (finding !== '') progress(null, `Waiting for device ${slot.id} to be empty`);
    try {
      if (!(await isInserted(client, slot))) return true;
      finding = `it still reports an image in ${slot.id}`;
    } catch (error) {
      // The eject was accepted; a failed check must not look like a failed eject.
      if (!(error instanceof RedfishError)) throw error;
      finding = `${slot.id} cannot be read: ${error.message}`;
    }
    return null;
  };
  if (await poll(look, client.signal, confirmMs)) return;
  const message = `The BMC accepted the eject, but ${confirmMs / 1000} s later ${finding}`;
  throw new RedfishError('outcome-unknown', message, { url: client.origin + slot.path });
}
