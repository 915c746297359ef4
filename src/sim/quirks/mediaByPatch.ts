import type { Quirk } from '../bmc.ts';
import { documentType } from '../documents.ts';
import { refuse } from '../messages.ts';

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
  description: 'a PATCH of a virtual media device without If-Match gets 428 (Lenovo XCC)',
  handles: (request, bmc, next) => {
    const device = documentType(bmc.documents.get(request.path) ?? {}) === 'VirtualMedia';
    const bare = request.method === 'PATCH' && request.headers['if-match'] === undefined;
    return device && bare ? refuse('PreconditionRequired') : next(request);
  },
};
