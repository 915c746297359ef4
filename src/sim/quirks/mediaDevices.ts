import type { Json } from '../../core/json.ts';
import type { Quirk } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, linkPath, memberPaths, membersOf, parentPath, withMembers, without } from '../documents.ts';
import { changeAll } from '../quirk.ts';
import { notAllowed } from '../response.ts';

const COLLECTION = 'VirtualMediaCollection';
const FIXED_SLOT = 'Fixed1';

/** The virtual media devices that a BMC has and lists. */
export const mediaDeviceQuirks: Quirk[] = [
  {
    name: 'dvd-only',
    description: 'the CD device has the media type DVD instead of CD (Cisco UCS)',
    changeDocuments: (documents) =>
      changeDevices(documents, (device) =>
        supports(device, 'CD') || supports(device, 'DVD') ? { ...device, MediaTypes: ['DVD'] } : device,
      ),
  },
  {
    name: 'cd-and-usb-in-one',
    description: 'the only device has the media types CD and USBStick (GB300)',
    changeDocuments: (documents) => {
      changeAll(documents, COLLECTION, (collection) => {
        const paths = memberPaths(collection);
        const only = paths.find((path) => supports(documents.get(path), 'CD')) ?? paths[0];
        for (const path of paths) if (path !== only) documents.delete(path);
        return withMembers(
          collection,
          membersOf(collection).filter((member) => linkPath(member) === only),
        );
      });
      changeDevices(documents, (device) => ({ ...device, MediaTypes: ['CD', 'USBStick'] }));
    },
  },
  {
    name: 'dead-slot',
    description: 'the last virtual media slot has an image and no actions, and returns 405 to PATCH (Cisco C845A M8)',
    changeDocuments: (documents) =>
      changeAll(documents, COLLECTION, (collection, path) => {
        const sample = documents.get(memberPaths(collection)[0] ?? '');
        if (!sample) return collection;
        const place = `${path}/${FIXED_SLOT}`;
        const slot = { '@odata.id': place, Id: FIXED_SLOT, Name: 'Fixed slot', Inserted: true, Image: 'internal.img' };
        documents.set(place, { ...without(sample, 'Actions'), ...slot, ConnectedVia: 'Oem' });
        return withMembers(collection, [...membersOf(collection), { '@odata.id': place }]);
      }),
    handle: (request, _bmc, next) =>
      request.method === 'PATCH' && request.path.endsWith(`/VirtualMedia/${FIXED_SLOT}`)
        ? notAllowed('GET, HEAD')
        : next(request),
  },
  {
    name: 'media-listed-while-inserted',
    description: 'a virtual media device exists only while it holds an image (XCC before 2.50)',
    handle: (request, bmc, next) => {
      const document = bmc.documents.get(request.path);
      if (request.method !== 'GET' || !document) return next(request);
      if (isEmptyDevice(document)) return next({ ...request, path: `${request.path}/Empty` });
      const response = next(request);
      if (documentType(document) !== COLLECTION || response.body === null) return response;
      const collection = JSON.parse(response.body) as { Members: Json[] };
      const isShown = (member: Json) => !isEmptyDevice(bmc.documents.get(linkPath(member) ?? ''));
      return { ...response, body: JSON.stringify(withMembers(collection, collection.Members.filter(isShown))) };
    },
  },
  {
    name: 'inline-media',
    description: 'the collection of virtual media holds the devices instead of links (captured iDRAC 9)',
    handle: (request, bmc, next) => {
      const document = bmc.documents.get(request.path);
      const response = next(request);
      if (request.method !== 'GET' || documentType(document) !== COLLECTION) return response;
      const members = membersOf(document).map((member) => bmc.documents.get(linkPath(member) ?? '') ?? member);
      return { ...response, body: JSON.stringify({ ...document, Members: members }) };
    },
  },
];

function supports(device: RedfishDocument | undefined, type: string): boolean {
  return Array.isArray(device?.MediaTypes) && device.MediaTypes.includes(type);
}

function isEmptyDevice(document: RedfishDocument | undefined): boolean {
  return documentType(document) === 'VirtualMedia' && document?.Inserted === false;
}

function changeDevices(
  documents: Map<string, RedfishDocument>,
  change: (device: RedfishDocument) => RedfishDocument,
): void {
  changeAll(documents, 'VirtualMedia', (device, path) =>
    documentType(documents.get(parentPath(path))) === COLLECTION ? change(device) : device,
  );
}
