import type { BmcState, Quirk, RedfishResponse } from '../bmc.ts';
import { documentType, parentPath, without } from '../documents.ts';
import { refuse } from '../messages.ts';
import { actionName, changeAll } from '../quirk.ts';
import { noContent } from '../response.ts';

/** The ways to insert and eject an image. */
export const mediaActionQuirks: Quirk[] = [
  // HPE iLO requires a body even without parameters; the status depends on its firmware.
  ...([400, 415] as const).map(
    (status): Quirk => ({
      name: `eject-wants-object-${status}`,
      description: `an eject without a body gets ${status}; it requires {} (HPE iLO)`,
      handle: (request, bmc, next) => {
        const ejects = /\.Eject(Virtual)?Media$/.test(actionName(request, bmc) ?? '');
        return ejects && request.body.trim() === '' ? { ...refuse('MalformedJSON'), status } : next(request);
      },
    }),
  ),
  {
    name: 'no-media-actions',
    description: 'virtual media have no actions; PATCH of Image and Inserted inserts and ejects (Lenovo XCC)',
    changeDocuments: (documents) => changeAll(documents, 'VirtualMedia', (device) => without(device, 'Actions')),
  },
  {
    name: 'if-match-wanted',
    description: 'a PATCH of a virtual media device without If-Match gets 428 (Lenovo XCC)',
    handle: (request, bmc, next) => {
      const isDevice = documentType(bmc.documents.get(request.path)) === 'VirtualMedia';
      const unconditional = request.method === 'PATCH' && request.headers['if-match'] === undefined;
      return isDevice && unconditional ? refuse('PreconditionRequired') : next(request);
    },
  },
  lingeringMedia(3),
];

interface Ejection {
  /** The number of reads that still show the image. */
  remaining: number;
  eject: () => RedfishResponse;
}

/** `reads`: the number of reads of the device or its collection that show the image after an eject. */
export function lingeringMedia(reads: number): Quirk {
  const ejections = new WeakMap<BmcState, Map<string, Ejection>>();
  return {
    name: 'lingering-media',
    description: 'a device reports Inserted: true for a while after its eject (iDRAC)',
    handle: (request, bmc, next) => {
      const devices = ejections.get(bmc) ?? new Map<string, Ejection>();
      ejections.set(bmc, devices);
      const resource = bmc.blueprint.actions.get(request.path)?.resource;
      if (resource !== undefined && actionName(request, bmc)?.endsWith('.EjectMedia')) {
        devices.set(resource, { remaining: reads, eject: () => next(request) });
        return noContent();
      }
      if (resource !== undefined) devices.delete(resource);
      else if (request.method === 'GET') {
        for (const [path, ejection] of devices) {
          if (path !== request.path && parentPath(path) !== request.path) continue;
          ejection.remaining--;
          if (ejection.remaining >= 0) continue;
          devices.delete(path);
          ejection.eject();
        }
      }
      return next(request);
    },
  };
}
