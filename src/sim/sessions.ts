import type { Answer, BmcState, RedfishRequest } from './bmc.ts';
import { challenge, knows } from './credentials.ts';
import { refuse, refuseAll } from './messages.ts';
import { documentAnswer, noContent, readObject } from './response.ts';

/** POST to the collection of sessions: 201 with token, Location and document; 401, or 503 when no session is left. */
export function logIn(request: RedfishRequest, bmc: BmcState): Answer {
  const read = readObject(request);
  if ('refusal' in read) return read.refusal;
  const { UserName: userName, Password: password } = read.object;
  for (const [property, value] of Object.entries({ UserName: userName, Password: password })) {
    if (value === undefined) return refuseAll([{ name: 'PropertyMissing', args: [property], property }]);
    // The value may be a password of another type: it is not shown.
    if (typeof value !== 'string') {
      return refuseAll([{ name: 'PropertyValueTypeError', args: ['******', property], property }]);
    }
  }
  if (!knows(bmc, String(userName), String(password))) return challenge(refuse('AccessDenied', request.path));
  const opened = bmc.sessions?.open(String(userName));
  const document = opened && bmc.documents.get(opened.session.path);
  if (!document) return refuse('SessionLimitExceeded');
  return documentAnswer(document, 201, { Location: opened.session.path, 'X-Auth-Token': opened.token });
}

/** DELETE of a session; a captured one, whose token nobody has, goes too. */
export function logOut(request: RedfishRequest, bmc: BmcState): Answer {
  bmc.sessions?.end(request.path);
  if (bmc.documents.get(request.path)) bmc.documents.removeMember(request.path);
  return noContent();
}
