import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { sameUrl } from '../destinations.ts';
import { RedfishError, withFinding } from '../errors.ts';
import { sendWithDefaults } from './defaults.ts';
import { type ChangeOptions, type ChangeState, CONFIRM_MS, patchDevice, stoppedChange, track } from './mediaChange.ts';
import { type MediaDevice, type MediaSlot, readMediaSlot } from './mediaDevice.ts';
import { followTask, poll, type TaskListener } from './task.ts';

/** An image to insert. */
export interface Medium {
  /** The URL from which the BMC fetches it, or the path of a share. */
  image: string;
  /** `HTTP`, `NFS` …; null leaves it to the BMC, which gets the scheme's if it asks for one. */
  transferProtocol: string | null;
  /** `Stream` or `Upload`; null leaves it to the BMC. */
  transferMethod: string | null;
  writeProtected: boolean;
  /** Those of the server of the image; the client redacts them in errors and transcripts. */
  credentials: { username: string | null; password: string | null };
}

/** `skipped`: the BMC supports no insert into this device, and did nothing. */
export type InsertOutcome = 'inserted' | 'skipped';

/**
 * Inserts an image into `device`, which was empty when it was read, and reads it back.
 * @throws kind `outcome-unknown`, with what was found, when the insert was sent and the device does not show the image;
 *   `stopped`, with how far it had got and what was found, when the signal fires; the BMC's refusal
 */
export async function insertDevice(
  client: RedfishClient,
  device: MediaDevice,
  medium: Medium,
  options: ChangeOptions,
  listener: TaskListener,
): Promise<InsertOutcome> {
  const state: ChangeState = { stage: 'not sent' };
  try {
    const outcome = await requestInsert(client, await withAction(client, device), medium, state, listener);
    if (outcome !== null) return outcome;
    await confirmInserted(client, device.slot, medium, options);
    return 'inserted';
  } catch (error) {
    if (!client.signal.aborted || error !== client.signal.reason) throw error;
    const look = async (checking: RedfishClient) => describe(await readMediaSlot(checking, device.slot), medium);
    const unchecked = 'whether it contains the image now could not be checked';
    throw await stoppedChange(client, device.slot, state, { verb: 'insert', look, unchecked });
  }
}

/** Reads the device's own document where its collection shows it without the action. */
async function withAction(client: RedfishClient, device: MediaDevice): Promise<MediaDevice> {
  const { slot, insertTarget } = device;
  if (insertTarget !== null || !slot.inline) return device;
  const own = await readMediaSlot(client, { ...slot, inline: false }).catch(() => null);
  client.signal.throwIfAborted();
  return own === null ? device : { ...own, slot };
}

/** Requests the insert. Returns null when the BMC accepted it; otherwise the outcome that the device shows. */
async function requestInsert(
  client: RedfishClient,
  device: MediaDevice,
  medium: Medium,
  state: ChangeState,
  listener: TaskListener,
): Promise<InsertOutcome | null> {
  const { slot } = device;
  try {
    await (device.insertTarget === null ? patchImage : postInsert)(client, device, medium, state, listener);
    return null;
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    const now = await readMediaSlot(client, slot).catch(() => null);
    client.signal.throwIfAborted();
    // Whatever failed, the device contains the image as requested.
    if (now !== null && contains(now, medium)) return 'inserted';
    // Cisco C845A M8: some slots have no actions, or return 405.
    if ([405, 501].includes(error.status)) return 'skipped';
    if (error.kind !== 'outcome-unknown') throw error;
    const unchecked = `Whether ${slot.id} contains the image now could not be checked`;
    const found = now === null ? unchecked : `${slot.id} is empty now, and the BMC may still insert the image`;
    throw withFinding(
      error,
      `${now?.inserted ? `${slot.id}: ${describe(now, medium)}` : found}; check before repeating`,
    );
  }
}

/**
 * Inserts by the action, with as little as possible: Supermicro X11 refuses Inserted and WriteProtected. What only some BMCs
 * want follows when they ask for it (Cisco C845A M8: TransferProtocolType; NVIDIA DGX: any credentials).
 */
async function postInsert(
  client: RedfishClient,
  { insertTarget }: MediaDevice,
  medium: Medium,
  state: ChangeState,
  listener: TaskListener,
): Promise<void> {
  const { username, password } = medium.credentials;
  const protocol = medium.transferProtocol ?? protocolOf(medium.image);
  const given = medium.writeProtected ? mediumOf(medium) : { ...mediumOf(medium), WriteProtected: false };
  const send = async (body: JsonObject) =>
    followTask(client, await track(client, state, (tracked) => tracked.post(insertTarget!, body)), listener);
  await sendWithDefaults(given, {}, send, {
    onDemand: {
      ...(protocol === null ? {} : { TransferProtocolType: protocol }),
      TransferMethod: 'Stream',
      Inserted: true,
      WriteProtected: medium.writeProtected,
    },
    ifMissing: username === null && password === null ? { UserName: 'none', Password: 'none' } : {},
  });
}

/** Inserts by PATCH, where Lenovo XCC does nothing without Inserted. */
async function patchImage(
  client: RedfishClient,
  device: MediaDevice,
  medium: Medium,
  state: ChangeState,
  listener: TaskListener,
): Promise<void> {
  const { writeProtected } = medium;
  const given = writeProtected ? mediumOf(medium) : { ...mediumOf(medium), WriteProtected: false };
  const protocol = medium.transferProtocol ?? protocolOf(medium.image);
  await patchDevice(client, device, {
    given,
    defaults: { Inserted: true, WriteProtected: writeProtected },
    onDemand: { ...(protocol === null ? {} : { TransferProtocolType: protocol }), TransferMethod: 'Stream' },
    send: async (matching, body) => {
      const response = await track(matching, state, (tracked) => tracked.patch(device.slot.path, body));
      return followTask(client, response, listener);
    },
    isWanted: ({ inserted }) => !inserted,
  });
}

/** Returns the properties that the caller gave. An empty name or password is not sent, as BMCs refuse it. */
function mediumOf({ image, transferProtocol, transferMethod, credentials }: Medium): JsonObject {
  const given = {
    Image: image,
    TransferProtocolType: transferProtocol,
    TransferMethod: transferMethod,
    UserName: credentials.username,
    Password: credentials.password,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

const PROTOCOLS: Readonly<Record<string, string>> = {
  http: 'HTTP',
  https: 'HTTPS',
  nfs: 'NFS',
  cifs: 'CIFS',
  smb: 'CIFS',
  ftp: 'FTP',
  sftp: 'SFTP',
  scp: 'SCP',
  tftp: 'TFTP',
};

/** Returns Redfish's name of the protocol of a URL's scheme; null for another scheme, or none. */
export function protocolOf(image: string): string | null {
  const scheme = /^([a-z]+):\/\//i.exec(image)?.[1]?.toLowerCase();
  return (scheme !== undefined && PROTOCOLS[scheme]) || null;
}

/** Whether a device contains exactly this image: its URL, without credentials, which no BMC shows. */
export function hasImage({ inserted, image }: MediaDevice, wanted: string): boolean {
  return inserted && image !== null && sameUrl(withoutUser(image), withoutUser(wanted));
}

/** Whether a device that was empty contains the image: BMCs rewrite its URL, keep only the name of its file, or show none. */
function contains(device: MediaDevice, { image: wanted }: Medium): boolean {
  if (!device.inserted) return false;
  return device.image === null || hasImage(device, wanted) || fileOf(device.image) === fileOf(wanted);
}

function withoutUser(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}

/** Returns the name of the file in a URL or path, as it is shown in other encodings. */
function fileOf(image: string): string {
  const path = image.replace(/[?#].*$/s, '').replace(/[/\\]+$/, '');
  const name = path.split(/[/\\]/).at(-1)!;
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** Says what a device contains now. The image may be another client's, and its URL a secret. */
function describe(now: MediaDevice | null, medium: Medium): string {
  if (now === null) return 'it is not there now';
  if (!now.inserted) return 'it is empty now';
  return contains(now, medium) ? 'it contains the image' : 'it contains another image';
}

/** Polls the device until it contains the image. */
async function confirmInserted(
  client: RedfishClient,
  slot: MediaSlot,
  medium: Medium,
  { progress, confirmMs = CONFIRM_MS }: ChangeOptions,
): Promise<void> {
  let finding = '';
  const look = async () => {
    if (finding !== '') progress(null, `Waiting for device ${slot.id} to contain the image`);
    try {
      const now = await readMediaSlot(client, slot);
      if (now !== null && contains(now, medium)) return true;
      finding = `${slot.id}: ${describe(now, medium)}`;
    } catch (error) {
      // The insert was accepted; a failed check must not look like a failed insert.
      if (!(error instanceof RedfishError)) throw error;
      finding = `${slot.id} cannot be read: ${error.message}`;
    }
    return null;
  };
  if (await poll(look, client.signal, confirmMs)) return;
  const message = `The BMC accepted the insert, but ${confirmMs / 1000} s later ${finding}`;
  throw new RedfishError('outcome-unknown', message, { url: client.origin + slot.path });
}
