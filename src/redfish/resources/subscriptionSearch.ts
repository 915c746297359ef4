import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { sameUrl } from '../destinations.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { lastSegment, textOf } from '../links.ts';
import { getCollection, type Member } from './collection.ts';
import { onSubscriptions } from './eventService.ts';
import { contextOf, KnownSubscriptions, type Match, type Wanted } from './knownSubscriptions.ts';
import { asUnreadable, patientFor, type Unreadable } from './unreadable.ts';

/** A subscription that may be the wanted one. */
export interface Candidate {
  path: string;
  document: JsonObject;
  match: Exclude<Match, 'other'>;
}

/** What a search for a subscription has found. */
export interface Survey {
  /** The best matches first, the newest of each first. */
  candidates: Candidate[];
  /** The paths of all members. */
  paths: string[];
  /** The members and pages that could not be read, any of which may be or have the wanted one. */
  unreadable: Unreadable[];
}

const RANKS: Match[] = ['made', 'same', 'alike', 'possible'];

/**
 * Searches for the subscription with a destination and context, from the newest, until one is sure.
 * @throws whatever a GET of the collection throws
 */
export async function findSubscriptions(client: RedfishClient, wanted: Wanted): Promise<Survey> {
  const { members, unreadable } = await readSubscriptions(client);
  const known = KnownSubscriptions.of(client);
  const survey: Survey = { candidates: [], paths: members.map(({ path }) => path), unreadable };
  for (const member of members.toReversed()) {
    const { path } = member;
    try {
      const document = await readMember(client, member);
      const match = known.match(path, document, wanted);
      if (match !== 'other') survey.candidates.push({ path, document: { '@odata.id': path, ...document }, match });
      if (match === 'made' || match === 'same') break;
    } catch (error) {
      const part = asUnreadable(client, path, error);
      if (isNotFound(part.error)) continue;
      if (known.isMade(path, wanted)) {
        survey.candidates.push({ path, document: asSent(path, wanted), match: 'made' });
        break;
      }
      survey.unreadable.push(part);
    }
  }
  survey.candidates.sort((a, b) => RANKS.indexOf(a.match) - RANKS.indexOf(b.match));
  return survey;
}

/** Returns the subscription that a search has found for sure; null when there is none. */
export function foundIn({ candidates: [best] }: Pick<Survey, 'candidates'>): Candidate | null {
  return best === undefined || best.match === 'possible' ? null : best;
}

/**
 * Checks that the wanted subscription is not there.
 * @throws the error of the first part that could not be read, which may be it
 */
export function requireAllRead({ unreadable: [part] }: Survey): void {
  if (part === undefined) return;
  const { kind, status, extendedInfo, url, message } = part.error;
  const text = `Whether the subscription exists is unknown, and none was created: ${part.path} could not be read: ${message}`;
  throw new RedfishError(kind, text, { status, extendedInfo, url, cause: part.error });
}

/** Returns the newest subscription to `destination`; null when there is none that can be read. */
export async function findByDestination(client: RedfishClient, destination: string): Promise<Member | null> {
  const { members } = await readSubscriptions(client);
  for (const member of members.toReversed()) {
    try {
      const document = await readMember(client, member);
      const shown = textOf(document, 'Destination');
      if (shown !== null && sameUrl(shown, destination)) return { path: member.path, document };
    } catch (error) {
      asUnreadable(client, member.path, error);
    }
  }
  return null;
}

/** Returns what is known of a subscription that cannot be read. */
export function asSent(path: string, { destination, context }: Wanted): JsonObject {
  return { '@odata.id': path, Id: lastSegment(path), Destination: destination, Context: context };
}

function readSubscriptions(client: RedfishClient) {
  return onSubscriptions(client, (path) => getCollection(client, path));
}

/** Reads a member, unless its collection contains all that is compared. */
async function readMember(client: RedfishClient, { path, document }: Member): Promise<JsonObject> {
  const shown = document === null ? null : textOf(document, 'Destination');
  if (document !== null && shown !== null && contextOf(document) !== null) return document;
  try {
    return await patientFor(client).get(path);
  } catch (error) {
    asUnreadable(client, path, error);
    if (document === null || shown === null) throw error;
    return document;
  }
}
