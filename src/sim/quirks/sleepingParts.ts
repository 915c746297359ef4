import type { JsonObject } from '../../core/json.ts';
import type { Quirk, RedfishResponse } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, membersOf, parentPath, withMembers, without } from '../documents.ts';
import { refuse, refuseAsVendor } from '../messages.ts';
import { changeAll } from '../quirk.ts';

const SLEEPS = () => refuse('ServiceTemporarilyUnavailable', '1');
const OFF = () => refuseAsVendor(500, { id: 'OpenBMC.0.4.HostOff', text: 'The baseboard is powered off.' });
const CLOSED = insufficientPrivilege;

/** Parts of a machine that are off, or closed to the account. */
export const sleepingPartQuirks: Quirk[] = [
  part('sleeping-manager', 'Manager', SLEEPS, 'a second manager, of a GPU baseboard, is off and gets 503 (GB300, HGX)'),
  part('failing-manager', 'Manager', OFF, 'a second manager, of a GPU baseboard, is off and gets 500'),
  part('closed-manager', 'Manager', CLOSED, 'a second manager gets 403, as the account may not read it'),
  part('sleeping-system', 'ComputerSystem', SLEEPS, 'a second system, a GPU baseboard, is off and gets 503 (HGX)'),
  part('closed-system', 'ComputerSystem', CLOSED, 'a second system gets 403'),
  part('sleeping-chassis', 'Chassis', SLEEPS, 'a second chassis is off and gets 503'),
  {
    name: 'closed-managers',
    description: 'the managers and their collection get 403 (check_redfish#145)',
    handle: (request, _bmc, next) =>
      isUnder(request.path, `${ROOT}/Managers`) ? insufficientPrivilege() : next(request),
  },
  {
    name: 'closed-manager-collection',
    description: 'the collection of managers gets 403; each manager can be read',
    handle: (request, _bmc, next) => (request.path === `${ROOT}/Managers` ? insufficientPrivilege() : next(request)),
  },
  {
    name: 'no-managers',
    description: 'there are no managers: no link, no collection',
    changeDocuments: (documents) => {
      for (const path of [...documents.keys()]) if (isUnder(path, `${ROOT}/Managers`)) documents.delete(path);
      changeAll(documents, 'ServiceRoot', (root) => without(root, 'Managers'));
      changeAll(documents, 'ComputerSystem', withoutManagedBy);
    },
  },
  {
    name: 'no-managed-by',
    description: 'a system names no managers; they name it (captured iDRAC 9)',
    changeDocuments: (documents) => changeAll(documents, 'ComputerSystem', withoutManagedBy),
  },
];

function insufficientPrivilege(): RedfishResponse {
  return refuseAsVendor(403, {
    id: 'Base.1.8.InsufficientPrivilege',
    text: 'There are insufficient privileges for the account or credentials.',
    resolution: 'Use an account with the privileges.',
  });
}

function isUnder(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`);
}

function withoutManagedBy(system: RedfishDocument): RedfishDocument {
  return { ...system, Links: without((system.Links ?? {}) as JsonObject, 'ManagedBy') };
}

/** Makes a quirk with a second document of `type`, listed first and linked by the system, that is never returned. */
function part(
  name: string,
  type: 'Manager' | 'ComputerSystem' | 'Chassis',
  respond: () => RedfishResponse,
  description: string,
): Quirk {
  const id = type === 'Manager' ? 'HGX_BMC_1' : 'HGX_Baseboard_0';
  return {
    name,
    description,
    changeDocuments: (documents) => {
      const [first] = [...documents].find(([, document]) => documentType(document) === type) ?? [];
      if (first === undefined) return;
      const path = `${parentPath(first)}/${id}`;
      const collection = documents.get(parentPath(first)) ?? {};
      documents.set(parentPath(first), withMembers(collection, [{ '@odata.id': path }, ...membersOf(collection)]));
      if (type !== 'Manager') return;
      changeAll(documents, 'ComputerSystem', (system) => {
        const links = (system.Links ?? {}) as JsonObject;
        if (!Array.isArray(links.ManagedBy)) return system;
        return { ...system, Links: { ...links, ManagedBy: [{ '@odata.id': path }, ...links.ManagedBy] } };
      });
    },
    handle: (request, bmc, next) =>
      request.path.split('/').includes(id) && documentType(bmc.documents.get(request.path)) === null
        ? respond()
        : next(request),
  };
}
