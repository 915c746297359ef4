import type { JsonObject } from '../../core/json.ts';
import { untilAborted } from '../../core/waiting.ts';
import type { RedfishClient } from '../client.ts';
import { createdPaths, isInside } from '../createdPaths.ts';
import { sameUrl, urlsIn } from '../destinations.ts';
import type { Discovered } from '../discovered.ts';
import { isNotFound, RedfishError, withFinding } from '../errors.ts';
import { lastSegment, textOf } from '../links.ts';
import { hasMessage, mayBeFailure, type RedfishResponse } from '../wire/response.ts';
import { sendWithDefaults } from './defaults.ts';
import { deleteSubscription, errorOf, onSubscriptions, requireEventsEnabled } from './eventService.ts';
import { contextOf, KnownSubscriptions, type Wanted } from './knownSubscriptions.ts';
import {
  type Candidate,
  findByDestination,
  findSubscriptions,
  foundIn,
  requireAllRead,
  type Survey,
} from './subscriptionSearch.ts';
import { followTask, poll } from './task.ts';
import { asUnreadable } from './unreadable.ts';

/** What is sent besides what the caller gives. */
export interface SubscriptionDefaults {
  /** Sent unless the caller gives others; those that the BMC refuses are left out. */
  sent: JsonObject;
  /** Sent only to a BMC that says that they are missing. */
  ifMissing?: JsonObject;
}

/** As Ironic sends them. */
const DEFAULTS: SubscriptionDefaults = { sent: { Protocol: 'Redfish', Context: '', EventTypes: ['Alert'] } };

/** The properties of a new subscription that the caller gives. The values of HttpHeaders are redacted in errors. */
export type NewSubscription = JsonObject & { Destination: string; HttpHeaders?: Record<string, string>[] };

/** A subscription that was created. */
interface Created {
  document: JsonObject;
  /** Null where the BMC has not told it. */
  path: string | null;
}

/**
 * Creates a subscription and returns its document, in one request where the BMC returns it. Otherwise it is read from
 * `Location`, or searched by Destination and Context.
 * @param ifExists whether to fail or to return the existing subscription when the BMC has one with this Destination and
 *   Context; `return` reads the subscriptions first, because not every BMC refuses a second one
 * @throws kind `exists`, with the id of the first, when the BMC refused a second subscription to that destination;
 *   `unsupported` when the event service is disabled; that of a subscription that could not be read and may be the existing one;
 *   `outcome-unknown`, with what was found, when the BMC did not respond
 */
export async function createSubscription(
  caller: RedfishClient,
  given: NewSubscription,
  ifExists: 'refuse' | 'return' = 'refuse',
  defaults = DEFAULTS,
): Promise<JsonObject> {
  const client = caller.with({ secrets: (given.HttpHeaders ?? []).flatMap((header) => Object.values(header)) });
  if (ifExists === 'refuse') return (await create(client, given, null, defaults)).document;
  return inTurn(client, async () => {
    const before = await findSubscriptions(client, wantedBy(given));
    const existing = foundIn(before);
    if (existing !== null) return existing.document;
    requireAllRead(before);
    return keepOne(client, given, before, await create(client, given, before, defaults));
  });
}

/** The last of the creations that must not overlap, by BMC. */
const turns = new WeakMap<Discovered, Promise<unknown>>();

/** Runs `work` after other creations at the BMC that return what exists, so that two callers do not both find none. */
function inTurn<T>(client: RedfishClient, work: () => Promise<T>): Promise<T> {
  const earlier = turns.get(client.discovered) ?? Promise.resolve();
  const mine = untilAborted(earlier, client.signal).then(work);
  turns.set(client.discovered, Promise.allSettled([earlier, mine]));
  return mine;
}

/**
 * Returns the one subscription that shall remain. Where the BMC changes contexts, which only the new one shows, an older one
 * that shows the same is returned, and the new one deleted again.
 */
async function keepOne(
  client: RedfishClient,
  given: NewSubscription,
  before: Survey,
  created: Created,
): Promise<JsonObject> {
  const { path, document } = created;
  if (path === null || before.candidates.length === 0) return document;
  const older = await findOlder(client, given, before, path).catch((error: unknown) => {
    client.signal.throwIfAborted();
    if (error instanceof RedfishError) return null;
    throw error;
  });
  if (older === null) return document;
  try {
    await deleteSubscription(client, lastSegment(path));
  } catch (error) {
    // The new one is remembered, so that the next call returns it as well.
    asUnreadable(client, path, error);
    return document;
  }
  return older.document;
}

/** Returns an older subscription that proves to be the same as the new one at `path`; null when there is none. */
async function findOlder(
  client: RedfishClient,
  given: NewSubscription,
  before: Survey,
  path: string,
): Promise<Candidate | null> {
  const wanted = wantedBy(given);
  const now = await client.get(path);
  KnownSubscriptions.of(client).match(path, now, wanted);
  const shown = contextOf(now);
  if (shown === wanted.context) return null;
  return before.candidates.find(({ document }) => contextOf(document) === shown) ?? null;
}

/** Sends the request, and returns what it has created. */
async function create(
  client: RedfishClient,
  given: NewSubscription,
  before: Survey | null,
  defaults: SubscriptionDefaults,
): Promise<Created> {
  const wanted = wantedBy({ ...defaults.sent, ...given });
  let response: RedfishResponse | null;
  let collection: string;
  try {
    ({ response, collection } = await post(client, given, defaults));
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    return afterFailure(client, wanted, before, error);
  }
  const paths = createdPaths(response, collection);
  const document = response?.document ?? {};
  const known = KnownSubscriptions.of(client);
  const [likely] = paths;
  // A body that is only a message has no Id.
  if (textOf(document, 'Id') !== null && textOf(document, 'Destination') !== null) {
    if (likely !== undefined) known.add(likely, wanted);
    return { document, path: likely ?? null };
  }
  const found = await readCreated(client, { ...defaults.sent, ...given }, paths, collection);
  if (found !== null) {
    known.add(found.path, wanted);
    known.match(found.path, found.document, wanted);
    return found;
  }
  if (response !== null && mayBeFailure(document)) {
    const error = errorOf(client, response);
    return { document: await findCreated(client, wanted, before, error, { limitMs: 0 }), path: null };
  }
  const status = response?.status ?? 202;
  const message = `The BMC returned ${status} without the path of the new subscription`;
  const error = new RedfishError('outcome-unknown', message, { status, url: client.origin });
  const isMade = status !== 202;
  return { document: await findCreated(client, wanted, before, error, { isMade }), path: null };
}

async function post(client: RedfishClient, given: NewSubscription, { sent, ifMissing = {} }: SubscriptionDefaults) {
  return onSubscriptions(client, async (collection) => {
    await requireEventsEnabled(client);
    const send = async (body: JsonObject) => followTask(client, await client.post(collection, body));
    const response = await sendWithDefaults(given, sent, send, {
      ifMissing,
      isOther: (error) => meansDuplicate(error, given.Destination),
    });
    return { response, collection };
  });
}

/** Returns what a failed request has created or was refused for, where the caller wants that; throws otherwise. */
async function afterFailure(
  client: RedfishClient,
  wanted: Wanted,
  before: Survey | null,
  error: RedfishError,
): Promise<Created> {
  if (error.kind === 'outcome-unknown') {
    const found = await findCreated(client, wanted, before, error, { limitMs: 0 });
    if (before !== null) return { document: found, path: null };
    throw withFinding(error, `The BMC has a subscription with that destination and context now: ${idOf(found)}`);
  }
  if (!meansDuplicate(error, wanted.destination)) throw error;
  const existing = await findByDestination(client, wanted.destination)
    // The refusal is reported with or without the id.
    .catch(() => null);
  client.signal.throwIfAborted();
  if (existing?.document && before !== null) {
    const { path, document } = existing;
    const match = KnownSubscriptions.of(client).match(path, document, wanted);
    if (!['possible', 'other'].includes(match)) return { document: { '@odata.id': path, ...document }, path: null };
  }
  throw existsError(error, existing === null ? null : lastSegment(existing.path));
}

/**
 * Reads the new subscription at the first of `paths` that has it. Returns null when none has.
 * @param properties what was sent, for a subscription that cannot be read
 */
async function readCreated(
  client: RedfishClient,
  properties: NewSubscription,
  paths: string[],
  collection: string,
): Promise<(Created & { path: string }) | null> {
  for (const path of paths) {
    const Id = lastSegment(path);
    try {
      const document = await client.get(path);
      const shown = textOf(document, 'Destination');
      const isIt = shown === null ? isInside(path, collection) : sameUrl(shown, properties.Destination);
      if (isIt || paths.length === 1) return { path, document: { ...document, Id } };
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
      // It was created at that path; failing to read it must not look like a failure to create it.
      if (isInside(path, collection) && (!isNotFound(error) || paths.length === 1)) {
        return { path, document: { ...properties, Id } };
      }
    }
  }
  return null;
}

/** Whether `error` means a duplicate: ResourceAlreadyExists (iLO), PropertyValueModified of the destination (iDRAC). */
function meansDuplicate(error: RedfishError, destination: string): boolean {
  const failedTask = error.kind === 'failed' && error.status === 200;
  if (error.kind !== 'refused' && !failedTask) return false;
  return error.extendedInfo.some((entry) => {
    const { MessageId: id } = entry;
    if (typeof id === 'string' && /(?:AlreadyExists?|Duplicate\w*)$/i.test(id)) return true;
    if (!hasMessage([entry], 'PropertyValueModified')) return false;
    const text = JSON.stringify(entry);
    return text.includes(destination) || urlsIn(text).some((url) => sameUrl(url, destination));
  });
}

function existsError({ message, status, extendedInfo, url }: RedfishError, existing: string | null): RedfishError {
  const id = existing === null ? '' : `, with the id ${existing}`;
  const text = `the BMC has a subscription to that destination already${id}. Error: ${message}`;
  return new RedfishError('exists', text, { status, extendedInfo, url });
}

/** What a search for a new subscription has found. */
const NONE_LISTED =
  'The BMC lists no subscription with that destination and context yet, and may still create it; ' +
  'check with get_all_subscriptions before repeating';
const SEVERAL =
  'The BMC lists several subscriptions with that destination, and does not show which of them is the new one; ' +
  'check with get_all_subscriptions before repeating';
const SOME_UNREAD =
  'Some subscriptions of the BMC could not be read; check with get_all_subscriptions before repeating';
const NONE_READ = 'The subscriptions of the BMC could not be read; check with get_all_subscriptions before repeating';

/**
 * Returns the subscription that a request of unknown outcome has created.
 * @param before what there was; null when that is unknown
 * @param limitMs how long to look for it, in ms; see `poll`
 * @param isMade whether the BMC has said that it was made, so that it is in the list
 * @throws `error` with what was found. That none was found is no proof, unless the BMC has returned an error as well: it may
 *   still be processing the request.
 */
async function findCreated(
  client: RedfishClient,
  wanted: Wanted,
  before: Survey | null,
  error: RedfishError,
  { limitMs, isMade = false }: { limitMs?: number; isMade?: boolean },
): Promise<JsonObject> {
  let finding = NONE_LISTED;
  try {
    const look = async () => {
      const survey = await findSubscriptions(client, wanted);
      // One that cannot be read may be the new one.
      const hidden = survey.unreadable.some(({ path }) => !before?.paths.includes(path));
      finding = hidden ? SOME_UNREAD : NONE_LISTED;
      const fresh = freshIn(client, before, survey);
      const found = newIn(survey, fresh, before !== null || (isMade && survey.unreadable.length === 0));
      if (found !== null || !isMade || fresh.length < 2) return found;
      // Waiting would not tell them apart.
      finding = SEVERAL;
      return 'unsure';
    };
    const found = await poll(look, client.signal, limitMs);
    if (found !== null && found !== 'unsure') {
      KnownSubscriptions.of(client).add(found.path, wanted);
      return { ...found.document, Id: lastSegment(found.path) };
    }
  } catch {
    client.signal.throwIfAborted();
    finding = NONE_READ;
  }
  throw error.kind === 'failed' && finding === NONE_LISTED ? error : withFinding(error, finding);
}

/** Returns the candidates that were not there before; where that is unknown, those that were not made earlier by this service. */
function freshIn(client: RedfishClient, before: Survey | null, { candidates }: Survey): Candidate[] {
  const known = KnownSubscriptions.of(client);
  return candidates.filter(({ path }) => (before === null ? !known.has(path) : !before.paths.includes(path)));
}

/**
 * Returns the candidate that is the new one; null when that is not sure.
 * @param onlyIsIt whether a fresh one that merely may be the wanted one is it where there is no other
 */
function newIn({ candidates }: Survey, fresh: Candidate[], onlyIsIt: boolean): Candidate | null {
  return foundIn({ candidates: fresh }) ?? (onlyIsIt && fresh.length === 1 ? fresh[0]! : foundIn({ candidates }));
}

function wantedBy(given: NewSubscription): Wanted {
  return { destination: given.Destination, context: typeof given.Context === 'string' ? given.Context : '' };
}

function idOf(document: JsonObject): string {
  return textOf(document, 'Id') ?? lastSegment(textOf(document, '@odata.id') ?? '');
}
