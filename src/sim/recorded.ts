import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import type { BmcState, Quirk, RedfishRequest, RedfishResponse } from './bmc.ts';
import { authKind } from './credentials.ts';
import type { RedfishDocument } from './documents.ts';
import { documentPath, render } from './documents.ts';
import { refuse } from './messages.ts';
import { isRead } from './quirk.ts';
import { documentResponse, notAllowed, withHeaders } from './response.ts';

/** A response in a capture. */
interface RecordedResponse {
  /** 200 by default. */
  status?: number;
  /** Null: the header is absent. */
  headers?: Record<string, string | null>;
  /** An object is sent as JSON. By default the document at the path, where there is one. */
  body?: JsonObject | string;
}

/** What a capture holds beside its documents. */
export interface RecordedFacts {
  /** Names of quirks that the documents do not show. */
  quirks: string[];
  /** Whether no credentials were required. */
  open: boolean;
  /** The refusal of a login for a session; null when it was accepted or not tried. */
  refusal: { path: string; status: number } | null;
  /** The headers of every document. */
  headers: Record<string, string | null>;
  /** Pairs of virtual media that are one device, listed under the system and under the manager. */
  twins: [string, string][];
  /** The members on a page, by the path of the collection. */
  pages: ReadonlyMap<string, number>;
  /** The responses to requests without credentials, by path. */
  anonymous: ReadonlyMap<string, RecordedResponse>;
  /** The responses to others, by path. */
  responses: ReadonlyMap<string, RecordedResponse>;
}

/** The version of the facts that this program reads. */
const VERSION = 1;

/**
 * Reads the facts of a capture.
 * @param invalid makes the error of a fault
 */
export function readFacts(value: Json, invalid: (why: string) => Error): RecordedFacts {
  if (!isJsonObject(value)) throw invalid('not an object');
  if (value.version !== VERSION) throw invalid(`version ${JSON.stringify(value.version)} is not ${VERSION}`);
  const {
    quirks = [],
    open = false,
    login = {},
    headers = {},
    pages = {},
    twins = [],
    anonymous = {},
    responses = {},
  } = value;
  if (!Array.isArray(quirks) || !quirks.every((name) => typeof name === 'string')) throw invalid('quirks: not names');
  const byPath = <T>(section: string, entries: Json, read: (entry: Json, path: string) => T): Map<string, T> => {
    if (!isJsonObject(entries)) throw invalid(`${section}: not an object by path`);
    return new Map(
      Object.entries(entries).map(([key, entry]) => {
        const path = documentPath(key);
        if (path === null) throw invalid(`${section}: ${key} is not a path`);
        // A page of a collection.
        const [, query = ''] = /(\?.*)$/s.exec(key) ?? [];
        return [path + query, read(entry, `${section}: ${key}`)];
      }),
    );
  };
  const response = (entry: Json, where: string): RecordedResponse => {
    const isValid =
      isJsonObject(entry) &&
      isStatus(entry.status ?? 200) &&
      isHeaders(entry.headers ?? {}) &&
      (entry.body === undefined || typeof entry.body === 'string' || isJsonObject(entry.body));
    if (!isValid) throw invalid(`${where} is not a response: status, headers, and a body that is an object or a text`);
    return entry as RecordedResponse;
  };
  const size = (entry: Json, where: string): number => {
    if (!Number.isInteger(entry) || Number(entry) < 1) throw invalid(`${where}: not a number of members`);
    return Number(entry);
  };
  if (!isHeaders(headers)) throw invalid('headers: not texts by name');
  if (!isPairs(twins)) throw invalid('twins: not pairs of paths');
  return {
    quirks,
    open: open === true,
    refusal: readRefusal(login, invalid),
    headers,
    twins: twins.map(([one, other]) => [documentPath(one) ?? one, documentPath(other) ?? other]),
    pages: byPath('pages', pages, size),
    anonymous: byPath('anonymous', anonymous, response),
    responses: byPath('responses', responses, response),
  };
}

function readRefusal(login: Json, invalid: (why: string) => Error): RecordedFacts['refusal'] {
  if (!isJsonObject(login)) throw invalid('login: not an object');
  if (login.status === undefined) return null;
  const path = typeof login.path === 'string' ? documentPath(login.path) : null;
  if (path === null || !isStatus(login.status)) throw invalid('login: a refusal needs path and status');
  return { path, status: login.status };
}

function isStatus(value: Json): value is number {
  return Number.isInteger(value) && Number(value) >= 200 && Number(value) <= 599;
}

function isPairs(value: Json): value is [string, string][] {
  const isPair = (pair: Json) =>
    Array.isArray(pair) && pair.length === 2 && pair.every((path) => typeof path === 'string');
  return Array.isArray(value) && value.every(isPair);
}

/** Anything else cannot be sent. */
function isHeaders(value: Json): value is Record<string, string | null> {
  if (!isJsonObject(value)) return false;
  return Object.entries(value).every(
    ([name, text]) => /^[\w-]+$/.test(name) && (text === null || (typeof text === 'string' && /^[ -~]*$/.test(text))),
  );
}

/** Returns the quirk that responds as a recorded BMC did. What clients change still works: media, subscriptions, sessions. */
export function asRecorded({ refusal, headers, pages, twins, anonymous, responses }: RecordedFacts): Quirk {
  return {
    name: 'as-recorded',
    description: 'responses are those of a capture',
    beforeAuthentication: (request, bmc) => {
      if (request.method === 'POST' && request.path === refusal?.path) return refuseLogin(refusal.status);
      const recorded =
        isRead(request) && authKind(request.headers) === 'none' ? anonymous.get(request.path) : undefined;
      return recorded && respond(recorded, request, bmc);
    },
    handle: (request, bmc, next) => {
      const query = request.target.includes('?') ? request.target.slice(request.target.indexOf('?')) : '';
      const recorded = responses.get(request.path + query) ?? responses.get(request.path);
      if (isRead(request)) {
        if (recorded && isWhole(recorded)) return respond(recorded, request, bmc);
        const response = next(request);
        if (response.status !== 200 || !bmc.documents.get(request.path)) return response;
        return inPages(replaceHeaders(response, { ...headers, ...recorded?.headers }, request, bmc), request, pages);
      }
      const { Allow: allow, ETag: etag } = { ...headers, ...recorded?.headers };
      if (typeof allow === 'string' && !allow.toUpperCase().includes(request.method)) return notAllowed(allow);
      const before = twins.flat().map((path) => bmc.documents.get(path));
      const response = next(etag === undefined ? request : matched(request, etag, bmc));
      keepInStep(twins, before, bmc);
      return response;
    },
  };
}

/** Whether a recorded response replaces the document, rather than its headers. */
function isWhole({ status, body }: RecordedResponse): boolean {
  return status !== undefined || body !== undefined;
}

function refuseLogin(status: number): RedfishResponse {
  const response = { ...refuse('AccessDenied', 'SessionService'), status };
  return status === 401 ? withHeaders(response, { 'WWW-Authenticate': 'Basic realm="recorded BMC"' }) : response;
}

function respond({ status = 200, headers = {}, body }: RecordedResponse, request: RedfishRequest, bmc: BmcState) {
  const document = bmc.documents.get(request.path);
  const made: RedfishResponse =
    body === undefined && status === 200 && document
      ? documentResponse(document)
      : { status, headers: {}, body: typeof body === 'object' ? JSON.stringify(body) : (body ?? null) };
  const typed = typeof body === 'object' ? withHeaders(made, { 'Content-Type': 'application/json' }) : made;
  return replaceHeaders(typed, headers, request, bmc);
}

/** Sends recorded headers in place of the usual ones. A recorded ETag is for the recorded document only. */
function replaceHeaders(
  response: RedfishResponse,
  headers: Record<string, string | null>,
  request: RedfishRequest,
  bmc: BmcState,
): RedfishResponse {
  const to = { ...response.headers };
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) delete to[name];
    else to[name] = name === 'ETag' ? shownEtag(value, request.path, bmc) : value;
  }
  return { ...response, headers: to };
}

/** Returns the ETag of the document as it is now, in the form of the recorded one. */
function shownEtag(recorded: string, path: string, bmc: BmcState): string {
  const document = bmc.documents.get(path);
  if (recorded === '' || !document || document === bmc.documents.original(path)) return recorded;
  const { etag } = render(document);
  if (recorded.startsWith('W/')) return etag.startsWith('W/') ? etag : `W/${etag}`;
  return recorded.startsWith('"') ? etag : etag.replaceAll('"', '');
}

/** Makes the ETag that was shown the one that matches; an empty one never does. */
function matched(request: RedfishRequest, recorded: string | null, bmc: BmcState): RedfishRequest {
  const given = request.headers['if-match'];
  if (given === undefined || given === '*') return request;
  const isShown = recorded !== null && recorded !== '' && given === shownEtag(recorded, request.path, bmc);
  return { ...request, headers: { ...request.headers, 'if-match': isShown ? '*' : '"none"' } };
}

/** What an insert or eject changes. */
const CONTENTS = ['Image', 'ImageName', 'Inserted', 'ConnectedVia', 'WriteProtected'];

/** Copies what has changed in one of two twins to the other. */
function keepInStep(twins: RecordedFacts['twins'], before: (RedfishDocument | undefined)[], bmc: BmcState): void {
  for (const [index, path] of twins.flat().entries()) {
    const document = bmc.documents.get(path);
    const twin = twins[Math.floor(index / 2)]![index % 2 === 0 ? 1 : 0]!;
    const other = bmc.documents.get(twin);
    if (!document || !other || document === before[index]) continue;
    const contents = Object.entries(document).filter(([name]) => CONTENTS.includes(name) && name in other);
    bmc.documents.set(twin, { ...other, ...Object.fromEntries(contents) });
  }
}

function inPages(response: RedfishResponse, request: RedfishRequest, pages: RecordedFacts['pages']): RedfishResponse {
  const size = pages.get(request.path);
  if (size === undefined || response.body === null) return response;
  const document = JSON.parse(response.body) as JsonObject;
  const members = Array.isArray(document.Members) ? document.Members : [];
  const skip = Number(new URLSearchParams(request.target.split('?')[1] ?? '').get('$skip') ?? 0) || 0;
  const end = skip + size;
  const next = end < members.length ? { 'Members@odata.nextLink': `${request.path}?$skip=${end}` } : {};
  return { ...response, body: JSON.stringify({ ...document, Members: members.slice(skip, end), ...next }) };
}
