import type { Quirk } from '../bmc.ts';
import { refuse } from '../messages.ts';
import { actionName } from '../quirk.ts';

export const ejectWantsObject400: Quirk = ejectWantsObject(400);
export const ejectWantsObject415: Quirk = ejectWantsObject(415);

/** HPE iLO reads a body however few parameters there are; which status it refuses with differs with its firmware. */
function ejectWantsObject(status: 400 | 415): Quirk {
  return {
    name: `eject-wants-object-${status}`,
    description: `an eject without a body gets ${status}; {} is wanted (HPE iLO)`,
    handles: (request, bmc, next) => {
      const ejects = /\.Eject(Virtual)?Media$/.test(actionName(request, bmc) ?? '');
      return ejects && request.body.trim() === '' ? { ...refuse('MalformedJSON'), status } : next(request);
    },
  };
}
