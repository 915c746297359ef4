import type { BmcState, OfferedAction, RedfishRequest, RedfishResponse } from './bmc.ts';
import { ROOT } from './bmc.ts';
import { authenticate, logIn, logOut } from './credentials.ts';
import type { RedfishDocument } from './documents.ts';
import { documentPath, documentType, parentPath } from './documents.ts';
import { submitTestEvent } from './events/testEvent.ts';
import { refuse } from './messages.ts';
import { odataMetadata, odataService, schemaLink } from './odata.ts';
import { patchDocument } from './patch.ts';
import { handleWith, isRead } from './quirk.ts';
import { resetManager, resetSystem } from './resetActions.ts';
import { documentResponse, Refusal, withHeaders } from './response.ts';
import { openStream, patchSubscription, subscribe, unsubscribe } from './subscriptions.ts';
import { ejectMedia, insertMedia, patchDevice } from './virtualMedia.ts';

type Handler = (request: RedfishRequest, bmc: BmcState) => RedfishResponse;
type ActionHandler = (request: RedfishRequest, bmc: BmcState, action: OfferedAction) => RedfishResponse;

/** The handlers of a path by method, which are also the methods of its `Allow` header. */
type Resource = Partial<Record<'GET' | 'POST' | 'PATCH' | 'DELETE', Handler>>;

/** The simulated actions by name; HPE's own do what the standard ones do. */
const ACTIONS: ReadonlyMap<string, ActionHandler> = new Map([
  ['VirtualMedia.EjectMedia', ejectMedia],
  ['VirtualMedia.InsertMedia', insertMedia],
  ['HpeiLOVirtualMedia.EjectVirtualMedia', ejectMedia],
  ['HpeiLOVirtualMedia.InsertVirtualMedia', insertMedia],
  ['EventService.SubmitTestEvent', submitTestEvent],
  ['ComputerSystem.Reset', resetSystem],
  ['Manager.Reset', resetManager],
]);

/** The types of documents that clients cannot change. */
const READ_ONLY = new Set([
  'ServiceRoot',
  'SessionService',
  'TaskService',
  'Task',
  'ActionInfo',
  'Role',
  'MessageRegistry',
  'MessageRegistryFile',
  'Event',
  'LogEntry',
]);

/** Readable without credentials (DSP0266, "Resource and operation authentication requirements"). */
const PUBLIC = new Set(['/redfish', ROOT, `${ROOT}/odata`, `${ROOT}/$metadata`]);

/** The document at `/redfish` (DSP0266, "Protocol version"). */
const VERSIONS: RedfishDocument = { v1: `${ROOT}/` };

/**
 * Returns the BMC's response to a request, and makes the change it requests. Checked in this order: credentials (401),
 * resource (404), method (405), OData version (412), the request itself; quirks come in between.
 */
export function handleRequest(sent: RedfishRequest, bmc: BmcState): RedfishResponse {
  const { method, path } = sent;
  // POST to a collection's `Members` is POST to the collection (DSP0266, "POST (create)").
  const request = method === 'POST' && path.endsWith('/Members') ? { ...sent, path: parentPath(path) } : sent;
  const { quirks } = bmc.blueprint;
  let response: RedfishResponse | undefined;
  for (const quirk of quirks) response ??= quirk.beforeAuthentication?.(request, bmc);
  if (!isPublic(request, bmc)) response ??= authenticate(request, bmc);
  response ??= handleWith(quirks, request, bmc, (passed) => perform(passed, bmc));
  for (const quirk of quirks) response = quirk.changeResponse?.(response, request, bmc) ?? response;
  return response;
}

function isPublic(request: RedfishRequest, bmc: BmcState): boolean {
  if (isRead(request)) return PUBLIC.has(request.path);
  // Without a session service too, so that a log-in gets 404, as from a BMC without one.
  return request.method === 'POST' && request.path === (bmc.blueprint.sessions ?? `${ROOT}/SessionService/Sessions`);
}

function perform(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  // Removes expired sessions from their collection too.
  bmc.sessions?.sweep();
  const resource = resourceAt(request.path, bmc);
  if (!resource) return refuse('ResourceMissingAtURI', request.path);
  const allow = Object.keys(resource).join(', ').replace('GET', 'GET, HEAD');
  const handler = resource[(isRead(request) ? 'GET' : request.method) as keyof Resource];
  if (!handler) return withHeaders(refuse('OperationNotAllowed'), { Allow: allow });
  const version = request.headers['odata-version'] ?? '4.0';
  if (version !== '4.0') return refuse('HeaderInvalid', `OData-Version: ${version}`);
  try {
    const response = handler(request, bmc);
    return isRead(request) ? withHeaders(response, { Allow: allow }) : response;
  } catch (error) {
    if (error instanceof Refusal) return error.response;
    throw error;
  }
}

function resourceAt(path: string, bmc: BmcState): Resource | undefined {
  const { actions, sessions, subscriptions, eventService } = bmc.blueprint;
  if (path === '/redfish') return { GET: () => documentResponse(VERSIONS) };
  if (path === `${ROOT}/odata`) return { GET: () => odataService(bmc.documents.get(ROOT) as RedfishDocument) };
  if (path === `${ROOT}/$metadata`) return { GET: () => odataMetadata(bmc.blueprint.documents) };
  const action = actions.get(path);
  if (action) return { POST: (request) => runAction(request, bmc, action) };
  const { ServerSentEventUri: streams } = bmc.documents.get(eventService ?? '') ?? {};
  if (typeof streams === 'string' && path === documentPath(streams)) return { GET: openStream };
  const document = bmc.documents.get(path);
  if (!document) return undefined;
  const GET = () => documentResponse(document, 200, schemaLink(document));
  if (path === sessions) return { GET, POST: logIn };
  if (path === subscriptions) return { GET, POST: subscribe };
  if (Array.isArray(document.Members)) return { GET };
  if (parentPath(path) === sessions) return { GET, DELETE: logOut };
  if (parentPath(path) === subscriptions) return { GET, PATCH: patchSubscription, DELETE: unsubscribe };
  const type = documentType(document);
  if (type === 'VirtualMedia') return { GET, PATCH: patchDevice };
  return type === null || READ_ONLY.has(type) ? { GET } : { GET, PATCH: patchDocument };
}

function runAction(request: RedfishRequest, bmc: BmcState, action: OfferedAction): RedfishResponse {
  const run = ACTIONS.get(action.name);
  return run ? run(request, bmc, action) : refuse('ActionNotSupported', action.name);
}
