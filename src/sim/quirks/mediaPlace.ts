import type { JsonObject } from '../../core/json.ts';
import type { BmcState, Quirk } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, linkPath, membersOf, parentPath, withMembers, without } from '../documents.ts';
import { changeAll } from '../quirk.ts';

/** The place of virtual media has changed with Redfish's versions; iDRAC 9 and XCC show the same devices twice. */
export const mediaPlaceQuirks: Quirk[] = [
  {
    name: 'media-under-manager',
    description: 'virtual media are under the manager only (iLO, Supermicro, OpenBMC)',
    changeDocuments: (documents) => moveMedia(documents, 'ComputerSystem', 'Manager', false),
  },
  {
    name: 'media-under-system',
    description: 'virtual media are under the system only (iDRAC 9)',
    changeDocuments: (documents) => moveMedia(documents, 'Manager', 'ComputerSystem', false),
  },
  {
    name: 'media-under-both',
    description: 'the same virtual media are under the system and under the manager (XCC)',
    changeDocuments: (documents) => {
      const inSystem = [...documents.keys()].some(
        (path) => path.endsWith('/VirtualMedia') && documentType(documents.get(parentPath(path))) === 'ComputerSystem',
      );
      if (inSystem) moveMedia(documents, 'ComputerSystem', 'Manager', true);
      else moveMedia(documents, 'Manager', 'ComputerSystem', true);
    },
    handle: (request, bmc, next) => {
      const response = next(request);
      if (request.method === 'POST' || request.method === 'PATCH') {
        updateCopies(request.path.replace(/\/Actions\/.*$/, ''), bmc);
      }
      return response;
    },
  },
  {
    name: 'no-virtual-media',
    description: 'there are no virtual media',
    changeDocuments: (documents) => {
      for (const [path, document] of documents) {
        if (path.includes('/VirtualMedia')) documents.delete(path);
        else if ('VirtualMedia' in document) documents.set(path, without(document, 'VirtualMedia'));
      }
    },
  },
  {
    name: 'several-managers',
    description: 'there are several managers, of which the first has no virtual media (GB300, HGX)',
    changeDocuments: (documents) => {
      const [[path, manager] = []] = [...documents].filter(([, document]) => documentType(document) === 'Manager');
      if (!path || !manager) return;
      const other = `${parentPath(path)}/HGX_BMC_0`;
      const names = { '@odata.id': other, Id: 'HGX_BMC_0', Name: 'HGX manager' };
      documents.set(other, { ...without(manager, 'VirtualMedia', 'Actions'), ...names });
      const collection = documents.get(parentPath(path)) ?? {};
      documents.set(parentPath(path), withMembers(collection, [{ '@odata.id': other }, ...membersOf(collection)]));
      changeAll(documents, 'ComputerSystem', (system) => {
        const links = system.Links as JsonObject | undefined;
        if (!Array.isArray(links?.ManagedBy)) return system;
        return { ...system, Links: { ...links, ManagedBy: [{ '@odata.id': other }, ...links.ManagedBy] } };
      });
    },
  },
];

function moveMedia(documents: Map<string, RedfishDocument>, from: string, to: string, keep: boolean): void {
  const owner = (type: string) => [...documents].find(([, document]) => documentType(document) === type);
  const [oldOwner, newOwner] = [owner(from), owner(to)];
  if (!oldOwner || !newOwner) return;
  const old = linkPath(oldOwner[1].VirtualMedia) ?? `${oldOwner[0]}/VirtualMedia`;
  if (!documents.has(old)) return;
  const place = `${newOwner[0]}/VirtualMedia`;
  for (const [path, document] of [...documents]) {
    if (path !== old && !path.startsWith(`${old}/`)) continue;
    documents.set(place + path.slice(old.length), movedTo(document, old, place));
    if (!keep) documents.delete(path);
  }
  documents.set(newOwner[0], { ...newOwner[1], VirtualMedia: { '@odata.id': place } });
  const rest = without(oldOwner[1], 'VirtualMedia');
  documents.set(oldOwner[0], keep ? { ...rest, VirtualMedia: { '@odata.id': old } } : rest);
}

/** Returns `document` with the links and action targets of the new place. */
function movedTo(document: RedfishDocument, old: string, place: string): RedfishDocument {
  return JSON.parse(JSON.stringify(document).replaceAll(`"${old}`, `"${place}`)) as JsonObject;
}

/** Makes the other copies of a changed device equal to it. */
function updateCopies(path: string, bmc: BmcState): void {
  const device = bmc.documents.get(path);
  if (!device || documentType(device) !== 'VirtualMedia') return;
  const place = parentPath(path);
  for (const other of bmc.blueprint.documents.keys()) {
    if (other === path || !other.endsWith(path.slice(parentPath(place).length))) continue;
    if (documentType(bmc.documents.get(other)) === 'VirtualMedia') {
      bmc.documents.set(other, movedTo(device, place, parentPath(other)));
    }
  }
}
