import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/secrets.ts';
import { RedfishError } from '../errors.ts';
import { extendedInfoText, readExtendedInfo } from './extendedInfo.ts';
import type { RawAnswer } from './request.ts';

/** What a BMC answered with success. */
export interface Answer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** The document; null when the body is empty or no JSON object (HTML, a list, a bare text). */
  document: JsonObject | null;
}

/** Reads an answer; a body that is no JSON object counts as none. Null-prototype keys cannot harm: `JSON.parse` makes own members. */
export function readAnswer(raw: RawAnswer): Answer {
  return { status: raw.status, headers: raw.headers, document: parseObject(raw.body) };
}

/**
 * The error that an answer of 400 or more means: `auth` for 401, `refused` for 4xx, `failed` for 5xx, with every message
 * of the BMC.
 * @param secrets what the request held that must not show; BMCs quote it
 */
export function answerError(method: string, url: string, raw: RawAnswer, secrets: readonly string[]): RedfishError {
  const extendedInfo = redact(readExtendedInfo(parseObject(raw.body)), secrets);
  const said = redactText(extendedInfoText(extendedInfo), secrets);
  const kind = raw.status === 401 ? 'auth' : raw.status < 500 ? 'refused' : 'failed';
  const type = raw.headers['content-type'];
  const nothing = raw.body.length === 0 ? 'with an empty body' : `with no Redfish error (${type ?? 'no content type'})`;
  const message = `HTTP ${method} ${url} was answered ${raw.status}${said === '' ? ` ${nothing}` : `: ${said}`}`;
  return new RedfishError(kind, message, { status: raw.status, extendedInfo, url });
}

function parseObject(body: Buffer): JsonObject | null {
  if (body.length === 0) return null;
  try {
    const value: unknown = JSON.parse(withoutMark(body.toString('utf8')));
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Some BMCs begin with a byte order mark, which JSON must not have. */
function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text;
}
