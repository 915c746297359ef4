import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/redaction.ts';
import { maskSecrets } from '../../core/secrets.ts';
import { RedfishError } from '../errors.ts';
import { jsonOf } from './body.ts';
import { cut, wordsOf } from './messages.ts';
import type { RawResponse } from './request.ts';

export { mayBeFailure } from './meaning.ts';
export { extendedInfoText, hasMessage, readExtendedInfo } from './messages.ts';

/** A successful response. */
export interface RedfishResponse extends Pick<RawResponse, 'status' | 'headers'> {
  /** Null when the body is empty, unknown (its connection broke) or not a JSON object (HTML, a list, plain text). */
  document: JsonObject | null;
  /** The length of the body. */
  bytes?: number;
}

/** Parses a response. A `__proto__` in it is harmless: `JSON.parse` makes own members. */
export function readResponse(raw: RawResponse): RedfishResponse {
  const { status, headers } = raw;
  const json = jsonOf(raw);
  return { status, headers, document: isJsonObject(json) ? json : null, bytes: raw.body.length };
}

/**
 * Returns the error for a response that is one, with all that the BMC says in it: `auth` for 401, `refused` for other 4xx,
 * `failed` for 5xx and for an error with a status of success.
 * @param secrets parts of the request to redact, since BMCs quote them
 */
export function responseError(method: string, url: string, raw: RawResponse, secrets: readonly string[]): RedfishError {
  const { status } = raw;
  const kind = status === 401 ? 'auth' : status >= 400 && status < 500 ? 'refused' : 'failed';
  const message = `HTTP ${method} ${url} returned ${status}${said(raw, secrets)}`;
  return new RedfishError(kind, message, { status, extendedInfo: redact(wordsOf(raw).extendedInfo, secrets), url });
}

/** The maximum length of a document that is told as it is, in bytes. */
const MAX_WHOLE = 64 * 1024;

/** Returns the BMC's words as the end of an error's message; redacted before they are cut, which could hide half a secret. */
function said(raw: RawResponse, secrets: readonly string[]): string {
  const { headers, body } = raw;
  const json = jsonOf(raw);
  const { text } = wordsOf(raw);
  const words = cut(redactText(text, secrets));
  const rest = raw.cut ? ', and its body was cut off' : '';
  if (words !== '' && json !== null) return `${rest}: ${words}`;
  if (body.length === 0) return rest === '' ? ' with an empty body' : rest;
  const type = ` without a Redfish error (${headers['content-type'] ?? 'no content type'})${rest}`;
  if (words !== '') return `${type}: ${words}`;
  // JSON in which no message is recognised.
  const whole =
    body.length <= MAX_WHOLE && isJsonObject(json) && Object.keys(json).length > 0
      ? JSON.stringify(maskSecrets(json))
      : '';
  return whole === '' ? type : `${type}: ${cut(redactText(whole, secrets))}`;
}

const LONGEST_WAIT_MS = 30_000;

/** Reads `Retry-After` as `retryAfter` does, at most 30 s. */
export function retryAfterMs(headers: RawResponse['headers']): number | null {
  const ms = retryAfter(headers);
  return ms === null ? null : Math.min(ms, LONGEST_WAIT_MS);
}

/** The form of a date in HTTP (RFC 9110, 5.6.7), or in ISO 8601. */
const DATE = /^(?:[a-z]{3,9},? .*\d{2}:\d{2}:\d{2}.*|\d{4}-\d{2}-\d{2}T.*)$/i;

/**
 * Reads `Retry-After`, which is seconds or a date (RFC 9110, 10.2.3), in ms. A date is by the clock of the BMC, whose `Date`
 * tells how wrong it is. Null when absent or invalid.
 */
export function retryAfter(headers: RawResponse['headers']): number | null {
  const text = headers['retry-after'];
  if (text === undefined) return null;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (!DATE.test(text)) return null;
  const now = Date.parse(headers.date ?? '');
  const ms = Date.parse(text) - (Number.isNaN(now) ? Date.now() : now);
  return Number.isNaN(ms) ? null : Math.max(ms, 0);
}
