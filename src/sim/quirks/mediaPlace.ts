import type { JsonObject } from '../../core/json.ts';
import type { BmcState, Quirk } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, linkPath } from '../documents.ts';
import { parentPath } from '../path.ts';

/** Where virtual media hang has moved with Redfish's versions; iDRAC 9 and XCC show the same devices in both places. */
export const mediaUnderManager: Quirk = {
  name: 'media-under-manager',
  description: 'virtual media hang under the manager alone (iLO, Supermicro, OpenBMC)',
  shapes: (documents) => moveMedia(documents, 'ComputerSystem', 'Manager', false),
};

export const mediaUnderSystem: Quirk = {
  name: 'media-under-system',
  description: 'virtual media hang under the system alone (iDRAC 9)',
  shapes: (documents) => moveMedia(documents, 'Manager', 'ComputerSystem', false),
};

export const mediaUnderBoth: Quirk = {
  name: 'media-under-both',
  description: 'the same virtual media hang under system and manager, each device twice (XCC)',
  shapes: (documents) => {
    const under = [...documents.keys()].filter((path) => path.endsWith('/VirtualMedia'));
    const inSystem = under.some((path) => documentType(documents.get(parentPath(path)) ?? {}) === 'ComputerSystem');
    if (inSystem) moveMedia(documents, 'ComputerSystem', 'Manager', true);
    else moveMedia(documents, 'Manager', 'ComputerSystem', true);
  },
  handles: (request, bmc, next) => {
    const answer = next(request);
    if (request.method === 'POST' || request.method === 'PATCH') mirror(deviceOf(request.path), bmc);
    return answer;
  },
};

export const mediaNowhere: Quirk = {
  name: 'no-virtual-media',
  description: 'there are no virtual media, under nothing',
  shapes: (documents) => {
    for (const [path, document] of documents) {
      if (path.includes('/VirtualMedia')) documents.delete(path);
      else if ('VirtualMedia' in document) {
        const { VirtualMedia: _, ...rest } = document;
        documents.set(path, rest);
      }
    }
  },
};

export const severalManagers: Quirk = {
  name: 'several-managers',
  description: 'more managers than one, of which the first has no virtual media (GB300, HGX)',
  shapes: (documents) => {
    const [[path, manager] = []] = [...documents].filter(([, document]) => documentType(document) === 'Manager');
    if (!path || !manager) return;
    const { VirtualMedia: _media, Actions: _actions, ...facts } = manager;
    const other = `${parentPath(path)}/HGX_BMC_0`;
    documents.set(other, { ...facts, '@odata.id': other, Id: 'HGX_BMC_0', Name: 'HGX manager' });
    const collection = documents.get(parentPath(path)) ?? {};
    const members = [{ '@odata.id': other }, ...(Array.isArray(collection.Members) ? collection.Members : [])];
    documents.set(parentPath(path), { ...collection, Members: members, 'Members@odata.count': members.length });
    for (const [systemPath, system] of documents) {
      const links = system.Links as JsonObject | undefined;
      if (documentType(system) !== 'ComputerSystem' || !Array.isArray(links?.ManagedBy)) continue;
      const managed = { ...links, ManagedBy: [{ '@odata.id': other }, ...links.ManagedBy] };
      documents.set(systemPath, { ...system, Links: managed });
    }
  },
};

function moveMedia(documents: Map<string, RedfishDocument>, from: string, to: string, keep: boolean): void {
  const owner = (type: string) => [...documents].find(([, document]) => documentType(document) === type);
  const [oldOwner, newOwner] = [owner(from), owner(to)];
  const old = oldOwner && (linkPath(oldOwner[1].VirtualMedia) ?? `${oldOwner[0]}/VirtualMedia`);
  if (!oldOwner || !newOwner || !documents.has(old ?? '')) return;
  const place = `${newOwner[0]}/VirtualMedia`;
  for (const [path, document] of [...documents]) {
    if (path !== old && !path.startsWith(`${old}/`)) continue;
    documents.set(place + path.slice(old!.length), movedTo(document, old!, place));
    if (!keep) documents.delete(path);
  }
  documents.set(newOwner[0], { ...newOwner[1], VirtualMedia: { '@odata.id': place } });
  const { VirtualMedia: _, ...rest } = oldOwner[1];
  documents.set(oldOwner[0], keep ? { ...rest, VirtualMedia: { '@odata.id': old! } } : rest);
}

/** Links and action targets of the old place become those of the new one. */
function movedTo(document: RedfishDocument, old: string, place: string): RedfishDocument {
  return JSON.parse(JSON.stringify(document).replaceAll(`"${old}`, `"${place}`)) as JsonObject;
}

function deviceOf(path: string): string {
  return path.replace(/\/Actions\/.*$/, '');
}

/** Brings the other copy of a changed device to what this one is now. */
function mirror(path: string, bmc: BmcState): void {
  const device = bmc.documents.get(path);
  if (!device || documentType(device) !== 'VirtualMedia') return;
  const place = parentPath(path);
  for (const other of bmc.blueprint.documents.keys()) {
    if (other === path || !other.endsWith(path.slice(parentPath(place).length))) continue;
    if (documentType(bmc.documents.get(other) ?? {}) === 'VirtualMedia') {
      bmc.documents.set(other, movedTo(device, place, parentPath(other)));
    }
  }
}
