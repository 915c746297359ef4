import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { lastSegment, locationPath, textOf } from '../links.ts';
import { poll } from '../poll.ts';
import { hasMessage } from '../wire/extendedInfo.ts';
import type { RedfishResponse } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { onSubscriptions } from './eventService.ts';
import { followTask } from './task.ts';

const UNKNOWN = ['PropertyUnknown', 'PropertyNotWritableOrUnknown'];

/** The body of a new subscription. */
export interface NewSubscription {
  Destination: string;
  /** The properties that the caller gave. */
  given: JsonObject;
  /** Properties that are sent although the caller did not give them; those that the BMC does not know are omitted. */
  defaults: JsonObject;
  /** Values to redact, such as those of HttpHeaders. */
  secrets: string[];
  /** Whether to fail or to return the existing subscription when the BMC has one with this Destination and Context. */
  ifExists: 'refuse' | 'return';
}

export type CreateOutcome =
  | { outcome: 'created'; document: JsonObject }
  /** With `ifExists: 'return'`: it existed already, or was made by a request of unknown outcome. */
  | { outcome: 'found'; document: JsonObject }
  /** The BMC refused a second subscription to that destination. `id` is the first one's; null when it cannot be found. */
  | { outcome: 'exists'; id: string | null; error: RedfishError };

/**
 * Creates a subscription and returns its document, in one request where the BMC returns it. Otherwise it is read from
 * `Location`, or searched by Destination and Context. With `ifExists: 'return'` the subscriptions are read first, because not
 * every BMC refuses a second one.
 * @throws kind `outcome-unknown`, with what was found, when the BMC did not respond
 */
export async function createSubscription(
  client: RedfishClient,
  subscription: NewSubscription,
  options: RequestOptions,
): Promise<CreateOutcome> {
  const redacting: RequestOptions = { ...options, secrets: subscription.secrets };
  const returns = subscription.ifExists === 'return';
  if (returns) {
    const document = await findSubscription(client, redacting, matcherOf(subscription));
    if (document !== null) return { outcome: 'found', document };
  }
  let response: RedfishResponse | null;
  try {
    response = await post(client, subscription, redacting);
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    if (error.kind === 'outcome-unknown') {
      const found = await findCreated(client, subscription, redacting, error);
      if (found instanceof RedfishError) throw found;
      if (!returns) throw existsNow(found, error);
      return { outcome: 'found', document: found };
    }
    if (!meansDuplicate(error, subscription.Destination)) throw error;
    const sameDestination = ({ Destination }: JsonObject) => Destination === subscription.Destination;
    const existing = await findSubscription(client, redacting, sameDestination)
      // The refusal is reported with or without the id.
      .catch(() => null);
    redacting.signal.throwIfAborted();
    if (returns && existing !== null && matcherOf(subscription)(existing))
      return { outcome: 'found', document: existing };
    return { outcome: 'exists', id: existing && idOf(existing), error };
  }
  return { outcome: 'created', document: await createdDocument(client, response, subscription, redacting) };
}

async function post(
  client: RedfishClient,
  { given, defaults }: NewSubscription,
  options: RequestOptions,
): Promise<RedfishResponse | null> {
  let kept = defaults;
  for (;;) {
    try {
      return await onSubscriptions(client, options, async (path) =>
        followTask(client, await client.post(path, { ...kept, ...given }, options), options),
      );
    } catch (error) {
      // BMCs name all unknown properties, or one at a time. Each retry omits at least one, so that this ends.
      const unknown = unknownProperties(error);
      const remaining = Object.entries(kept).filter(([key]) => !unknown.includes(key));
      if (remaining.length === Object.keys(kept).length || unknown.some((key) => key in given)) throw error;
      kept = Object.fromEntries(remaining);
    }
  }
}

/**
 * Returns the properties that a refusal names as unknown, in MessageArgs or RelatedProperties of `PropertyUnknown` or of
 * iLO's message for both unknown and read-only properties.
 */
function unknownProperties(error: unknown): string[] {
  if (!(error instanceof RedfishError) || error.kind !== 'refused') return [];
  const entries = error.extendedInfo.filter((entry) => hasMessage([entry], ...UNKNOWN));
  return entries.flatMap(({ MessageArgs, RelatedProperties }) =>
    [MessageArgs, RelatedProperties]
      .flatMap((names) => (Array.isArray(names) ? names : []))
      .map((name) => String(name).replace(/^[#/]+/, '')),
  );
}

async function createdDocument(
  client: RedfishClient,
  response: RedfishResponse | null,
  subscription: NewSubscription,
  options: RequestOptions,
): Promise<JsonObject> {
  const document = response?.document ?? {};
  // A body that is only a message has no Id.
  if (textOf(document, 'Id') !== null && textOf(document, 'Destination') !== null) return document;
  const place = response?.headers.location ?? textOf(document, '@odata.id') ?? undefined;
  // In a 202 and in an ended task, these belong to the task.
  const ofTask = response?.status === 202 || textOf(document, 'TaskState') !== null;
  const path = ofTask ? null : locationPath(place);
  if (path !== null) {
    try {
      return { Id: lastSegment(path), ...(await client.get(path, options)) };
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
      // It was created at that path; failing to read it must not look like a failure to create it.
      return { ...subscription.defaults, ...subscription.given, Id: lastSegment(path) };
    }
  }
  const status = response?.status ?? 202;
  const accepted = new RedfishError(
    'outcome-unknown',
    `The BMC returned ${status} without the path of the new subscription`,
    {
      status,
      url: client.origin,
    },
  );
  const found = await findCreated(client, subscription, options, accepted, poll);
  if (found instanceof RedfishError) throw found;
  return found;
}

/** Whether the BMC refused a duplicate: iLO by ResourceAlreadyExists, iDRAC by PropertyValueModified with the destination, either also in a failed task. */
function meansDuplicate(error: RedfishError, destination: string): boolean {
  const failedTask = error.kind === 'failed' && error.status === 200;
  if (error.kind !== 'refused' && !failedTask) return false;
  if (hasMessage(error.extendedInfo, 'ResourceAlreadyExists')) return true;
  return error.extendedInfo.some(
    (entry) => hasMessage([entry], 'PropertyValueModified') && JSON.stringify(entry).includes(destination),
  );
}

/**
 * Returns the subscription that a request of unknown outcome has created, or the error that reports that there is none. That
 * is no proof: the BMC may still be processing the request or its task.
 * @param repeat runs the search; once by default
 */
async function findCreated(
  client: RedfishClient,
  subscription: NewSubscription,
  options: RequestOptions,
  error: RedfishError,
  repeat: typeof poll = (look) => look(),
): Promise<JsonObject | RedfishError> {
  try {
    const found = await repeat(() => findSubscription(client, options, matcherOf(subscription)), options.signal);
    if (found !== null) return found;
    return withFinding(
      error,
      'The BMC lists no subscription with that destination and context yet, and may still create it; ' +
        'check with get_all_subscriptions before repeating',
    );
  } catch {
    options.signal.throwIfAborted();
    return withFinding(
      error,
      'The subscriptions of the BMC could not be read; check with get_all_subscriptions before repeating',
    );
  }
}

function existsNow(document: JsonObject, error: RedfishError): RedfishError {
  return withFinding(error, `The BMC has a subscription with that destination and context now: ${idOf(document)}`);
}

function withFinding(error: RedfishError, finding: string): RedfishError {
  return new RedfishError('outcome-unknown', `${error.message}. ${finding}`, {
    status: error.status,
    extendedInfo: error.extendedInfo,
    url: error.url,
    cause: error,
  });
}

function matcherOf({ given, defaults }: NewSubscription): (document: JsonObject) => boolean {
  const { Destination, Context = '' } = { ...defaults, ...given };
  return (document) => document.Destination === Destination && (document.Context ?? '') === Context;
}

function idOf(document: JsonObject): string {
  return textOf(document, 'Id') ?? lastSegment(textOf(document, '@odata.id') ?? '');
}

/** Returns the newest subscription that `matches`; null when there is none. */
async function findSubscription(
  client: RedfishClient,
  options: RequestOptions,
  matches: (document: JsonObject) => boolean,
): Promise<JsonObject | null> {
  const { members } = await onSubscriptions(client, options, (path) => getCollection(client, path, options));
  for (const { path, document } of members.reverse()) {
    try {
      const found = document ?? (await client.get(path, options));
      if (matches(found)) return textOf(found, '@odata.id') === null ? { ...found, '@odata.id': path } : found;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return null;
}
