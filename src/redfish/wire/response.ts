import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/secrets.ts';
import { RedfishError } from '../errors.ts';
import { extendedInfoText, readExtendedInfo } from './extendedInfo.ts';
import type { RawResponse } from './request.ts';

/** A successful response. */
export interface RedfishResponse {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** Null when the body is empty or not a JSON object (HTML, a list, plain text). */
  document: JsonObject | null;
}

/** Parses a response. A `__proto__` in it is harmless: `JSON.parse` makes own members. */
export function readResponse(raw: RawResponse): RedfishResponse {
  return { status: raw.status, headers: raw.headers, document: parseObject(raw.body) };
}

/**
 * Returns the error for a response of 400 or more, with every message of the BMC: `auth` for 401, `refused` for other 4xx,
 * `failed` for 5xx.
 * @param secrets parts of the request to redact, since BMCs quote them
 */
export function responseError(method: string, url: string, raw: RawResponse, secrets: readonly string[]): RedfishError {
  const extendedInfo = redact(readExtendedInfo(parseObject(raw.body)), secrets);
  const text = redactText(extendedInfoText(extendedInfo), secrets);
  const kind = raw.status === 401 ? 'auth' : raw.status < 500 ? 'refused' : 'failed';
  const type = raw.headers['content-type'];
  const absent =
    raw.body.length === 0 ? 'with an empty body' : `without a Redfish error (${type ?? 'no content type'})`;
  const message = `HTTP ${method} ${url} returned ${raw.status}${text === '' ? ` ${absent}` : `: ${text}`}`;
  return new RedfishError(kind, message, { status: raw.status, extendedInfo, url });
}

function parseObject(body: Buffer): JsonObject | null {
  if (body.length === 0) return null;
  try {
    const value: unknown = JSON.parse(withoutByteOrderMark(body.toString('utf8')));
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Some BMCs send a byte order mark, which JSON does not allow. */
function withoutByteOrderMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
