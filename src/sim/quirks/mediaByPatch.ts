import { documentType } from '../documents.ts';
import { refuse } from '../messages.ts';
import type { Quirk } from '../quirk.ts';

export const noMediaActions: Quirk = {
  name: 'no-media-actions',
  description: 'virtual media have no actions; PATCH of Image and Inserted inserts and ejects (Lenovo XCC)',
  shapes: (documents) => {
    for (const [path, document] of documents) {
      if (documentType(document) !== 'VirtualMedia') continue;
      const { Actions: _, ...rest } = document;
      documents.set(path, rest);
    }
  },
};

export const ifMatchWanted: Quirk = {
  name: 'if-match-wanted',
  description: 'a PATCH without If-Match gets 428 (Lenovo XCC)',
  handles: (request, _bmc, next) =>
    request.method === 'PATCH' && request.headers['if-match'] === undefined
      ? refuse('PreconditionRequired')
      : next(request),
};
