import type { IncomingHttpHeaders } from 'node:http';
import type { BmcState, CredentialsFault, RedfishRequest, RedfishResponse } from './bmc.ts';
import { refuse, refuseAll } from './messages.ts';
import { documentResponse, noContent, readObject, withHeaders } from './response.ts';

/** How a request is authenticated. */
export type AuthKind = 'none' | 'basic' | 'session';

/** Returns how a request is authenticated. A token takes precedence over Basic. */
export function authKind(headers: IncomingHttpHeaders): AuthKind {
  if (headers['x-auth-token'] !== undefined) return 'session';
  return headers.authorization === undefined ? 'none' : 'basic';
}

/** Returns the 401 for missing or wrong credentials (DSP0266, "Authentication"), or undefined. */
export function authenticate(request: RedfishRequest, bmc: BmcState): RedfishResponse | undefined {
  if (bmc.accounts === null) return undefined;
  const { headers } = request;
  if (authKind(headers) === 'basic') {
    if (isBasicAccount(bmc, headers)) return undefined;
    return refusal(challenge(refuse('AccessDenied', bmc.blueprint.profile.name)), 'password', request, bmc);
  }
  const token = headers['x-auth-token'];
  if (token !== undefined && bmc.sessions?.use(String(token))) return undefined;
  return refusal(challenge(refuse('NoValidSession')), token === undefined ? 'missing' : 'session', request, bmc);
}

/** Whether a request has the Basic credentials of an account. */
export function isBasicAccount(bmc: BmcState, headers: IncomingHttpHeaders): boolean {
  const [userName, password] = basicAccount(headers.authorization ?? '') ?? [];
  return userName !== undefined && password !== undefined && isAccount(bmc, userName, password);
}

/** Returns the response to refused credentials, as the BMC's quirks make it. */
export function refusal(
  response: RedfishResponse,
  fault: CredentialsFault,
  request: RedfishRequest,
  bmc: BmcState,
): RedfishResponse {
  return bmc.blueprint.quirks.reduce(
    (refused, quirk) => quirk.refuseCredentials?.(refused, fault, request) ?? refused,
    response,
  );
}

/** Adds the challenge of a 401: the authentication that the BMC offers. */
export function challenge(response: RedfishResponse, scheme: 'Basic' | 'Session' = 'Basic'): RedfishResponse {
  return withHeaders(response, { 'WWW-Authenticate': `${scheme} realm="simulated BMC"` });
}

/** POST to the collection of sessions: 201 with token, Location and document; 401; 503 when all sessions are taken. */
export function logIn(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  const { UserName: userName, Password: password } = readObject(request);
  for (const [property, value] of Object.entries({ UserName: userName, Password: password })) {
    if (value === undefined) return refuseAll([{ name: 'PropertyMissing', args: [property], property }]);
    // The value may be a password of another type, so it is not sent back.
    if (typeof value !== 'string') {
      return refuseAll([{ name: 'PropertyValueTypeError', args: ['******', property], property }]);
    }
  }
  if (!isAccount(bmc, String(userName), String(password))) {
    return refusal(challenge(refuse('AccessDenied', request.path)), 'password', request, bmc);
  }
  const opened = bmc.sessions?.open(String(userName));
  const document = opened && bmc.documents.get(opened.session.path);
  if (!document) return refuse('SessionLimitExceeded');
  return documentResponse(document, 201, { Location: opened.session.path, 'X-Auth-Token': opened.token });
}

/** DELETE of a session, live or from a capture. */
export function logOut(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  bmc.sessions?.end(request.path);
  if (bmc.documents.get(request.path)) bmc.documents.removeMember(request.path);
  return noContent();
}

function isAccount(bmc: BmcState, userName: string, password: string): boolean {
  return bmc.accounts === null || bmc.accounts.get(userName) === password;
}

function basicAccount(authorization: string): [userName: string, password: string] | null {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization.trim()) ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? null : [text.slice(0, colon), text.slice(colon + 1)];
}
