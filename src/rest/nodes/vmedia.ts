// Ironic's generic virtual media (since 1.89 and 1.93), as calls of the vendor methods insert_vmedia, eject_vmedia, get_vmedia.
import type { NodeCall, Outcome } from '../../core/core.ts';
import { PassthruError } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { LIST_VMEDIA_MINOR } from '../apiTable.ts';
import { parseBody, parseObjectBody } from '../body.ts';
import { type Exchange, enterNode } from '../context.ts';
import { sendHttpError } from '../fault.ts';
import { jobHeaders, readNodeCallOptions } from '../passthru.ts';
import { badParameter, readQuery } from '../query.ts';
import { sendEmpty, sendJson } from '../response.ts';

/** Ironic's device types, in its order, as boot devices of the vendor methods. */
const DEVICES: ReadonlyMap<string, string> = new Map([
  ['disk', 'usb'],
  ['cdrom', 'cd'],
  ['floppy', 'floppy'],
]);
export const DEVICE_TYPES = [...DEVICES.keys()];

/** Where Ironic takes the image from for the BMC. This service hosts no images: the BMC fetches each from its URL. */
export const DOWNLOAD_SOURCES = ['http', 'local', 'swift'];

const SCHEMES = ['http', 'https', 'nfs', 'cifs', 'smb'];

/** GET /v1/nodes/N/vmedia: the devices with their images. */
export async function listVmedia(exchange: Exchange): Promise<void> {
  if (exchange.minor < LIST_VMEDIA_MINOR) {
    // As Ironic does, although the path exists since 1.89.
    sendHttpError(exchange, 404, 'Not Found', `Since version 1.${LIST_VMEDIA_MINOR}`);
    return;
  }
  readQuery(exchange.rawQuery);
  const outcome = await call(exchange, 'get_vmedia', {}, 'get_virtual_media');
  const result = outcome.kind === 'result' ? outcome.result : null;
  const devices = isJsonObject(result) && Array.isArray(result.devices) ? result.devices.filter(isJsonObject) : [];
  sendJson(
    exchange,
    200,
    devices.map(({ media_types = [], inserted = null, image = null }) => ({ media_types, inserted, image })),
  );
}

/** POST /v1/nodes/N/vmedia: attaches an image. The 204 names the job that does it. */
export async function attachVmedia(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { device_type: type, image_url } = readAttachment(parseBody(exchange.body) ?? {});
  const args = { boot_device: DEVICES.get(type)!, image_url };
  sendEmpty(exchange, 204, jobHeaders(await call(exchange, 'insert_vmedia', args, 'attach_virtual_media')));
}

/** DELETE /v1/nodes/N/vmedia: detaches all devices, or those of `device_types`. The 204 names the job that does it. */
export async function detachVmedia(exchange: Exchange): Promise<void> {
  const types = readDeviceTypes(exchange);
  const args: JsonObject = types === null ? {} : { boot_devices: types.map((type) => DEVICES.get(type)!) };
  sendEmpty(exchange, 204, jobHeaders(await call(exchange, 'eject_vmedia', args, 'detach_virtual_media')));
}

async function call(exchange: Exchange, method: string, args: JsonObject, extension: string): Promise<Outcome> {
  const options = readNodeCallOptions(exchange);
  const { core, ident } = enterNode(exchange);
  const request: NodeCall = { ...options, method, arguments: args, httpMethod: null, node: ident };
  try {
    return await core.callNodeMethod(request);
  } catch (error) {
    if (!(error instanceof PassthruError) || error.kind !== 'unknown_method') throw error;
    const { driver } = await core.nodes.get(ident);
    const message = `Driver ${driver} does not support ${extension} (disabled or not implemented).`;
    throw new PassthruError('unknown_method', message, { cause: error });
  }
}

/** Reads the body of an attachment. Throws `invalid_argument`, in Ironic's words. */
function readAttachment(body: Json): { device_type: string; image_url: string } {
  const fault = (field: string, text: string) => badParameter(field, text, `Schema error for vmedia: ${text}`);
  if (!isJsonObject(body)) throw fault('body', `${JSON.stringify(body)?.slice(0, 80)} is not of type 'object'`);
  const { device_type: type, image_url: url, image_download_source: source, ...others } = body;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw fault(unknown, `Additional properties are not allowed ('${unknown}' was unexpected)`);
  }
  if (type === undefined) throw fault('device_type', "'device_type' is a required property");
  if (url === undefined) throw fault('image_url', "'image_url' is a required property");
  const oneOf = (field: string, value: Json, allowed: readonly string[]): string => {
    if (typeof value === 'string' && allowed.includes(value)) return value;
    const shown = typeof value === 'string' ? `'${value.slice(0, 80)}'` : JSON.stringify(value).slice(0, 80);
    throw fault(field, `${shown} is not one of [${allowed.map((each) => `'${each}'`).join(', ')}]`);
  };
  const device_type = oneOf('device_type', type, DEVICE_TYPES);
  if (source !== undefined) oneOf('image_download_source', source, DOWNLOAD_SOURCES);
  // The value may be a URL with a password.
  if (typeof url !== 'string') throw fault('image_url', "'image_url' is not of type 'string'");
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
  if (!SCHEMES.includes(scheme)) {
    const message = `Unsupported or missing URL scheme: ${scheme.slice(0, 80)}`;
    throw badParameter('image_url', `must be a URL of the scheme ${SCHEMES.join(', ')}`, message);
  }
  return { device_type, image_url: url };
}

/**
 * Reads `device_types` from the query, or from the body, where openstacksdk sends it; null when it is absent.
 * Throws `invalid_argument`, in Ironic's words.
 */
function readDeviceTypes({ rawQuery, body }: Exchange): string[] | null {
  const ofQuery = readQuery(rawQuery, ['device_types']).get('device_types');
  const { device_types: ofBody, ...others } = parseObjectBody(body);
  const unknown = Object.keys(others);
  if (unknown.length > 0)
    throw badParameter(
      unknown[0]!,
      'is not a parameter of this request',
      `Unexpected arguments: ${unknown.join(', ')}`,
    );
  if (ofQuery !== undefined && ofBody !== undefined) {
    throw badParameter('device_types', 'is given in the query and in the body');
  }
  const given = ofQuery ?? ofBody ?? null;
  if (given === null) return null;
  const list = typeof given === 'string' ? given.split(',') : given;
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) {
    throw badParameter('device_types', `must be a list of ${DEVICE_TYPES.join(', ')}`);
  }
  const types = [...new Set(list.map((item) => item.trim().toLowerCase()).filter((item) => item !== ''))];
  const invalid = types.filter((type) => !DEVICES.has(type));
  if (invalid.length === 0) return types;
  const message = `Invalid device type(s) ${invalid.join(', ').slice(0, 80)} (valid are ${DEVICE_TYPES.join(', ')})`;
  throw badParameter('device_types', `must be of ${DEVICE_TYPES.join(', ')}`, message);
}
