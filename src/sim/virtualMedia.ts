import type { Json, JsonObject } from '../core/json.ts';
import type { Answer, BmcState, OfferedAction, RedfishRequest } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import type { Complaint } from './messages.ts';
import { refuse, refuseAll, shown } from './messages.ts';
import { documentAnswer, noContent, readObject, readParameters, refuseStale } from './response.ts';

/** What a client may say of a medium: InsertMedia's parameters, and by PATCH the same properties (DSP0268). */
const MEDIUM: ReadonlyMap<string, 'string' | 'boolean'> = new Map([
  ['Image', 'string'],
  ['Inserted', 'boolean'],
  ['Password', 'string'],
  ['TransferMethod', 'string'],
  ['TransferProtocolType', 'string'],
  ['UserName', 'string'],
  ['WriteProtected', 'boolean'],
]);

/**
 * POST to EjectMedia: 204. Ejecting from an empty device is 204 too: Redfish does not say, and the device then is as
 * the client wants it.
 */
export function ejectMedia(request: RedfishRequest, bmc: BmcState, action: OfferedAction): Answer {
  const read = readParameters(request);
  if ('refusal' in read) return read.refusal;
  const unknown = Object.keys(read.object).map((name) => unknownParameter(action, name));
  if (unknown.length > 0) return refuseAll(unknown);
  changeDevice(bmc, action.resource, (device) => emptied(device, bmc.documents.original(action.resource)));
  return noContent();
}

/** POST to InsertMedia: 204. A medium that is in the device already is replaced. */
export function insertMedia(request: RedfishRequest, bmc: BmcState, action: OfferedAction): Answer {
  const read = readParameters(request);
  if ('refusal' in read) return read.refusal;
  const complaints = Object.entries(read.object).flatMap(([name, value]): Complaint[] => {
    const type = MEDIUM.get(name);
    if (!type) return [unknownParameter(action, name)];
    if (typeof value === type) return [];
    return [{ name: 'ActionParameterValueTypeError', args: [shownParameter(name, value), name, action.name] }];
  });
  const image = read.object.Image;
  if (image === undefined || image === '') {
    complaints.push({ name: 'ActionParameterMissing', args: [action.name, 'Image'], property: 'Image' });
  }
  if (complaints.length > 0) return refuseAll(complaints);
  changeDevice(bmc, action.resource, (device) => filled(device, read.object));
  return noContent();
}

/**
 * PATCH of a virtual media device, for devices without actions (Lenovo XCC, the DMTF mockup): `Image: null` or
 * `Inserted: false` ejects, an Image inserts. 200 with the document; 412 when `If-Match` names another state.
 */
export function patchDevice(request: RedfishRequest, bmc: BmcState): Answer {
  const before = bmc.documents.get(request.path) as RedfishDocument;
  const stale = refuseStale(request, before);
  if (stale) return stale;
  const read = readObject(request);
  if ('refusal' in read) return read.refusal;
  if (Object.keys(read.object).length === 0) return refuse('EmptyJSON');
  const complaints = Object.entries(read.object).flatMap(([property, value]): Complaint[] => {
    const type = MEDIUM.get(property);
    if (!type) {
      return [{ name: property in before ? 'PropertyNotWritable' : 'PropertyUnknown', args: [property], property }];
    }
    if (value === null || typeof value === type) return [];
    return [{ name: 'PropertyValueTypeError', args: [shownParameter(property, value), property], property }];
  });
  if (complaints.length > 0) return refuseAll(complaints);

  const { Image: image, Inserted: inserted } = read.object;
  const ejects = image === null || image === '' || (image === undefined && inserted === false);
  changeDevice(bmc, request.path, (device) =>
    ejects
      ? emptied({ ...device, ...known(device, read.object) }, bmc.documents.original(request.path))
      : filled(device, read.object),
  );
  return documentAnswer(bmc.documents.get(request.path) as RedfishDocument);
}

function changeDevice(bmc: BmcState, path: string, change: (device: RedfishDocument) => RedfishDocument): void {
  const device = bmc.documents.get(path);
  if (device) bmc.documents.set(path, change(device));
}

/** An empty device. iLO says "" where others say null; `original` shows which. */
function emptied(device: RedfishDocument, original: RedfishDocument | undefined): RedfishDocument {
  const nothing: JsonObject = {
    ImageName: null,
    Password: null,
    TransferMethod: null,
    TransferProtocolType: null,
    UserName: null,
  };
  return {
    ...device,
    ...known(device, nothing),
    Image: original?.Image === '' ? '' : null,
    Inserted: false,
    ConnectedVia: 'NotConnected',
  };
}

function filled(device: RedfishDocument, medium: JsonObject): RedfishDocument {
  const image = medium.Image ?? device.Image ?? null;
  const shownMedium: JsonObject = {
    ImageName: typeof image === 'string' ? imageName(image) : null,
    TransferMethod: medium.TransferMethod ?? 'Stream',
    TransferProtocolType: medium.TransferProtocolType ?? null,
    WriteProtected: medium.WriteProtected ?? true,
  };
  return {
    ...device,
    ...known(device, shownMedium),
    Image: image,
    Inserted: medium.Inserted ?? true,
    ConnectedVia: 'URI',
  };
}

/** Those of `properties` that the device shows. */
function known(device: RedfishDocument, properties: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name in device));
}

function imageName(image: string): string {
  const path = image.replace(/[?#].*$/s, '');
  return path.slice(path.lastIndexOf('/') + 1);
}

function unknownParameter(action: OfferedAction, name: string): Complaint {
  return { name: 'ActionParameterUnknown', args: [action.name, name], property: name };
}

function shownParameter(name: string, value: Json): string {
  return name === 'Password' || name === 'UserName' ? '******' : shown(value);
}
