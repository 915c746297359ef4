import type { Json, JsonObject } from '../../core/json.ts';
import type { BmcState, Quirk, RedfishResponse } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, linkPath, membersOf, parentPath, withMembers, without } from '../documents.ts';
import { refuse } from '../messages.ts';
import { changeAll, isRead } from '../quirk.ts';

const NAMES = { VirtualMedia: 'device', EventDestination: 'subscription' } as const;
const COLLECTIONS = { VirtualMedia: 'media', EventDestination: 'subscriptions' } as const;
const STATUS_WORDS = {
  403: () => ({ ...refuse('AccessDenied', ROOT), status: 403 }),
  404: () => refuse('ResourceMissingAtURI', ROOT),
  500: () => refuse('InternalError'),
  503: () => refuse('ServiceTemporarilyUnavailable', '1'),
} satisfies Record<number, () => RedfishResponse>;

/** Collections with members that cannot be read, and in forms that Redfish does not have. */
export const collectionQuirks: Quirk[] = [
  ...(['VirtualMedia', 'EventDestination'] as const).flatMap((type) =>
    ([403, 404, 500, 503] as const).map((status) => unreadable(type, status)),
  ),
  ...([403, 500, 503] as const).map(closedSubscriptions),
  collections('members-without-links', 'a collection has members that are null, empty, or an empty link', (members) => [
    null,
    {},
    ...members,
    { '@odata.id': '' },
    { '@odata.id': null },
  ]),
  collections('members-partial', 'a member of a collection has Id and Name beside its link', (members, bmc) =>
    members.map((member) => {
      const { Id = null, Name = null } = bmc.documents.get(linkPath(member) ?? '') ?? {};
      return { '@odata.id': (member as JsonObject)['@odata.id'] ?? null, Id, Name };
    }),
  ),
  collections('members-null', 'an empty collection has Members of null (nv-redfish)', (members) =>
    members.length === 0 ? null : members,
  ),
  collections('count-wrong', 'Members@odata.count of a collection is 0', (members) => members, {
    'Members@odata.count': 0,
  }),
  ...(['VirtualMedia', 'EventDestination'] as const).flatMap((type) => [
    broken(type, 'without-members', 'has no Members', (collection) => without(collection, 'Members')),
    broken(
      type,
      'error-200',
      'is an error under 200',
      () => JSON.parse(refuse('InternalError').body ?? '') as JsonObject,
    ),
    broken(type, 'page-missing', 'has a next page that is missing', (collection) => ({
      ...collection,
      'Members@odata.nextLink': `${collection['@odata.id']}?$skip=missing`,
    })),
    broken(type, 'page-loop', 'has itself as the next page', (collection) => ({
      ...collection,
      'Members@odata.nextLink': `${collection['@odata.id']}`,
    })),
  ]),
];

/** Makes a quirk whose collections of `type` list one more member, first, that is never returned. */
function unreadable(type: keyof typeof NAMES, status: keyof typeof STATUS_WORDS): Quirk {
  const name = `Unreadable${status}`;
  return {
    name: `unreadable-${NAMES[type]}-${status}`,
    description: `the first ${NAMES[type]} is listed, and its document gets ${status}`,
    changeDocuments: (documents) =>
      changeAll(documents, `${type}Collection`, (collection, path) =>
        withMembers(collection, [{ '@odata.id': `${path}/${name}` }, ...membersOf(collection)]),
      ),
    handle: (request, bmc, next) =>
      request.path.endsWith(`/${name}`) &&
      documentType(bmc.documents.get(parentPath(request.path))) === `${type}Collection`
        ? STATUS_WORDS[status]()
        : next(request),
  };
}

/** Makes a quirk whose collection lists the subscriptions, of which none can be read. */
function closedSubscriptions(status: 403 | 500 | 503): Quirk {
  return {
    name: `closed-subscriptions-${status}`,
    description: `the subscriptions are listed, and the document of each gets ${status}`,
    handle: (request, bmc, next) =>
      isRead(request) && parentPath(request.path) === bmc.blueprint.subscriptions
        ? STATUS_WORDS[status]()
        : next(request),
  };
}

/** Makes a quirk that changes the members of every collection as they are shown. */
function collections(
  name: string,
  description: string,
  change: (members: Json[], bmc: BmcState) => Json[] | null,
  more: JsonObject = {},
): Quirk {
  return {
    name,
    description,
    handle: (request, bmc, next) => {
      const response = next(request);
      if (!isRead(request) || response.status !== 200 || !response.body?.startsWith('{')) return response;
      const shown = JSON.parse(response.body) as JsonObject;
      if (!Array.isArray(shown.Members)) return response;
      return { ...response, body: JSON.stringify({ ...shown, Members: change(shown.Members, bmc), ...more }) };
    },
  };
}

/** Makes a quirk that shows the collections of `type` in a form from which its members cannot be told. */
function broken(
  type: keyof typeof COLLECTIONS,
  form: string,
  what: string,
  change: (collection: RedfishDocument) => JsonObject,
): Quirk {
  return {
    name: `${COLLECTIONS[type]}-${form}`,
    description: `the collection of ${type === 'VirtualMedia' ? 'virtual media' : 'subscriptions'} ${what}`,
    handle: (request, bmc, next) => {
      const document = bmc.documents.get(request.path);
      if (!isRead(request) || documentType(document) !== `${type}Collection`) return next(request);
      if (request.target.includes('$skip=missing')) return refuse('ResourceMissingAtURI', request.path);
      const response = next(request);
      if (response.status !== 200 || !response.body?.startsWith('{')) return response;
      return { ...response, body: JSON.stringify(change(JSON.parse(response.body) as JsonObject)) };
    },
  };
}
