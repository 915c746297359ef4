import type { Answer, BmcState, Quirk } from '../bmc.ts';
import { parentPath } from '../path.ts';
import { actionName } from '../quirk.ts';
import { noContent } from '../response.ts';

interface Ejecting {
  /** Reads that still see the image. */
  left: number;
  eject: () => Answer;
}

/** After an eject the device shows its image for the next three reads, as if the work were done meanwhile. */
export const lingeringMedia: Quirk = lingersFor(3);

/** As `lingeringMedia`, for `reads` reads of the device or of its collection. */
export function lingersFor(reads: number): Quirk {
  const ejecting = new WeakMap<BmcState, Map<string, Ejecting>>();
  return {
    name: 'lingering-media',
    description: 'a device says Inserted: true for a while after its eject (iDRAC)',
    handles: (request, bmc, next) => {
      const devices = ejecting.get(bmc) ?? new Map<string, Ejecting>();
      ejecting.set(bmc, devices);
      const resource = bmc.blueprint.actions.get(request.path)?.resource;
      if (resource !== undefined && actionName(request, bmc)?.endsWith('.EjectMedia')) {
        devices.set(resource, { left: reads, eject: () => next(request) });
        return noContent();
      }
      if (resource !== undefined) devices.delete(resource);
      else if (request.method === 'GET') {
        for (const [path, one] of devices) {
          if (path !== request.path && parentPath(path) !== request.path) continue;
          one.left--;
          if (one.left >= 0) continue;
          devices.delete(path);
          one.eject();
        }
      }
      return next(request);
    },
  };
}
