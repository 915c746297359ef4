import type { Json, JsonObject } from '../core/json.ts';
import { MASK } from '../core/secrets.ts';
import type { BmcState, OfferedAction, RedfishRequest, RedfishResponse } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { lastSegment } from './documents.ts';
import type { Message } from './messages.ts';
import { asArgument, refuseAll } from './messages.ts';
import { documentResponse, noContent, readParameters, readPatch } from './response.ts';

/** InsertMedia's parameters, which are also the properties that PATCH changes (DSP0268), with their types. */
const MEDIUM: ReadonlyMap<string, 'string' | 'boolean'> = new Map([
  ['Image', 'string'],
  ['Inserted', 'boolean'],
  ['Password', 'string'],
  ['TransferMethod', 'string'],
  ['TransferProtocolType', 'string'],
  ['UserName', 'string'],
  ['WriteProtected', 'boolean'],
]);

/** POST to EjectMedia: 204, also for an empty device, which Redfish leaves open. */
export function ejectMedia(request: RedfishRequest, bmc: BmcState, action: OfferedAction): RedfishResponse {
  const unknown = Object.keys(readParameters(request)).map((name) => unknownParameter(action, name));
  if (unknown.length > 0) return refuseAll(unknown);
  changeDevice(bmc, action.resource, (device) => ejected(device, bmc.documents.original(action.resource)));
  return noContent();
}

/** POST to InsertMedia: 204; replaces an inserted medium. */
export function insertMedia(request: RedfishRequest, bmc: BmcState, action: OfferedAction): RedfishResponse {
  const parameters = readParameters(request);
  const errors = Object.entries(parameters).flatMap(([name, value]): Message[] => {
    const type = MEDIUM.get(name);
    if (!type) return [unknownParameter(action, name)];
    if (typeof value === type) return [];
    return [{ name: 'ActionParameterValueTypeError', args: [maskedArgument(name, value), name, action.name] }];
  });
  if (parameters.Image === undefined || parameters.Image === '') {
    errors.push({ name: 'ActionParameterMissing', args: [action.name, 'Image'], property: 'Image' });
  }
  if (errors.length > 0) return refuseAll(errors);
  changeDevice(bmc, action.resource, (device) => inserted(device, parameters));
  return noContent();
}

/**
 * PATCH of a virtual media device, for devices without actions (Lenovo XCC, the DMTF mockup): `Image: null` or
 * `Inserted: false` ejects, an Image inserts. Returns 200 with the document, or 412 for another ETag in `If-Match`.
 */
export function patchDevice(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  const before = bmc.documents.get(request.path) as RedfishDocument;
  const changes = readPatch(request, before);
  const errors = Object.entries(changes).flatMap(([property, value]): Message[] => {
    const type = MEDIUM.get(property);
    if (!type) {
      return [{ name: property in before ? 'PropertyNotWritable' : 'PropertyUnknown', args: [property], property }];
    }
    if (value === null || typeof value === type) return [];
    return [{ name: 'PropertyValueTypeError', args: [maskedArgument(property, value), property], property }];
  });
  if (errors.length > 0) return refuseAll(errors);

  const { Image: image } = changes;
  const ejects = image === null || image === '' || (image === undefined && changes.Inserted === false);
  changeDevice(bmc, request.path, (device) =>
    ejects
      ? ejected({ ...device, ...onlyExisting(device, changes) }, bmc.documents.original(request.path))
      : inserted(device, changes),
  );
  return documentResponse(bmc.documents.get(request.path) as RedfishDocument);
}

function changeDevice(bmc: BmcState, path: string, change: (device: RedfishDocument) => RedfishDocument): void {
  const device = bmc.documents.get(path);
  if (device) bmc.documents.set(path, change(device));
}

/** Returns the device without medium. Its Image is null, or "" on iLO, whose `original` shows it. */
function ejected(device: RedfishDocument, original: RedfishDocument | undefined): RedfishDocument {
  return {
    ...device,
    ...onlyExisting(device, {
      ImageName: null,
      Password: null,
      TransferMethod: null,
      TransferProtocolType: null,
      UserName: null,
    }),
    Image: original?.Image === '' ? '' : null,
    Inserted: false,
    ConnectedVia: 'NotConnected',
  };
}

function inserted(device: RedfishDocument, medium: JsonObject): RedfishDocument {
  const image = medium.Image ?? device.Image ?? null;
  return {
    ...device,
    ...onlyExisting(device, {
      ImageName: typeof image === 'string' ? lastSegment(image.replace(/[?#].*$/s, '')) : null,
      TransferMethod: medium.TransferMethod ?? 'Stream',
      TransferProtocolType: medium.TransferProtocolType ?? null,
      WriteProtected: medium.WriteProtected ?? true,
    }),
    Image: image,
    Inserted: medium.Inserted ?? true,
    ConnectedVia: 'URI',
  };
}

/** Returns those of `properties` that the device has. */
function onlyExisting(device: RedfishDocument, properties: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name in device));
}

function unknownParameter(action: OfferedAction, name: string): Message {
  return { name: 'ActionParameterUnknown', args: [action.name, name], property: name };
}

function maskedArgument(name: string, value: Json): string {
  return name === 'Password' || name === 'UserName' ? MASK : asArgument(value);
}
