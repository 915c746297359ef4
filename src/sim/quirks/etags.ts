import type { Answer, BmcState, Quirk, RedfishRequest } from '../bmc.ts';
import { render } from '../documents.ts';
import { refuse } from '../messages.ts';

export const weakEtags: Quirk = {
  name: 'weak-etags',
  description: 'ETags are weak, and taken back so',
  finishes: showWeak,
  handles: (request, bmc, next) =>
    next(withIfMatch(request, (wanted) => (isWeakHere(request, bmc) ? wanted : wanted.replace(/^W\//, '')))),
};

export const weakEtagsStrongMatch: Quirk = {
  name: 'weak-etags-strong-match',
  description: 'ETags are shown weak, and If-Match takes the strong form alone (what sushy tries second)',
  finishes: showWeak,
  handles: (request, _bmc, next) =>
    request.headers['if-match']?.startsWith('W/') ? refuse('PreconditionFailed') : next(request),
};

export const unquotedMatch: Quirk = {
  name: 'unquoted-if-match',
  description: 'If-Match takes an ETag without its quotes alone (some XCC)',
  handles: (request, _bmc, next) =>
    request.headers['if-match']?.includes('"')
      ? refuse('PreconditionFailed')
      : next(withIfMatch(request, (wanted) => (wanted === '*' ? wanted : `"${wanted}"`))),
};

function showWeak(answer: Answer): Answer {
  const etag = answer.headers.ETag;
  if (etag === undefined || etag.startsWith('W/')) return answer;
  return { ...answer, headers: { ...answer.headers, ETag: `W/${etag}` } };
}

/** Whether the document's own ETag is weak already (iLO carries it in the document). */
function isWeakHere(request: RedfishRequest, bmc: BmcState): boolean {
  const document = bmc.documents.get(request.path);
  return document !== undefined && render(document).etag.startsWith('W/');
}

function withIfMatch(request: RedfishRequest, change: (wanted: string) => string): RedfishRequest {
  const wanted = request.headers['if-match'];
  if (wanted === undefined) return request;
  return { ...request, headers: { ...request.headers, 'if-match': change(wanted.trim()) } };
}
