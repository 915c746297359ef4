import type { RedfishClient } from '../client.ts';
import { hasStatus, RedfishError, withFinding } from '../errors.ts';
import { samePath } from '../links.ts';
import type { RedfishResponse } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { type ChangeOptions, type ChangeState, CONFIRM_MS, patchDevice, stoppedChange, track } from './mediaChange.ts';
import { type MediaDevice, type MediaSlot, readMediaSlot } from './mediaDevice.ts';
import { followTask, poll, type TaskListener } from './task.ts';

/** The result for a device that contained an image; `skipped` devices cannot be ejected. */
export type EjectOutcome = 'ejected' | 'skipped';

/**
 * Ejects `device`, which contained an image when it was read, and reads it back.
 * @throws kind `outcome-unknown`, with what was found, when the eject was sent and the device does not show as empty;
 *   `stopped`, with how far it had got and what was found, when the signal fires; the BMC's refusal
 */
export async function ejectDevice(
  client: RedfishClient,
  device: MediaDevice,
  options: ChangeOptions,
  listener: TaskListener,
): Promise<EjectOutcome> {
  const state: ChangeState = { stage: 'not sent' };
  try {
    const outcome = await requestEject(client, device, state, listener);
    if (outcome !== null) return outcome;
    await confirmEmpty(client, device.slot, options);
    return 'ejected';
  } catch (error) {
    if (!client.signal.aborted || error !== client.signal.reason) throw error;
    const look = async (checking: RedfishClient) =>
      (await isInserted(checking, device.slot)) ? 'it still contains an image' : 'it is empty now';
    const unchecked = 'whether it is empty now could not be checked';
    throw await stoppedChange(client, device.slot, state, { verb: 'eject', look, unchecked });
  }
}

/** Requests the eject. Returns null when the BMC accepted it; otherwise the outcome that the device shows. */
async function requestEject(
  client: RedfishClient,
  device: MediaDevice,
  state: ChangeState,
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
async function postEject(client: RedfishClient, target: string, state: ChangeState): Promise<RedfishResponse> {
  try {
    return await track(client, state, (tracked) => tracked.post(target, null));
  } catch (error) {
    if (!hasStatus(error, 400, 411, 415)) throw error;
    return track(client, state, (tracked) => tracked.post(target, {}));
  }
}

/** Empties a device without the action, by PATCH. */
function patchEmpty(client: RedfishClient, device: MediaDevice, state: ChangeState): Promise<RedfishResponse> {
  return patchDevice(client, device, {
    given: {},
    defaults: { Image: null, Inserted: false },
    send: (matching, body) => track(matching, state, (tracked) => tracked.patch(device.slot.path, body)),
    isWanted: ({ inserted }) => inserted,
  });
}

/** Polls the device until it is empty, or gone from its collection. */
async function confirmEmpty(client: RedfishClient, slot: MediaSlot, options: ChangeOptions): Promise<void> {
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
