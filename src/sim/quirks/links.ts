import type { Answer, BmcState, Quirk } from '../bmc.ts';

export const slashedLinks = linkForm('links-with-slash', 'links and targets end with a slash (iLO)', (path) =>
  path.endsWith('/') ? path : `${path}/`,
);

export const urlLinks = linkForm(
  'links-full-url',
  'links, targets and Location are full URLs',
  (path, bmc) => bmc.url + path,
);

/** Legal, for `%41` is A: one character of the last segment is written so. */
export const encodedLinks = linkForm('links-percent-encoded', 'links and targets are percent-encoded', (path) =>
  path.replace(/([^/])(\/?)$/, (_, last: string, slash: string) => `%${hex(last)}${slash}`),
);

function linkForm(name: string, description: string, change: (path: string, bmc: BmcState) => string): Quirk {
  return {
    name,
    description,
    finishes: (answer, _request, bmc) => rewritten(answer, (path) => change(path, bmc)),
  };
}

function rewritten(answer: Answer, change: (path: string) => string): Answer {
  const { Location: location } = answer.headers;
  return {
    ...answer,
    headers: location?.startsWith('/') ? { ...answer.headers, Location: change(location) } : answer.headers,
    body: answer.body?.replace(LINK, (_, start: string, path: string) => `${start}${change(path)}"`) ?? answer.body,
  };
}

/** A link without a fragment or query, at any depth of a document. */
const LINK = /("(?:@odata\.id|target|TaskMonitor)":")(\/redfish\/[^"?#]*)"/g;

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, '0');
}
