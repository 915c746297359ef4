// What the words of a BMC's response mean for the client, in any registry and version. Texts count where a BMC sends no
// MessageId.
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { jsonOf } from './body.ts';
import { messageKey, readExtendedInfo, type Words, wordsOf } from './messages.ts';
import type { RawResponse } from './request.ts';

/**
 * How a request may be treated.
 * - `read`: a GET of a document. It may be repeated, and a 200 that carries only an error is an error.
 * - `change`: it may change something.
 * - `monitor`: a GET of a task monitor, whose response is the operation's own, delivered once.
 */
export type RequestMode = 'read' | 'change' | 'monitor';

/** The session that was used has ended: Base, and bmcweb, iLO, iDRAC and others in their own registries. */
const ENDED_SESSION =
  /^(no|in)valid(\w*session)|^(invalid|expired|unknown)\w*token|(session|token)(id|has|is|was)*(invalid|expired|notvalid|timed?out|terminated|closed|ended|notfound)|(authentication|login|session|token)required$|^(not|un)authenticated/;
const ENDED_SESSION_TEXT =
  /\bno (?:valid|such|active) (?:\w+ )?session\b|\b(?:invalid|expired|unknown) (?:\w+ )?(?:session|token|x-auth-token)\b|\b(?:session|token)\b[^.]{0,40}\b(?:expired|tim(?:e|ed)[ -]?out|(?:not|no longer) (?:valid|found|exist\w*|active)|invalid|terminated|(?:has|is|was|been) (?:ended|over|closed)|does not exist)\b|\bnot (?:logged in|authenticated)\b|\b(?:log|sign)[ -]?in (?:again|first|is required)\b|\b(?:please|must) (?:log|sign|be logged)[ -]?in\b|\bauthentication (?:is )?required\b/i;

/** The user name or password is wrong, or not accepted this way (iDRAC: SYS415; iLO: UnauthorizedLoginAttempt). */
const REFUSED_LOGIN =
  /unauthori[sz]ed|^sys415$|accessdenied|loginfail|(login|authentication|password|credential).*(fail|invalid|incorrect|denied)|(invalid|incorrect|wrong|bad).*(login|authentication|password|credential|username)|^(no|in)validsession$|^accountlocked/;
const REFUSED_LOGIN_TEXT =
  /\b(?:unauthori[sz]ed|not authenticated|authentication (?:has )?(?:failed|required|error)|access denied|login failed|log ?in (?:is )?required)\b|\b(?:invalid|incorrect|wrong|bad|missing)\b[^.]{0,30}\b(?:user ?name|password|credentials?|login)\b|\b(?:user ?name|password|credentials?)\b[^.]{0,50}\b(?:invalid|incorrect|wrong|not valid)\b/i;

/** Texts that say no more than the status, as web servers send them. */
const NO_WORDS = /^(?:forbidden|bad|request|error|access|http|status|code|nginx|lighttpd|apache|[\d\W_])*$/i;

/** Ids that say no more than that something failed. */
const GENERAL = /^(generalerror|extendedinfo|error|internalerror|success|\d*)$/;

/** Ids that are numbers of a vendor (iDRAC: RAC0506, SYS403), whose text says what they mean. */
const OPAQUE = /^[a-z]{2,5}\d{2,6}$/;

/** Nothing of this kind comes back by waiting. */
const LASTING = /^servicedisabled$|licen[cs]e|notlicensed/;
const LASTING_TEXT =
  /\blicen[cs]e\b|\b(?:service|sessions?|interface|feature)\b[^.]{0,30}\b(?:is|are|was|has been) (?:disabled|switched off|turned off|not supported)\b/i;

/** No session is left (iDRAC: RAC0218); others may be, later. */
const NO_SESSION_LEFT =
  /^sessionlimitexceeded|^rac0218$|(max|limit|toomany).*session|session.*(limit|max)|insufficientresources?$|resourceexhaustion/;
const NO_SESSION_LEFT_TEXT =
  /\b(?:maximum number|limit|too many)\b[^.]{0,40}\bsessions?\b|\bsessions?\b[^.]{0,40}\b(?:limit|maximum|is left|are left)\b/i;

/** Not ready for 20 to 30 s; nothing was done (Base; iDRAC: SYS518; iLO: ResourceNotReadyRetry). */
const NOT_READY =
  /^(sys518|resourcenotreadyretry|resourceinuse|serviceinunknownstate|serviceshuttingdown)$|temporarilyunavailable|notready|^(resource|service|system|server|bmc)(is)?busy$/;
/** May mean a lasting state, or one of minutes (iLO; iDRAC: SWC0700). */
const PERHAPS_LASTING = /^(invalidoperationforsystemstate|swc0700)$/;
const PERHAPS_TEXT =
  /\btemporarily unavailable\b|\b(?:is|are|too) (?:\w+ )?busy\b|\b(?:bmc|service|server|system|resource|device) busy\b|\bnot (?:yet |currently )?ready\b|\b(?:re)?try (?:again )?(?:later|shortly|in (?:a|\d)|after (?:a|\d|some))/i;
/** Statuses at which a text alone may mean that nothing was done. */
const BUSY_STATUSES = [400, 409, 422, 423, 425, 429, 503];
/** What must not be sent again, however the text goes on: each try with a wrong password counts towards a lock. */
const OF_ACCOUNT_TEXT = /\b(?:passwords?|credentials?|user ?names?|accounts?|log ?in|attempts?|lock(?:ed|out))\b/i;

/** Ids whose meaning is sure, and neither an ended session nor a wait: rights, limits, what the request contains. */
const SURE =
  /privilege|permission|rights?$|limit|quota|exceed|licen[cs]e|propert|parameter|exists?$|duplicate|malformed|notsupported|unsupported/;

/** Whether no message has an id that says what it means, so that the text counts. BMCs put any text under an id of their own. */
function leaveItToText(keys: string[]): boolean {
  return !keys.some((key) => SURE.test(key));
}

/** How long a response lets hope that the next try succeeds. */
export type Readiness = 'not-ready' | 'perhaps' | 'lasting' | 'unknown';

/** Returns whether the BMC says that it is not ready and did nothing, so that any verb may be repeated. */
export function readinessOf(status: number, { keys, text }: Words): Readiness {
  if (keys.some((key) => LASTING.test(key)) || LASTING_TEXT.test(text)) return 'lasting';
  if (keys.some((key) => PERHAPS_LASTING.test(key))) return 'perhaps';
  if (keys.some((key) => NOT_READY.test(key))) return 'not-ready';
  if (!BUSY_STATUSES.includes(status) || !leaveItToText(keys)) return 'unknown';
  return PERHAPS_TEXT.test(text) && !OF_ACCOUNT_TEXT.test(text) ? 'perhaps' : 'unknown';
}

/** Statuses that concern the request itself, whatever it is about. */
const OF_REQUEST = new Set([408, 425, 429]);

/** Whether the response to a poll of a task's monitor is about the poll: it says nothing of the operation, which goes on. */
export function concernsPoll(status: number, words: Words): boolean {
  return OF_REQUEST.has(status) || ['not-ready', 'perhaps'].includes(readinessOf(status, words));
}

/** The time that a message names: `MessageArgs` of ServiceTemporarilyUnavailable, or "retry in 7 seconds". */
const NAMED_TIME = /\b(?:re)?try\b[^.]{0,30}?\b(?:in|after)\D{0,12}?(\d{1,6})\s*(s|sec|seconds?|m|min|minutes?)\b/i;

/** Returns the time after which the BMC's words ask for another try, in ms; null when they name none. */
export function namedWaitMs({ extendedInfo, text }: Words): number | null {
  for (const entry of extendedInfo) {
    if (!/temporarilyunavailable|notready/.test(messageKey(entry)) || !Array.isArray(entry.MessageArgs)) continue;
    const seconds = entry.MessageArgs.map(String).find((arg) => /^\d{1,6}$/.test(arg.trim()));
    if (seconds !== undefined) return Number(seconds) * 1000;
  }
  const [, number, unit] = NAMED_TIME.exec(text) ?? [];
  if (number === undefined) return null;
  return Number(number) * (/^m/i.test(unit!) ? 60_000 : 1000);
}

/**
 * Whether a response says that the session it was sent with has ended. 401 always does; another status when its words do. A
 * refusal for want of rights does not.
 */
export function meansEndedSession(raw: RawResponse): boolean {
  if (raw.status === 401) return true;
  if (raw.status < 400 && !isError('read', raw)) return false;
  const { keys, text } = wordsOf(raw);
  if (keys.some((key) => ENDED_SESSION.test(key))) return true;
  return raw.status === 403 && leaveItToText(keys) && ENDED_SESSION_TEXT.test(text);
}

/** What the response to credentials says about them. */
export type LoginVerdict =
  /** The BMC says that it does not accept them. */
  | 'refused'
  /** It says something else, which it would not tell to a stranger: want of rights, an unknown property. */
  | 'accepted'
  /** It says nothing that would tell. */
  | 'silent'
  /** It says something that is not recognised. */
  | 'unclear';

/** Returns what the words of a 400 or 403 say about the credentials. */
export function loginVerdict(raw: RawResponse): LoginVerdict {
  const { keys, text } = wordsOf(raw);
  const telling = keys.filter((key) => !GENERAL.test(key));
  if (telling.some((key) => REFUSED_LOGIN.test(key))) return 'refused';
  if (telling.some((key) => OPAQUE.test(key)) && REFUSED_LOGIN_TEXT.test(text)) return 'refused';
  if (telling.length > 0) return 'accepted';
  if (keys.length === 0 && NO_WORDS.test(text)) {
    const json = jsonOf(raw);
    return text === '' && isJsonObject(json) && Object.keys(json).length > 0 ? 'unclear' : 'silent';
  }
  return REFUSED_LOGIN_TEXT.test(text) ? 'refused' : 'unclear';
}

/** Whether a refused login means that there are no sessions at all: switched off, or not licensed. */
export function meansNoSessionService(raw: RawResponse): boolean {
  if ([404, 405, 501].includes(raw.status)) return true;
  if (raw.status < 400) return false;
  const { keys, text } = wordsOf(raw);
  return keys.some((key) => LASTING.test(key)) || LASTING_TEXT.test(text);
}

/** Whether a refused login means that no session is left now. */
export function meansNoSessionLeft(raw: RawResponse): boolean {
  const { keys, text } = wordsOf(raw);
  return keys.some((key) => NO_SESSION_LEFT.test(key)) || NO_SESSION_LEFT_TEXT.test(text);
}

/** Whether a response is an error, which some BMCs send with a status of success. */
export function isError(mode: RequestMode, raw: RawResponse): boolean {
  if (raw.status >= 400) return true;
  if (raw.status >= 300) return false;
  const document = jsonOf(raw);
  // Nearly every response is a resource.
  if (!isJsonObject(document) || '@odata.id' in document || 'Members' in document) return false;
  return mode === 'read' ? saysError(document) : saysFailure(document);
}

/** Whether a document that was read is an error and nothing else. */
function saysError(document: JsonObject): boolean {
  const { error } = document;
  if (isJsonObject(error) || (typeof error === 'string' && error !== '')) return true;
  const root = readExtendedInfo({ '@Message.ExtendedInfo': document['@Message.ExtendedInfo'] ?? [] });
  return root.some((entry) => ['critical', 'warning'].includes(severityOf(entry)));
}

/**
 * Whether the successful response to a change is clearly a failure. Messages of success are named `error` as well (DSP0266,
 * "Error responses"; iLO returns them with each PATCH), so that only messages of failure count, without any other.
 */
function saysFailure(document: JsonObject): boolean {
  if ('Id' in document) return false;
  const { error, cc } = document;
  if (typeof cc === 'number') return cc !== 0 && error !== undefined;
  if (!isJsonObject(error)) return false;
  const entries = readExtendedInfo({ error });
  return (
    entries.length > 0 &&
    entries.every((entry) => severityOf(entry) === 'critical' || NOT_READY.test(messageKey(entry)))
  );
}

/**
 * Whether the successful response to a change may be a failure all the same, which only its effect tells: it is an error in
 * which nothing says success.
 */
export function mayBeFailure(document: JsonObject | null): boolean {
  const error = document?.error;
  if (error === undefined || error === null) return false;
  return !/(?<!un)success/i.test(JSON.stringify(readExtendedInfo(document)));
}

function severityOf({ MessageSeverity, Severity }: JsonObject): string {
  return String(MessageSeverity ?? Severity ?? '').toLowerCase();
}
