import type { JsonObject } from '../../core/json.ts';
import type { Quirk } from '../bmc.ts';
import { ROOT } from '../bmc.ts';
import { authKind, challenge } from '../credentials.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType } from '../documents.ts';
import { refuse } from '../messages.ts';

export const noSessionService: Quirk = {
  name: 'no-session-service',
  description: 'there are no sessions; Basic is all there is',
  shapes: (documents) => {
    for (const [path, document] of documents) {
      const type = documentType(document);
      if (type === 'SessionService' || type?.startsWith('Session')) documents.delete(path);
    }
    changeRoot(documents, ({ SessionService: _, Links: _links, ...root }) => root as RedfishDocument);
  },
};

/** All but the service root wants Basic, what is not there too: a log-in cannot tell this from a wrong password. */
export const noSessionService401: Quirk = {
  ...noSessionService,
  name: 'no-session-service-401',
  description: "as no-session-service; a log-in all the same gets 401 (sushy-tools' emulator)",
  precedes: ({ method, path, headers }) =>
    method === 'POST' && path === `${ROOT}/SessionService/Sessions` && headers.authorization === undefined
      ? challenge(refuse('AccessDenied', path))
      : undefined,
};

export const sessionsRefused: Quirk = {
  name: 'sessions-refused',
  description: 'every log-in is refused with 503, as if all sessions were taken; Basic works',
  precedes: (request, bmc) =>
    request.method === 'POST' && request.path === bmc.blueprint.sessions ? refuse('SessionLimitExceeded') : undefined,
};

/** The 401 does not offer Basic; by that a client can tell it from a wrong password. */
export const basicOff: Quirk = {
  name: 'basic-off',
  description: 'Basic authentication is turned off: 401 that offers none, whatever the password',
  precedes: ({ path, headers }) => {
    if (authKind(headers) !== 'basic') return undefined;
    const answer = refuse('AccessDenied', path);
    return { ...answer, headers: { ...answer.headers, 'WWW-Authenticate': 'Session realm="simulated BMC"' } };
  },
};

export const fewSessions: Quirk = {
  name: 'few-sessions',
  description: 'two sessions, and no more',
  maxSessions: 2,
};

export const sessionsLinkOnly: Quirk = {
  name: 'sessions-link-only',
  description: "the sessions are in the service root's Links alone; there is no SessionService document",
  shapes: (documents) => {
    for (const [path, document] of documents) if (documentType(document) === 'SessionService') documents.delete(path);
    changeRoot(documents, ({ SessionService: _, ...root }) => root as RedfishDocument);
  },
};

export const noSessionsLink: Quirk = {
  name: 'no-sessions-link',
  description: 'the service root has no Links.Sessions; SessionService has it, and wants credentials',
  shapes: (documents) =>
    changeRoot(documents, (root) => {
      const { Sessions: _, ...links } = (root.Links ?? {}) as JsonObject;
      return { ...root, Links: links };
    }),
};

function changeRoot(documents: Map<string, RedfishDocument>, change: (root: RedfishDocument) => RedfishDocument): void {
  const root = documents.get(ROOT);
  if (root) documents.set(ROOT, change(root));
}
