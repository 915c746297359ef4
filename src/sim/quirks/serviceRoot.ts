import type { Json, JsonObject } from '../../core/json.ts';
import { isJsonObject } from '../../core/json.ts';
import type { BmcState, Quirk, RedfishRequest } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import { authenticate } from '../credentials.ts';
import { without } from '../documents.ts';
import { changeShown, isRead } from '../quirk.ts';

/** What every service root has. */
const FACTS = ['@odata.id', '@odata.type', 'Id', 'Name', 'RedfishVersion', 'UUID'];

/** Service roots that show less than there is. The services are at the paths of DSP0268. */
export const serviceRootQuirks: Quirk[] = [
  shownTo('strangers', 'root-for-strangers', 'only sessions', (root) => ({
    ...only(root, [...FACTS, 'SessionService', 'Links']),
  })),
  shownTo('strangers', 'root-bare-for-strangers', 'no links at all', (root) => only(root, FACTS)),
  shownTo('all', 'root-without-services', 'only Links.Sessions (nv-redfish#224)', (root) =>
    only(root, [...FACTS, 'Links']),
  ),
  shownTo('all', 'root-without-links', 'no Links, but its services', (root) => without(root, 'Links')),
  shownTo('all', 'root-bare', 'no links at all (proxmox-redfish#34)', (root) => only(root, FACTS)),
  shownTo('all', 'root-empty-links', 'empty links in place of those to its services', (root) =>
    Object.fromEntries(
      Object.entries(root).map(([name, value]): [string, Json] => [
        name,
        isJsonObject(value) && '@odata.id' in value ? { '@odata.id': '' } : value,
      ]),
    ),
  ),
  shownTo('all', 'root-null-links', 'null in place of its services', (root) =>
    Object.fromEntries(
      Object.entries(root).map(([name, value]): [string, Json] => [
        name,
        isJsonObject(value) && '@odata.id' in value ? null : value,
      ]),
    ),
  ),
  {
    name: 'root-closed',
    description: 'the service root gets 401 without credentials',
    beforeAuthentication: (request, bmc) =>
      request.path === ROOT && isRead(request) ? authenticate(request, bmc) : undefined,
  },
  unlinked(
    'EventService',
    'Subscriptions',
    'no-subscriptions-link',
    'the event service does not link its subscriptions',
  ),
  {
    name: 'no-virtual-media-link',
    description: 'systems and managers do not link their virtual media (captured iDRAC 9)',
    handle: (request, bmc, next) =>
      changeShown('ComputerSystem', (system) => without(system, 'VirtualMedia'))(request, bmc, (passed) =>
        changeShown('Manager', (manager) => without(manager, 'VirtualMedia'))(passed, bmc, next),
      ),
  },
];

function only(root: JsonObject, names: string[]): JsonObject {
  return Object.fromEntries(Object.entries(root).filter(([name]) => names.includes(name)));
}

function isStranger(request: RedfishRequest, bmc: BmcState): boolean {
  const { headers } = request;
  const anonymous = headers['x-auth-token'] === undefined && headers.authorization === undefined;
  return anonymous || authenticate(request, bmc) !== undefined;
}

function shownTo(
  whom: 'strangers' | 'all',
  name: string,
  what: string,
  change: (root: JsonObject) => JsonObject,
): Quirk {
  return {
    name,
    description: `the service root shows ${what}${whom === 'strangers' ? ', until one has logged in' : ''}`,
    handle: (request, bmc, next) =>
      request.path !== ROOT || (whom === 'strangers' && !isStranger(request, bmc))
        ? next(request)
        : changeShown('ServiceRoot', change)(request, bmc, next),
  };
}

function unlinked(type: string, link: string, name: string, description: string): Quirk {
  return { name, description, handle: changeShown(type, (document) => without(document, link)) };
}
