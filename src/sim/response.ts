import type { JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { Answer, RedfishRequest } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { render } from './documents.ts';
import { refuse } from './messages.ts';

/** 200 (or `status`) with a document and its ETag (DSP0266, "ETags"). */
export function documentAnswer(document: RedfishDocument, status = 200, headers: Record<string, string> = {}): Answer {
  const { text, etag } = render(document);
  return { status, headers: { 'Content-Type': 'application/json', ETag: etag, ...headers }, body: text };
}

/** 204: done, and nothing to show. */
export function noContent(): Answer {
  return { status: 204, headers: {}, body: null };
}

/** The JSON object in a request's body, or the refusal that DSP0266 asks for. */
export function readObject(request: RedfishRequest): { object: JsonObject } | { refusal: Answer } {
  let value: unknown;
  try {
    value = JSON.parse(request.body);
  } catch {
    return { refusal: refuse('MalformedJSON') };
  }
  return isJsonObject(value) ? { object: value } : { refusal: refuse('UnrecognizedRequestBody') };
}

/** As `readObject`, but no body at all is an empty object: an action without parameters needs none. */
export function readParameters(request: RedfishRequest): { object: JsonObject } | { refusal: Answer } {
  return request.body.trim() === '' ? { object: {} } : readObject(request);
}

/**
 * The refusal of a change whose `If-Match` names another state of the document (DSP0266, "ETags"), or undefined.
 * Weak ETags count too: BMCs hand them out and take them back.
 */
export function refuseStale(request: RedfishRequest, document: RedfishDocument): Answer | undefined {
  const wanted = request.headers['if-match'];
  if (wanted === undefined || wanted.trim() === '*') return undefined;
  const { etag } = render(document);
  return wanted.split(',').some((one) => one.trim() === etag) ? undefined : refuse('PreconditionFailed');
}
