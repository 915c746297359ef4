import type { Quirk } from '../bmc.ts';
import type { Complaint } from '../messages.ts';
import { refuseAll } from '../messages.ts';
import { actionName, objectIn } from '../quirk.ts';

const INSERT = 'VirtualMedia.InsertMedia';

export const insertRefusesFlags: Quirk = {
  name: 'insert-refuses-flags',
  description: 'InsertMedia refuses Inserted and WriteProtected (Supermicro X11)',
  handles: (request, bmc, next) => {
    if (actionName(request, bmc) !== INSERT) return next(request);
    const given = ['Inserted', 'WriteProtected'].filter((name) => name in objectIn(request));
    if (given.length === 0) return next(request);
    return refuseAll(given.map((name): Complaint => ({ name: 'ActionParameterUnknown', args: [INSERT, name] })));
  },
};

export const insertWantsProtocol: Quirk = {
  name: 'insert-wants-protocol',
  description: 'InsertMedia wants TransferProtocolType, and names it in MessageArgs alone (Cisco C845A M8)',
  handles: (request, bmc, next) => {
    if (actionName(request, bmc) !== INSERT || 'TransferProtocolType' in objectIn(request)) return next(request);
    return refuseAll([{ name: 'ActionParameterMissing', args: [INSERT, 'TransferProtocolType'] }]);
  },
};
