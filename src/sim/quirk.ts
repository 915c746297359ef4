import type { JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { BmcState, Next, Quirk, RedfishRequest, RedfishResponse } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { documentType, linkPath } from './documents.ts';

/** Passes an authenticated request through `quirks`, the first outermost, and finally to `perform`. */
export function handleWith(
  quirks: readonly Quirk[],
  request: RedfishRequest,
  bmc: BmcState,
  perform: Next,
): RedfishResponse {
  const chain = quirks.reduceRight<Next>(
    (next, quirk) => (passed) => (quirk.handle ? quirk.handle(passed, bmc, next) : next(passed)),
    perform,
  );
  return chain(request);
}

/** Whether the request only reads. */
export function isRead({ method }: RedfishRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Whether the request makes a change, other than logging in or out. */
export function isChange(request: RedfishRequest, bmc: BmcState): boolean {
  const { sessions } = bmc.blueprint;
  return !isRead(request) && (sessions === null || !request.path.startsWith(sessions));
}

/** Whether the request creates a subscription. */
export function isSubscribe(request: RedfishRequest, bmc: BmcState): boolean {
  return request.method === 'POST' && request.path === bmc.blueprint.subscriptions;
}

/** Returns the name of the action that the request runs, such as `VirtualMedia.EjectMedia`; undefined for others. */
export function actionName(request: RedfishRequest, bmc: BmcState): string | undefined {
  return request.method === 'POST' ? bmc.blueprint.actions.get(request.path)?.name : undefined;
}

/** Returns the JSON object in the body; an empty one for any other body, which the BMC then refuses. */
export function objectIn(request: RedfishRequest): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(request.body);
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}

/** Changes each document of a type, such as `EventService`. */
export function changeAll(
  documents: Map<string, RedfishDocument>,
  type: string,
  change: (document: RedfishDocument, path: string) => RedfishDocument,
): void {
  for (const [path, document] of documents) {
    if (documentType(document) === type) documents.set(path, change(document, path));
  }
}

/**
 * Changes the documents of a type in the responses that hold them, to a GET or to the request that made them. What the
 * BMC itself holds stays as it is.
 */
export function changeShown(
  type: string,
  change: (shown: JsonObject, path: string, bmc: BmcState) => JsonObject,
): NonNullable<Quirk['handle']> {
  return (request, bmc, next) => {
    const response = next(request);
    if (response.status >= 300 || !response.body?.startsWith('{')) return response;
    const document = JSON.parse(response.body) as JsonObject;
    if (documentType(document) !== type) return response;
    return { ...response, body: JSON.stringify(change(document, linkPath(document) ?? request.path, bmc)) };
  };
}

/** Returns a response with a body that is no Redfish error: a page of a web server, or a bare text. */
export function page(
  status: number,
  type: 'text/html' | 'text/plain' | 'application/json',
  body: string,
): RedfishResponse {
  return { status, headers: { 'Content-Type': type }, body };
}
