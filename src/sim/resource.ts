import type { Answer, BmcState, OfferedAction, RedfishRequest } from './bmc.ts';
import { ROOT } from './bmc.ts';
import { refuseStranger } from './credentials.ts';
import type { RedfishDocument } from './documents.ts';
import { documentType } from './documents.ts';
import { refuse } from './messages.ts';
import { odataMetadata, odataService, schemaLink } from './odata.ts';
import { patchDocument } from './patch.ts';
import { parentPath } from './path.ts';
import { handleWith } from './quirk.ts';
import { resetManager, resetSystem } from './resetActions.ts';
import { documentAnswer } from './response.ts';
import { logIn, logOut } from './sessions.ts';
import { subscribe, unsubscribe } from './subscriptions.ts';
import { ejectMedia, insertMedia, patchDevice } from './virtualMedia.ts';

type Respond = (request: RedfishRequest, bmc: BmcState) => Answer;
type RunAction = (request: RedfishRequest, bmc: BmcState, action: OfferedAction) => Answer;

/** What a path answers, by method; the methods of its `Allow` header. */
type Resource = Partial<Record<'GET' | 'POST' | 'PATCH' | 'DELETE', Respond>>;

/** The actions that are simulated, by name; HPE's own two do what the standard ones do. */
const ACTIONS: ReadonlyMap<string, RunAction> = new Map([
  ['VirtualMedia.EjectMedia', ejectMedia],
  ['VirtualMedia.InsertMedia', insertMedia],
  ['HpeiLOVirtualMedia.EjectVirtualMedia', ejectMedia],
  ['HpeiLOVirtualMedia.InsertVirtualMedia', insertMedia],
  ['ComputerSystem.Reset', resetSystem],
  ['Manager.Reset', resetManager],
]);

/** Documents of these types are as the service makes them; no client changes them. */
const UNCHANGING = new Set([
  'ServiceRoot',
  'SessionService',
  'TaskService',
  'Task',
  'ActionInfo',
  'Role',
  'MessageRegistryFile',
]);

/** What is shown without credentials (DSP0266, "Resource and operation authentication requirements"). */
const OPEN = new Set(['/redfish', ROOT, `${ROOT}/odata`, `${ROOT}/$metadata`]);

/** The document at `/redfish` (DSP0266, "Protocol version"). */
const VERSIONS: RedfishDocument = { v1: `${ROOT}/` };

/**
 * What the BMC answers to `request`, changing its state as the request asks. The order: credentials (401), the
 * resource (404), the method (405), the version of OData (412), then the request itself; quirks come in between.
 */
export function answerRequest(sent: RedfishRequest, bmc: BmcState): Answer {
  const request = { ...sent, path: membersOwner(sent) };
  const { quirks } = bmc.blueprint;
  let answer: Answer | undefined;
  for (const quirk of quirks) answer ??= quirk.precedes?.(request, bmc);
  answer ??= refuseUnknown(request, bmc) ?? handleWith(quirks, request, bmc, (passed) => carryOut(passed, bmc));
  for (const quirk of quirks) answer = quirk.finishes?.(answer, request, bmc) ?? answer;
  return answer;
}

/** The refusal of a request that needs credentials and has none that are good, or undefined. */
function refuseUnknown(request: RedfishRequest, bmc: BmcState): Answer | undefined {
  const reads = request.method === 'GET' || request.method === 'HEAD';
  // Without a session service too: a client that tries to log in learns from a 404 that there is none.
  const logInPath = bmc.blueprint.sessions ?? `${ROOT}/SessionService/Sessions`;
  const open = reads ? OPEN.has(request.path) : request.method === 'POST' && request.path === logInPath;
  return open ? undefined : refuseStranger(request.headers, bmc);
}

function carryOut(request: RedfishRequest, bmc: BmcState): Answer {
  const reads = request.method === 'GET' || request.method === 'HEAD';
  // So that a session that has run out is gone from its collection too.
  bmc.sessions?.sweep();
  const resource = resourceAt(request.path, bmc);
  if (!resource) return refuse('ResourceMissingAtURI', request.path);
  const respond = resource[(reads ? 'GET' : request.method) as keyof Resource];
  const version = request.headers['odata-version'] ?? '4.0';
  if (respond && version !== '4.0') return refuse('HeaderInvalid', `OData-Version: ${version}`);
  const answer = respond ? respond(request, bmc) : refuse('OperationNotAllowed');
  if (respond && !reads) return answer;
  return { ...answer, headers: { ...answer.headers, Allow: allowed(resource) } };
}

/** POST to a collection's `Members` is POST to the collection (DSP0266, "POST (create)"). */
function membersOwner({ method, path }: RedfishRequest): string {
  return method === 'POST' && path.endsWith('/Members') ? parentPath(path) : path;
}

function resourceAt(path: string, bmc: BmcState): Resource | undefined {
  const { actions, sessions, subscriptions } = bmc.blueprint;
  if (path === '/redfish') return { GET: () => documentAnswer(VERSIONS) };
  if (path === `${ROOT}/odata`) return { GET: () => odataService(bmc.documents.get(ROOT) as RedfishDocument) };
  if (path === `${ROOT}/$metadata`) return { GET: () => odataMetadata(bmc.blueprint.documents) };
  const action = actions.get(path);
  if (action) return { POST: (request) => runAction(request, bmc, action) };
  const document = bmc.documents.get(path);
  if (!document) return undefined;
  if (path === sessions) return { GET: show, POST: logIn };
  if (path === subscriptions) return { GET: show, POST: subscribe };
  if (Array.isArray(document.Members)) return { GET: show };
  if (parentPath(path) === sessions) return { GET: show, DELETE: logOut };
  if (parentPath(path) === subscriptions) return { GET: show, PATCH: patchDocument, DELETE: unsubscribe };
  const type = documentType(document);
  if (type === 'VirtualMedia') return { GET: show, PATCH: patchDevice };
  return type === null || UNCHANGING.has(type) ? { GET: show } : { GET: show, PATCH: patchDocument };
}

function show(request: RedfishRequest, bmc: BmcState): Answer {
  const document = bmc.documents.get(request.path) as RedfishDocument;
  return documentAnswer(document, 200, schemaLink(document));
}

function runAction(request: RedfishRequest, bmc: BmcState, action: OfferedAction): Answer {
  const run = ACTIONS.get(action.name);
  return run ? run(request, bmc, action) : refuse('ActionNotSupported', action.name);
}

function allowed(resource: Resource): string {
  return Object.keys(resource)
    .flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    .join(', ');
}
