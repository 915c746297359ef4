import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { lastSegment, locationPath, textOf } from '../links.ts';
import { lookAgain } from '../poll.ts';
import { hasMessage } from '../wire/extendedInfo.ts';
import type { Answer } from '../wire/response.ts';
import { getCollection } from './collection.ts';
import { onSubscriptions } from './eventService.ts';
import { followTask } from './task.ts';

const UNKNOWN = ['PropertyUnknown', 'PropertyNotWritableOrUnknown'];

/** The body of a new subscription. */
export interface NewSubscription {
  Destination: string;
  /** What the caller gave. */
  given: JsonObject;
  /** What goes with it although the caller did not give it; of this, what the BMC does not know is left out. */
  defaults: JsonObject;
  /** Values in it that must not show, such as those of HttpHeaders. */
  secrets: string[];
  /** What to do when the BMC has one with this Destination and Context already: tell so, or answer that one. */
  ifExists: 'refuse' | 'return';
}

export type CreateOutcome =
  | { outcome: 'created'; document: JsonObject }
  /** With `ifExists: 'return'`: the BMC has it already, or a request of unknown outcome has made it. */
  | { outcome: 'found'; document: JsonObject }
  /** The BMC has a subscription to that destination and takes no second. `id` is null when it cannot be found. */
  | { outcome: 'exists'; id: string | null; error: RedfishError };

/**
 * Creates a subscription and answers its document, which costs one request where the BMC answers with it. Otherwise it is
 * read from `Location`, or looked for by Destination and Context. With `ifExists: 'return'` the subscriptions are read
 * first, for not every BMC refuses a second one.
 * @throws kind `outcome-unknown`, with what was found, when the BMC gave no answer
 */
export async function createSubscription(
  client: RedfishClient,
  subscription: NewSubscription,
  options: RequestOptions,
): Promise<CreateOutcome> {
  const asking: RequestOptions = { ...options, secrets: subscription.secrets };
  const returns = subscription.ifExists === 'return';
  if (returns) {
    const document = await findSubscription(client, asking, sameAs(subscription));
    if (document !== null) return { outcome: 'found', document };
  }
  let answer: Answer | null;
  try {
    answer = await post(client, subscription, asking);
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    if (error.kind === 'outcome-unknown') {
      const found = await lookUp(client, subscription, asking, error);
      if (found instanceof RedfishError || !returns)
        throw found instanceof RedfishError ? found : wasFound(found, error);
      return { outcome: 'found', document: found };
    }
    if (!meansDuplicate(error, subscription.Destination)) throw error;
    const sameDestination = ({ Destination }: JsonObject) => Destination === subscription.Destination;
    const existing = await findSubscription(client, asking, sameDestination)
      // The refusal stands whether or not its cause can be named.
      .catch(() => null);
    asking.signal.throwIfAborted();
    if (returns && existing !== null && sameAs(subscription)(existing)) return { outcome: 'found', document: existing };
    return { outcome: 'exists', id: existing && idOf(existing), error };
  }
  return { outcome: 'created', document: await createdDocument(client, answer, subscription, asking) };
}

async function post(
  client: RedfishClient,
  { given, defaults }: NewSubscription,
  options: RequestOptions,
): Promise<Answer | null> {
  let kept = defaults;
  for (;;) {
    try {
      return await onSubscriptions(client, options, async (path) =>
        followTask(client, await client.post(path, { ...kept, ...given }, options), options),
      );
    } catch (error) {
      // Some name all that they do not know, some one at a time; each try leaves out one at least, so that they end.
      const unknown = unknownProperties(error);
      const left = Object.entries(kept).filter(([key]) => !unknown.includes(key));
      if (left.length === Object.keys(kept).length || unknown.some((key) => key in given)) throw error;
      kept = Object.fromEntries(left);
    }
  }
}

/**
 * The properties that a refusal names as unknown, in MessageArgs or RelatedProperties: by `PropertyUnknown`, or by the one
 * message that iLO has for an unknown and for a read-only property.
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
  answer: Answer | null,
  subscription: NewSubscription,
  options: RequestOptions,
): Promise<JsonObject> {
  const document = answer?.document ?? {};
  // An error object or a lone success message has no Id.
  if (textOf(document, 'Id') !== null && textOf(document, 'Destination') !== null) return document;
  const place = answer?.headers.location ?? textOf(document, '@odata.id') ?? undefined;
  // Those of a 202, and of a task that has ended, are the task's.
  const ofTask = answer?.status === 202 || textOf(document, 'TaskState') !== null;
  const path = ofTask ? null : locationPath(place);
  if (path !== null) {
    try {
      return { Id: lastSegment(path), ...(await client.get(path, options)) };
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
      // It was created, and the BMC said where; that it cannot be read now must not look like a failure.
      return { ...subscription.defaults, ...subscription.given, Id: lastSegment(path) };
    }
  }
  const status = answer?.status ?? 202;
  const accepted = new RedfishError(
    'outcome-unknown',
    `The BMC answered ${status} without saying which is the new one`,
    {
      status,
      url: client.origin,
    },
  );
  const found = await lookUp(client, subscription, options, accepted, lookAgain);
  if (found instanceof RedfishError) throw found;
  return found;
}

/** iLO says ResourceAlreadyExists; iDRAC PropertyValueModified naming the destination. A failed Task's messages tell it too. */
function meansDuplicate(error: RedfishError, destination: string): boolean {
  const failedTask = error.kind === 'failed' && error.status === 200;
  if (error.kind !== 'refused' && !failedTask) return false;
  if (hasMessage(error.extendedInfo, 'ResourceAlreadyExists')) return true;
  return error.extendedInfo.some(
    (entry) => hasMessage([entry], 'PropertyValueModified') && JSON.stringify(entry).includes(destination),
  );
}

/**
 * Asks the BMC what became of a request of unknown outcome: the subscription, or the error that tells the finding. That
 * there is none is no proof: the BMC may be at work on the request, or on its task.
 * @param looking how often; once by default
 */
async function lookUp(
  client: RedfishClient,
  subscription: NewSubscription,
  options: RequestOptions,
  error: RedfishError,
  looking: typeof lookAgain = (look) => look(),
): Promise<JsonObject | RedfishError> {
  try {
    const found = await looking(() => findSubscription(client, options, sameAs(subscription)), options.signal);
    if (found !== null) return found;
    return told(
      error,
      'The BMC lists no subscription with that destination and context yet, and may still make it; ' +
        'look again with get_all_subscriptions before repeating',
    );
  } catch {
    options.signal.throwIfAborted();
    return told(
      error,
      'The BMC could not be asked for its subscriptions; look with get_all_subscriptions before trying again',
    );
  }
}

function wasFound(document: JsonObject, error: RedfishError): RedfishError {
  return told(error, `The BMC has a subscription with that destination and context now: ${idOf(document)}`);
}

function told(error: RedfishError, finding: string): RedfishError {
  return new RedfishError('outcome-unknown', `${error.message}. ${finding}`, {
    status: error.status,
    extendedInfo: error.extendedInfo,
    url: error.url,
    cause: error,
  });
}

function sameAs({ given, defaults }: NewSubscription): (document: JsonObject) => boolean {
  const { Destination, Context = '' } = { ...defaults, ...given };
  return (document) => document.Destination === Destination && (document.Context ?? '') === Context;
}

function idOf(document: JsonObject): string {
  return textOf(document, 'Id') ?? lastSegment(textOf(document, '@odata.id') ?? '');
}

/** The newest subscription that `matches`; null when there is none. */
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
