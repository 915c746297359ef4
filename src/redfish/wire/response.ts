import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/secrets.ts';
import { RedfishError } from '../errors.ts';
import type { RawResponse } from './request.ts';

/** A successful response. */
export interface RedfishResponse extends Pick<RawResponse, 'status' | 'headers'> {
  /** Null when the body is empty or not a JSON object (HTML, a list, plain text). */
  document: JsonObject | null;
}

/** Parses a response. A `__proto__` in it is harmless: `JSON.parse` makes own members. */
export function readResponse({ status, headers, body }: RawResponse): RedfishResponse {
  return { status, headers, document: parseObject(body) };
}

/**
 * Returns the error for a response of 400 or more, with every message of the BMC: `auth` for 401, `refused` for other 4xx,
 * `failed` for 5xx.
 * @param secrets parts of the request to redact, since BMCs quote them
 */
export function responseError(method: string, url: string, raw: RawResponse, secrets: readonly string[]): RedfishError {
  const { status, headers, body } = raw;
  const extendedInfo = redact(readExtendedInfo(parseObject(body)), secrets);
  const text = redactText(extendedInfoText(extendedInfo), secrets);
  const kind = status === 401 ? 'auth' : status < 500 ? 'refused' : 'failed';
  const type = headers['content-type'] ?? 'no content type';
  const absent = body.length === 0 ? 'with an empty body' : `without a Redfish error (${type})`;
  const message = `HTTP ${method} ${url} returned ${status}${text === '' ? ` ${absent}` : `: ${text}`}`;
  return new RedfishError(kind, message, { status, extendedInfo, url });
}

function parseObject(body: Buffer): JsonObject | null {
  if (body.length === 0) return null;
  try {
    // Some BMCs send a byte order mark, which JSON does not allow.
    const value: unknown = JSON.parse(body.toString('utf8').replace(/^\uFEFF/, ''));
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

const EXTENDED_INFO = '@Message.ExtendedInfo';

/**
 * Returns all messages of an error document (DSP0266, "Error responses"), as the BMC sent them. BMCs put them in a list, in
 * a single object, directly under the root, or under the root as `Property@Message.ExtendedInfo` (OpenBMC). When none of
 * them has a text, `error.code` and `error.message` are added as one more. Empty when the document has none.
 */
export function readExtendedInfo(document: unknown): JsonObject[] {
  if (!isJsonObject(document)) return [];
  const error = isJsonObject(document.error) ? document.error : {};
  const entries = [error, document].flatMap((place) =>
    Object.keys(place)
      .filter((key) => key.endsWith(EXTENDED_INFO))
      .flatMap((key) => place[key] ?? [])
      .filter(isJsonObject),
  );
  const { code, message } = error;
  if (message === undefined || asText(message) === '' || entries.some(({ Message }) => asText(Message) !== '')) {
    return entries;
  }
  return [...entries, { ...(typeof code === 'string' ? { MessageId: code } : {}), Message: message }];
}

/** Joins the messages of `extendedInfo`, or the MessageId of entries without one. Empty when there are none. */
export function extendedInfoText(extendedInfo: JsonObject[]): string {
  const texts = extendedInfo.map((entry) => asText(entry.Message) || asText(entry.MessageId));
  return [...new Set(texts.filter((text) => text !== ''))].join(' ');
}

/** Returns a string as it is, and other values as JSON. */
function asText(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? '' : JSON.stringify(value);
}

/**
 * Whether an entry's MessageId is one of `names`, in any registry and version:
 * `Base.1.8.ResourceAlreadyExists`, `iLO.2.14.ResourceAlreadyExists`, `IDRAC.2.8.SYS518`.
 */
export function hasMessage(extendedInfo: JsonObject[], ...names: string[]): boolean {
  return extendedInfo.some((entry) => {
    const id = typeof entry.MessageId === 'string' ? entry.MessageId : '';
    return names.includes(id.slice(id.lastIndexOf('.') + 1));
  });
}

/** iDRAC's and iLO's messages for "busy, try again shortly"; their status is 400, 409 or 503. */
const BUSY = ['SYS518', 'InvalidOperationForSystemState'];

/** Maximum number of tries at a busy BMC. Bounded, because iLO reports lasting states as busy too. */
export const BUSY_TRIES = 4;

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;

/** Whether the BMC refused because it is busy. It did nothing then, so that any verb may be repeated. */
export function meansBusy(error: RedfishError): boolean {
  return [400, 409, 503].includes(error.status) && hasMessage(error.extendedInfo, ...BUSY);
}

/** Returns the wait after the `tries`-th response of a busy BMC, in ms. */
export function busyWaitMs(tries: number, headers: RawResponse['headers']): number {
  return retryAfterMs(headers) ?? FIRST_WAIT_MS * 2 ** (tries - 1);
}

/** Reads `Retry-After`, which is seconds or a date (RFC 9110, 10.2.3), in ms and at most 30 s. Null when absent or invalid. */
export function retryAfterMs(headers: RawResponse['headers']): number | null {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? null : Math.min(Math.max(ms, 0), LONGEST_WAIT_MS);
}
