import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { objectOf } from '../links.ts';
import { type Kind, kind } from './kind.ts';
import { entriesOf, type Machine } from './machine.ts';
import { isDocument, type Recording } from './recording.ts';

const SERVICES = ['Systems', 'Managers', 'EventService'];

/** Returns the kinds of service roots that show less than there is. */
export function rootKinds(recording: Recording, { root }: Machine): Kind[] {
  const { strangers, root: path } = recording;
  const shown = strangers.get(path);
  const stranger = shown !== undefined && isDocument(shown) ? shown.document : null;
  const less = root !== null && stranger !== null && Object.keys(stranger).length < Object.keys(root).length;
  const hasSessions = stranger !== null && ('Links' in stranger || 'SessionService' in stranger);
  return [
    ...kind(
      shown?.status === 401 || shown?.status === 403,
      'root-closed',
      `the service root gets ${shown?.status} without credentials`,
    ),
    ...kind(less && hasSessions, 'root-for-strangers', 'the service root shows less to strangers'),
    ...kind(less && !hasSessions, 'root-bare-for-strangers', 'the service root shows no links to strangers'),
    ...(root === null ? [] : poorRoot(root)),
  ];
}

function poorRoot(root: JsonObject): Kind[] {
  const values = SERVICES.map((name) => root[name]);
  if (values.some(isLink))
    return kind(!isJsonObject(root.Links), 'root-without-links', 'the service root has no Links');
  const present = values.filter((value) => value !== undefined);
  const what = 'the service root links to no services';
  if (present.length === 0) return kind(true, 'Links' in root ? 'root-without-services' : 'root-bare', what);
  return kind(true, present.every((value) => value === null) ? 'root-null-links' : 'root-empty-links', what);
}

function isLink(value: Json | undefined): boolean {
  return isJsonObject(value) && typeof value['@odata.id'] === 'string' && value['@odata.id'] !== '';
}

/** Statuses of a refused login for a session, which the simulator shows. */
const REFUSALS = [400, 401, 403, 405, 500, 501];

/** Returns the kinds of logins. */
export function loginKinds(recording: Recording, { root }: Machine): Kind[] {
  const { login, responses, strangers, root: path } = recording;
  const status = login.refusal?.status ?? null;
  const linked = root !== null && isLink(objectOf(root, 'Links').Sessions);
  const service = isLink(root?.SessionService);
  const isPoor = root === null || !SERVICES.some((name) => isLink(root[name]));
  const sessionService = entriesOf(recording, 'leaf').find(([key]) => key.endsWith('/SessionService'))?.[1].document;
  const disabled = sessionService?.ServiceEnabled === false;
  const basic = login.kind === 'basic';
  const challenges = [...responses.values(), ...strangers.values()].flatMap(({ status: code, headers }) =>
    code === 401 && headers['www-authenticate'] ? [headers['www-authenticate']] : [],
  );
  const offersBasic = challenges.some((challenge) => /\bbasic\b/i.test(challenge));
  const closed = strangers.get(path);
  const frontEnd = closed?.status === 401 && closed.document === null && closed.text !== null && offersBasic;
  return [
    ...kind(!isPoor && !linked && !service && login.kind !== 'session', 'no-session-service', 'no sessions are linked'),
    ...kind(
      service && !linked && isJsonObject(root?.Links),
      'no-sessions-link',
      'the service root has no Links.Sessions',
    ),
    ...kind(linked && !service && !isPoor, 'sessions-link-only', 'only Links.Sessions leads to the sessions'),
    ...kind(basic && disabled, 'sessions-disabled', 'ServiceEnabled of the session service is false'),
    ...kind(basic && !disabled && status === 503, 'sessions-refused', 'a login for a session got 503'),
    ...kind(
      basic && status !== null && REFUSALS.includes(status) && (linked || service),
      `log-in-${status}`,
      `a login for a session got ${status}; Basic works`,
    ),
    ...kind(frontEnd, 'basic-front-end', 'strangers get a page that asks for Basic'),
    ...kind(challenges.length > 0 && !offersBasic, 'basic-off', 'a 401 does not offer Basic', 'named'),
  ];
}
