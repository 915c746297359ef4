// Requests that change a virtual media device: how far one has got, and PATCH under the device's ETag.
import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { hasStatus, RedfishError } from '../errors.ts';
import type { RedfishResponse } from '../wire/response.ts';
import { sendWithDefaults } from './defaults.ts';
import { type MediaDevice, type MediaSlot, readMediaSlot } from './mediaDevice.ts';

/** What callers of a change get and may set. */
export interface ChangeOptions {
  /** Receives each step; `fraction` from 0 to 1, null when unknown. */
  progress: (fraction: number | null, message: string) => void;
  /** How long a device may still show its state before the change, in ms. Default 30 s, as iDRAC is slow to update it. */
  confirmMs?: number;
}

export const CONFIRM_MS = 30_000;

/** How far the change of a device has got; `accepted` is any successful response. */
export interface ChangeState {
  stage: 'not sent' | 'sent' | 'refused' | 'accepted';
}

/** Time limit for checking a device whose change was stopped, in ms; below the wait for a cancelled job. */
const CHECK_MS = 2000;

/** Sends one request that changes the device, and records how far it got. */
export async function track(
  client: RedfishClient,
  state: ChangeState,
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

/** The words of an aborted change. */
interface StoppedChange {
  /** `eject` or `insert`. */
  verb: string;
  /** Reads what the device contains now, such as `it is empty now`. */
  look: (client: RedfishClient) => Promise<string>;
  /** What is told when that fails. */
  unchecked: string;
}

/** Returns the error of an aborted change: how far it had got, and what a short check finds now. */
export async function stoppedChange(
  client: RedfishClient,
  slot: MediaSlot,
  { stage }: ChangeState,
  { verb, look, unchecked }: StoppedChange,
): Promise<RedfishError> {
  const error = (text: string) =>
    new RedfishError('stopped', `${slot.id}: ${text}`, { url: client.origin, cause: client.signal.reason });
  if (stage === 'not sent') return error(`its ${verb} was not sent`);
  if (stage === 'refused') return error(`the BMC had refused its ${verb}, and no other was sent`);
  const found = await look(client.with({ signal: AbortSignal.timeout(CHECK_MS) })).catch(() => unchecked);
  return error(
    stage === 'sent'
      ? `its ${verb} was sent and got no response, so its outcome is unknown; ${found}`
      : `the BMC had accepted its ${verb}; ${found}`,
  );
}

/** A PATCH of a device. */
interface DevicePatch<T> {
  /** What the caller asked for. */
  given: JsonObject;
  /** What is added, unless the BMC refuses it. */
  defaults: JsonObject;
  /** What is added when the BMC asks for it. */
  onDemand?: JsonObject;
  /** Sends it; `matching` adds If-Match. */
  send: (matching: RedfishClient, body: JsonObject) => Promise<T>;
  /** Whether the device, read again, still needs the change. */
  isWanted: (now: MediaDevice) => boolean;
}

/**
 * Changes a device without the action (Lenovo XCC) by PATCH under its ETag. After a 412 or 428 the device is read again: a
 * changed ETag is tried in the same form, once; after an unchanged one the next form is tried, as the BMC does not match this
 * one. So a device gets seven requests at most, and none once it is as wanted.
 */
export async function patchDevice<T>(
  client: RedfishClient,
  device: MediaDevice,
  { given, defaults, onDemand, send, isWanted }: DevicePatch<T>,
): Promise<T> {
  let { etag } = device;
  let retried = false;
  for (let form = 0; ; ) {
    const match = matchForms(etag)[form] ?? null;
    const matching = client.with({ headers: match === null ? {} : { 'if-match': match } });
    try {
      return await sendWithDefaults(given, defaults, (body) => send(matching, body), { onDemand });
    } catch (error) {
      if (!hasStatus(error, 412, 428)) throw error;
      const now = await readMediaSlot(client, device.slot);
      if (now === null || !isWanted(now)) throw error;
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
