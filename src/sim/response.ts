import type { JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { RedfishRequest, RedfishResponse } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { render } from './documents.ts';
import { refuse } from './messages.ts';

/** Thrown by a request handler: the error response to send. */
export class Refusal extends Error {
  readonly response: RedfishResponse;

  constructor(response: RedfishResponse) {
    super(`refused with ${response.status}`);
    this.response = response;
  }
}

/** Returns a response with a document and its ETag (DSP0266, "ETags"). */
export function documentResponse(
  document: RedfishDocument,
  status = 200,
  headers: Record<string, string> = {},
): RedfishResponse {
  const { text, etag } = render(document);
  return { status, headers: { 'Content-Type': 'application/json', ETag: etag, ...headers }, body: text };
}

/** Returns a 204. */
export function noContent(): RedfishResponse {
  return { status: 204, headers: {}, body: null };
}

/** Returns `response` with more headers. */
export function withHeaders(response: RedfishResponse, headers: Record<string, string>): RedfishResponse {
  return { ...response, headers: { ...response.headers, ...headers } };
}

/** Returns a 405 with the allowed methods. */
export function notAllowed(allow: string): RedfishResponse {
  return withHeaders(refuse('OperationNotAllowed'), { Allow: allow });
}

/** Returns the JSON object in the body. Throws a `Refusal` for any other body. */
export function readObject(request: RedfishRequest): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(request.body);
  } catch {
    throw new Refusal(refuse('MalformedJSON'));
  }
  if (!isJsonObject(value)) throw new Refusal(refuse('UnrecognizedRequestBody'));
  return value;
}

/** Returns the parameters of an action; none for an empty body. Throws a `Refusal` for an invalid body. */
export function readParameters(request: RedfishRequest): JsonObject {
  return request.body.trim() === '' ? {} : readObject(request);
}

/**
 * Returns the properties of a PATCH of `document`. Throws a `Refusal` when there are none, or when `If-Match` has
 * another ETag (DSP0266, "ETags"). Weak ETags match too: BMCs send them, and accept them.
 */
export function readPatch(request: RedfishRequest, document: RedfishDocument): JsonObject {
  const etags = (request.headers['if-match'] ?? '*').split(',').map((etag) => etag.trim());
  if (etags.join() !== '*' && !etags.includes(render(document).etag)) throw new Refusal(refuse('PreconditionFailed'));
  const object = readObject(request);
  if (Object.keys(object).length === 0) throw new Refusal(refuse('EmptyJSON'));
  return object;
}
