import type { JsonObject } from '../../core/json.ts';
import type { Quirk } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import { authKind, challenge } from '../credentials.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, without } from '../documents.ts';
import { refuse } from '../messages.ts';

const noSessionService: Quirk = {
  name: 'no-session-service',
  description: 'there are no sessions, only Basic authentication',
  changeDocuments: (documents) => {
    deleteAll(documents, /^Session/);
    changeRoot(documents, (root) => without(root, 'SessionService', 'Links'));
  },
};

/** The session service, and the authentication that a BMC accepts. */
export const sessionQuirks: Quirk[] = [
  noSessionService,
  {
    ...noSessionService,
    name: 'no-session-service-401',
    description: "there are no sessions; a log-in gets 401, as with a wrong password (sushy-tools' emulator)",
    beforeAuthentication: ({ method, path, headers }) =>
      method === 'POST' && path === `${ROOT}/SessionService/Sessions` && headers.authorization === undefined
        ? challenge(refuse('AccessDenied', path))
        : undefined,
  },
  {
    name: 'sessions-refused',
    description: 'every log-in gets 503, as if all sessions were taken; Basic works',
    beforeAuthentication: (request, bmc) =>
      request.method === 'POST' && request.path === bmc.blueprint.sessions ? refuse('SessionLimitExceeded') : undefined,
  },
  {
    name: 'basic-off',
    description: 'Basic authentication gets 401, and WWW-Authenticate does not offer it',
    beforeAuthentication: ({ path, headers }) =>
      authKind(headers) === 'basic' ? challenge(refuse('AccessDenied', path), 'Session') : undefined,
  },
  { name: 'few-sessions', description: 'there are two sessions at most', maxSessions: 2 },
  {
    name: 'sessions-link-only',
    description: "the service root's Links are the only link to the sessions; there is no SessionService document",
    changeDocuments: (documents) => {
      deleteAll(documents, /^SessionService$/);
      changeRoot(documents, (root) => without(root, 'SessionService'));
    },
  },
  {
    name: 'no-sessions-link',
    description: 'the service root has no Links.Sessions; SessionService has it, and requires credentials',
    changeDocuments: (documents) =>
      changeRoot(documents, (root) => ({
        ...root,
        Links: without((root.Links ?? {}) as JsonObject, 'Sessions'),
      })),
  },
];

function deleteAll(documents: Map<string, RedfishDocument>, type: RegExp): void {
  for (const [path, document] of documents) if (type.test(documentType(document) ?? '')) documents.delete(path);
}

function changeRoot(documents: Map<string, RedfishDocument>, change: (root: RedfishDocument) => RedfishDocument): void {
  const root = documents.get(ROOT);
  if (root) documents.set(ROOT, change(root));
}
