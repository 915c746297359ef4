import type { Json } from '../../core/json.ts';
import type { Quirk } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, memberPath } from '../documents.ts';
import { parentPath } from '../path.ts';
import { notAllowed } from '../quirk.ts';

export const dvdOnly: Quirk = {
  name: 'dvd-only',
  description: 'the CD device says DVD and not CD (Cisco UCS)',
  shapes: (documents) =>
    changeDevices(documents, (device) =>
      offers(device, 'CD') || offers(device, 'DVD') ? { ...device, MediaTypes: ['DVD'] } : device,
    ),
};

export const cdAndUsb: Quirk = {
  name: 'cd-and-usb-in-one',
  description: 'one device that is CD and USBStick, and no other (GB300)',
  shapes: (documents) => {
    for (const [path, collection] of documents) {
      if (documentType(collection) !== 'VirtualMediaCollection' || !Array.isArray(collection.Members)) continue;
      const paths = collection.Members.map(memberPath).filter((one) => one !== null);
      const kept = paths.find((one) => offers(documents.get(one) ?? {}, 'CD')) ?? paths[0];
      for (const one of paths) if (one !== kept) documents.delete(one);
      const members = collection.Members.filter((member) => memberPath(member) === kept);
      documents.set(path, { ...collection, Members: members, 'Members@odata.count': members.length });
    }
    changeDevices(documents, (device) => ({ ...device, MediaTypes: ['CD', 'USBStick'] }));
  },
};

/** The slot comes last, and holds an image that nobody can take out. */
export const deadSlot: Quirk = {
  name: 'dead-slot',
  description: 'one virtual media slot has no actions and answers 405 to PATCH (Cisco C845A M8)',
  shapes: (documents) => {
    for (const [path, collection] of documents) {
      if (documentType(collection) !== 'VirtualMediaCollection' || !Array.isArray(collection.Members)) continue;
      const sample = documents.get(memberPath(collection.Members[0] ?? null) ?? '');
      if (!sample) continue;
      const { Actions: _, ...facts } = sample;
      const place = `${path}/${DEAD}`;
      const slot = { '@odata.id': place, Id: DEAD, Name: 'Fixed slot', Inserted: true, Image: 'internal.img' };
      documents.set(place, { ...facts, ...slot, ConnectedVia: 'Oem' });
      const members = [...collection.Members, { '@odata.id': place }];
      documents.set(path, { ...collection, Members: members, 'Members@odata.count': members.length });
    }
  },
  handles: (request, _bmc, next) =>
    request.method === 'PATCH' && request.path.endsWith(`/VirtualMedia/${DEAD}`)
      ? notAllowed('GET, HEAD')
      : next(request),
};

/** With nothing inserted the collection is empty, and what was a device gets 404. */
export const listedWhileInserted: Quirk = {
  name: 'media-listed-while-inserted',
  description: 'a virtual media device is listed only while it holds an image (XCC before 2.50)',
  handles: (request, bmc, next) => {
    const document = bmc.documents.get(request.path);
    if (request.method !== 'GET' || !document) return next(request);
    if (isEmptyDevice(document)) return next({ ...request, path: `${request.path}/Empty` });
    const answer = next(request);
    if (documentType(document) !== 'VirtualMediaCollection' || answer.body === null) return answer;
    const shown = JSON.parse(answer.body) as { Members: Json[] };
    const members = shown.Members.filter((member) => !isEmptyDevice(bmc.documents.get(memberPath(member) ?? '') ?? {}));
    return { ...answer, body: JSON.stringify({ ...shown, Members: members, 'Members@odata.count': members.length }) };
  },
};

export const inlineMedia: Quirk = {
  name: 'inline-media',
  description: 'the collection of virtual media holds the whole devices, not links (captured iDRAC 9)',
  handles: (request, bmc, next) => {
    const document = bmc.documents.get(request.path) ?? {};
    const answer = next(request);
    if (request.method !== 'GET' || documentType(document) !== 'VirtualMediaCollection') return answer;
    const members = (document.Members as Json[]).map((one) => bmc.documents.get(memberPath(one) ?? '') ?? one);
    return { ...answer, body: JSON.stringify({ ...document, Members: members }) };
  },
};

const DEAD = 'Fixed1';

function offers(device: RedfishDocument, type: string): boolean {
  return Array.isArray(device.MediaTypes) && device.MediaTypes.includes(type);
}

function isEmptyDevice(document: RedfishDocument): boolean {
  return documentType(document) === 'VirtualMedia' && document.Inserted === false;
}

function changeDevices(
  documents: Map<string, RedfishDocument>,
  change: (device: RedfishDocument) => RedfishDocument,
): void {
  for (const [path, document] of documents) {
    const inCollection = documentType(documents.get(parentPath(path)) ?? {}) === 'VirtualMediaCollection';
    if (inCollection && documentType(document) === 'VirtualMedia') documents.set(path, change(document));
  }
}
