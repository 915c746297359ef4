import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { type Kind, kind } from './kind.ts';
import { entriesOf } from './machine.ts';
import { isDocument, type Recording } from './recording.ts';

const INFO = '@Message.ExtendedInfo';

/** Returns the kinds of collections: forms of their members, pages, and forms from which members cannot be told. */
export function collectionKinds(recording: Recording): Kind[] {
  const { responses, pages } = recording;
  const lists = [...responses.values()].filter(isDocument).filter(({ document }) => isCollection(document));
  const members = lists.flatMap(({ document }) => (Array.isArray(document.Members) ? document.Members : []));
  const wrong = lists.filter(({ document: { Members, 'Members@odata.count': count } }) => {
    return Array.isArray(Members) && typeof count === 'number' && count !== Members.length;
  });
  const { size } = pages;
  return [
    ...kind(size > 0, 'pages', `${size} ${size === 1 ? 'collection comes' : 'collections come'} in pages`),
    ...kind(
      lists.some(({ document }) => document.Members === null),
      'members-null',
      'a collection has Members of null',
    ),
    ...kind(wrong.length > 0, 'count-wrong', `Members@odata.count is wrong in ${wrong.length} collections`),
    ...kind(members.some(isLinkless), 'members-without-links', 'a collection has members without a link'),
    ...kind(members.some(isPartial), 'members-partial', 'a member has a part of its document beside its link'),
    ...kind(members.some(isInline), 'inline-media', 'a collection holds whole documents in place of links'),
    ...brokenKinds(recording, 'media', 'virtual media'),
    ...brokenKinds(recording, 'subscriptions', 'subscriptions'),
  ];
}

function brokenKinds(recording: Recording, resource: 'media' | 'subscriptions', what: string): Kind[] {
  const found = entriesOf(recording, resource).filter(([, response]) => isDocument(response));
  const some = (test: (document: JsonObject, path: string) => boolean) =>
    found.some(([path, { document }]) => document !== null && test(document, path));
  const isError = (document: JsonObject) => !('Members' in document) && ('error' in document || INFO in document);
  const isBroken = (path: string) => [...recording.responses.keys()].some((key) => key.startsWith(`${path}?`));
  const hasNext = (document: JsonObject) => typeof document['Members@odata.nextLink'] === 'string';
  return [
    ...kind(some(isError), `${resource}-error-200`, `the collection of ${what} is an error under 200`),
    ...kind(
      some((document) => !('Members' in document) && !isError(document)),
      `${resource}-without-members`,
      `the collection of ${what} has no Members`,
    ),
    ...kind(
      some((document, path) => hasNext(document) && isBroken(path)),
      `${resource}-page-missing`,
      `a page of the collection of ${what} cannot be read`,
    ),
    ...kind(
      some((document, path) => hasNext(document) && !isBroken(path)),
      `${resource}-page-loop`,
      `the pages of the collection of ${what} run in a loop`,
    ),
  ];
}

function isCollection(document: JsonObject): boolean {
  return 'Members' in document || /Collection$/.test(String(document['@odata.type']));
}

function isLinkless(member: Json): boolean {
  const id = isJsonObject(member) ? member['@odata.id'] : undefined;
  return typeof id !== 'string' || id === '';
}

/** A document says its type (DSP0266, 8.5.4); what has an id and a name at most is a part of one. */
function isInline(member: Json): boolean {
  return (
    isJsonObject(member) && Object.keys(member).some((key) => !key.startsWith('@') && key !== 'Id' && key !== 'Name')
  );
}

function isPartial(member: Json): boolean {
  return isJsonObject(member) && !isInline(member) && ('Id' in member || 'Name' in member);
}
