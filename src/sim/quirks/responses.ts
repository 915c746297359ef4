import type { JsonObject } from '../../core/json.ts';
import type { BmcState, Quirk, RedfishRequest, RedfishResponse } from '../bmc.ts';
import { render } from '../documents.ts';
import { refuse, successBody } from '../messages.ts';
import { withHeaders } from '../response.ts';

const PAGE_SIZE = 2;

/** A link without fragment or query, at any depth of a document. */
const LINK = /("(?:@odata\.id|target|TaskMonitor)":")(\/redfish\/[^"?#]*)"/g;

/** The forms of a successful response: status, ETags, links, pages. */
export const responseQuirks: Quirk[] = [
  {
    name: 'success-message',
    description: 'a response without content is 200 with an `error` that says Success, instead of 204 (iLO, iDRAC)',
    handle: (request, _bmc, next) => {
      const response = next(request);
      if (response.status !== 204) return response;
      // DSP0266, "Success responses": the object is named `error` for success too.
      return { status: 200, headers: { 'Content-Type': 'application/json' }, body: successBody('Success') };
    },
  },
  {
    name: 'weak-etags',
    description: 'ETags are weak, and If-Match accepts them',
    changeResponse: weakEtag,
    handle: (request, bmc, next) => {
      const document = bmc.documents.get(request.path);
      // iLO's documents hold their ETags, which are weak.
      if (document && render(document).etag.startsWith('W/')) return next(request);
      return next(withIfMatch(request, (etag) => etag.replace(/^W\//, '')));
    },
  },
  {
    name: 'weak-etags-strong-match',
    description: 'ETags are weak, and If-Match accepts the strong form only (the second attempt of sushy)',
    changeResponse: weakEtag,
    handle: (request, _bmc, next) =>
      request.headers['if-match']?.startsWith('W/') ? refuse('PreconditionFailed') : next(request),
  },
  {
    name: 'unquoted-if-match',
    description: 'If-Match accepts an ETag without quotes only (some XCC)',
    handle: (request, _bmc, next) =>
      request.headers['if-match']?.includes('"')
        ? refuse('PreconditionFailed')
        : next(withIfMatch(request, (etag) => (etag === '*' ? etag : `"${etag}"`))),
  },
  links('links-with-slash', 'links and targets end with a slash (iLO)', (path) => path.replace(/\/?$/, '/')),
  links('links-full-url', 'links, targets and Location are full URLs', (path, bmc) => bmc.url + path),
  // Only the last character, which is enough: %41 is A.
  links('links-percent-encoded', 'links and targets are percent-encoded', (path) =>
    path.replace(/([^/])(\/?)$/, (_, last: string, slash: string) => `%${hex(last)}${slash}`),
  ),
  {
    name: 'pages',
    description: `a collection has pages of ${PAGE_SIZE} members, with Members@odata.nextLink`,
    handle: (request, bmc, next) => {
      const response = next(request);
      const isCollection = Array.isArray(bmc.documents.get(request.path)?.Members);
      if (request.method !== 'GET' || !isCollection || response.status !== 200 || !response.body) return response;
      const document = JSON.parse(response.body) as JsonObject;
      const members = document.Members;
      if (!Array.isArray(members)) return response;
      const skip = Number(new URLSearchParams(request.target.split('?')[1] ?? '').get('$skip') ?? 0) || 0;
      const end = skip + PAGE_SIZE;
      const nextLink = end < members.length ? { 'Members@odata.nextLink': `${request.path}?$skip=${end}` } : {};
      return { ...response, body: JSON.stringify({ ...document, Members: members.slice(skip, end), ...nextLink }) };
    },
  },
];

function weakEtag(response: RedfishResponse): RedfishResponse {
  const etag = response.headers.ETag;
  return etag === undefined || etag.startsWith('W/') ? response : withHeaders(response, { ETag: `W/${etag}` });
}

function withIfMatch(request: RedfishRequest, change: (etag: string) => string): RedfishRequest {
  const etag = request.headers['if-match'];
  return etag === undefined
    ? request
    : { ...request, headers: { ...request.headers, 'if-match': change(etag.trim()) } };
}

function links(name: string, description: string, change: (path: string, bmc: BmcState) => string): Quirk {
  return {
    name,
    description,
    changeResponse: (response, _request, bmc) => {
      const { Location: location } = response.headers;
      // Where a redirect leads is no link.
      const isLink = response.status < 300 && location?.startsWith('/') === true;
      const located = isLink ? withHeaders(response, { Location: change(location, bmc) }) : response;
      const body = response.body?.replace(LINK, (_, start: string, path: string) => `${start}${change(path, bmc)}"`);
      return { ...located, body: body ?? null };
    },
  };
}

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, '0');
}
