import type { Quirk } from '../bmc.ts';
import { without } from '../documents.ts';
import { refuse } from '../messages.ts';
import { withHeaders } from '../response.ts';

/** ETags that a client cannot use. */
export const etagQuirks: Quirk[] = [
  {
    name: 'etag-empty',
    description: 'the ETag header is empty, and no If-Match matches (sushy)',
    changeResponse: (response) =>
      response.headers.ETag === undefined ? response : withHeaders(response, { ETag: '' }),
    handle: refusesIfMatch,
  },
  {
    name: 'etag-never-matches',
    description: 'no If-Match matches the ETag that the BMC shows; without If-Match a PATCH is accepted',
    handle: refusesIfMatch,
  },
  {
    name: 'etag-missing',
    description: 'there are no ETags',
    changeResponse: (response) => ({ ...response, headers: without(response.headers, 'ETag') }),
  },
];

function refusesIfMatch(...[request, , next]: Parameters<NonNullable<Quirk['handle']>>) {
  return request.headers['if-match'] === undefined ? next(request) : refuse('PreconditionFailed');
}
