import type { Json, JsonObject } from '../../core/json.ts';
import type { Quirk } from '../bmc.ts';

const SIZE = 2;

export const pages: Quirk = {
  name: 'pages',
  description: `a collection comes in pages of ${SIZE} members, with Members@odata.nextLink`,
  handles: (request, bmc, next) => {
    const answer = next(request);
    const isCollection = Array.isArray(bmc.documents.get(request.path)?.Members);
    if (request.method !== 'GET' || !isCollection || answer.status !== 200 || answer.body === null) return answer;
    const document = JSON.parse(answer.body) as JsonObject;
    const members = document.Members as Json[];
    const skip = Number(new URLSearchParams(request.target.split('?')[1] ?? '').get('$skip') ?? 0) || 0;
    const end = skip + SIZE;
    const nextLink = end < members.length ? { 'Members@odata.nextLink': `${request.path}?$skip=${end}` } : {};
    return { ...answer, body: JSON.stringify({ ...document, Members: members.slice(skip, end), ...nextLink }) };
  },
};
