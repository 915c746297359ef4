// The probe: reads what a BMC shows, redacts it, and tells which kinds of behaviour it met. Changes nothing at the BMC.
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { jsonOf } from '../wire/body.ts';
import type { RawResponse } from '../wire/request.ts';
import type { Resource } from './scope.ts';

/** A response as it was read. */
export interface RecordedResponse {
  status: number;
  /** The headers that decide what a client does, by name in lower case. */
  headers: Record<string, string>;
  /** Null when the body is not a JSON object. */
  document: JsonObject | null;
  /** Any other body; null when there is none. */
  text: string | null;
}

/** How the probe was let in. */
export interface LoginRecord {
  /** `failed`: credentials were given and not accepted. */
  kind: 'session' | 'basic' | 'none' | 'failed';
  /** The path of the login for a session, and the BMC's refusal of it; null when there was none. */
  refusal: { path: string; status: number } | null;
  /** Why it failed; null otherwise. */
  error: string | null;
}

/** A request and how it ended, for the statistics. */
export interface ProbeExchange {
  method: string;
  path: string;
  /** Null when there was no response. */
  status: number | null;
  durationMs: number;
}

/** What a probe has read. Paths are without a trailing slash and decoded. */
export interface Recording {
  /** The path of the service root. */
  root: string;
  /** The responses to the account, or to a stranger where none was given or accepted. */
  responses: Map<string, RecordedResponse>;
  /** What each resource of `responses` is, and the path of the one that led to it. */
  found: Map<string, { resource: Resource; from: string }>;
  /** The responses to a stranger, of the few paths that were read as one. */
  strangers: Map<string, RecordedResponse>;
  /** The members on a page of each collection that comes in pages; their documents hold the members of all pages. */
  pages: Map<string, number>;
  /** The paths that got no response, and why. */
  silent: Map<string, string>;
  login: LoginRecord;
  exchanges: ProbeExchange[];
  /** Why the probe ended before everything was read; null when it was. */
  stopped: string | null;
}

const KEPT_HEADERS = ['allow', 'content-type', 'etag', 'location', 'retry-after', 'www-authenticate'];

/** The longest text that is kept of a body that is not JSON. */
const MAX_TEXT = 2000;

/** Returns what is kept of a response. */
export function record(raw: RawResponse): RecordedResponse {
  const { status, headers, body } = raw;
  const kept = Object.fromEntries(
    KEPT_HEADERS.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
  );
  if (raw.blankEtag) kept.etag = '';
  const text = body.toString('utf8');
  const value = jsonOf(raw);
  const document = isJsonObject(value) ? value : null;
  return { status, headers: kept, document, text: document === null && text !== '' ? text.slice(0, MAX_TEXT) : null };
}

/** Whether a document was read. */
export function isDocument(response: RecordedResponse | undefined): response is RecordedResponse & {
  document: JsonObject;
} {
  return response !== undefined && response.status < 300 && response.document !== null;
}
