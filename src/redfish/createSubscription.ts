import type { JsonObject } from '../core/json.ts';
import type { Answer } from './answer.ts';
import type { RedfishClient, RequestOptions } from './client.ts';
import { getCollection } from './collection.ts';
import { isNotFound, RedfishError } from './errors.ts';
import { onSubscriptions } from './eventService.ts';
import { hasMessage } from './extendedInfo.ts';
import { lastSegment, locationPath } from './paths.ts';
import { textOf } from './system.ts';
import { followTask } from './task.ts';

/** The body of a new subscription. */
export interface NewSubscription {
  Destination: string;
  /** What the caller gave. */
  given: JsonObject;
  /** What goes with it although the caller did not give it; of this, what the BMC does not know is left out. */
  defaults: JsonObject;
  /** Values in it that must not show, such as those of HttpHeaders. */
  secrets: string[];
}

export type CreateOutcome =
  | { outcome: 'created'; document: JsonObject }
  /** The BMC has a subscription to that destination and takes no second. `id` is null when it cannot be found. */
  | { outcome: 'exists'; id: string | null; error: RedfishError };

/**
 * Creates a subscription and answers its document, which costs one request where the BMC answers with it. Otherwise it is
 * read from `Location`, or looked for by Destination and Context.
 * @throws kind `outcome-unknown`, with what was found, when the BMC gave no answer
 */
export async function createSubscription(
  client: RedfishClient,
  subscription: NewSubscription,
  options: RequestOptions,
): Promise<CreateOutcome> {
  const asking: RequestOptions = { ...options, secrets: subscription.secrets };
  let answer: Answer | null;
  try {
    answer = await post(client, subscription, asking);
  } catch (error) {
    if (!(error instanceof RedfishError)) throw error;
    if (error.kind === 'outcome-unknown') throw await withFinding(client, subscription, asking, error);
    if (!meansDuplicate(error, subscription.Destination)) throw error;
    const existing = await findSubscription(
      client,
      asking,
      ({ Destination }) => Destination === subscription.Destination,
    )
      // The refusal stands whether or not its cause can be named.
      .catch(() => null);
    asking.signal.throwIfAborted();
    return { outcome: 'exists', id: existing && idOf(existing), error };
  }
  return { outcome: 'created', document: await createdDocument(client, answer, subscription, asking) };
}

async function post(
  client: RedfishClient,
  { given, defaults }: NewSubscription,
  options: RequestOptions,
): Promise<Answer | null> {
  const send = (body: JsonObject) =>
    onSubscriptions(client, options, async (path) =>
      followTask(client, await client.post(path, body, options), options),
    );
  try {
    return await send({ ...defaults, ...given });
  } catch (error) {
    const unknown = unknownProperties(error);
    const kept = Object.entries(defaults).filter(([key]) => !unknown.includes(key));
    if (kept.length === Object.keys(defaults).length || unknown.some((key) => key in given)) throw error;
    return send({ ...Object.fromEntries(kept), ...given });
  }
}

/** The properties that a refusal names as unknown (`PropertyUnknown`, in MessageArgs or RelatedProperties). */
function unknownProperties(error: unknown): string[] {
  if (!(error instanceof RedfishError) || error.kind !== 'refused') return [];
  const entries = error.extendedInfo.filter((entry) => hasMessage([entry], 'PropertyUnknown'));
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
  // The Location of a 202 is its task's.
  const path = answer?.status === 202 ? null : locationPath(place);
  if (path !== null) {
    try {
      return { Id: lastSegment(path), ...(await client.get(path, options)) };
    } catch (error) {
      if (!(error instanceof RedfishError)) throw error;
      // It was created, and the BMC said where; that it cannot be read now must not look like a failure.
      return { ...subscription.defaults, ...subscription.given, Id: lastSegment(path) };
    }
  }
  const found = await findSubscription(client, options, sameAs(subscription));
  if (found !== null) return found;
  throw new RedfishError(
    'outcome-unknown',
    `The BMC answered ${answer?.status ?? 202} to the new subscription, but lists none with that destination and context`,
    { status: answer?.status ?? 202, url: client.origin },
  );
}

/** iLO says ResourceAlreadyExists; iDRAC PropertyValueModified naming the destination. */
function meansDuplicate(error: RedfishError, destination: string): boolean {
  if (error.kind !== 'refused') return false;
  if (hasMessage(error.extendedInfo, 'ResourceAlreadyExists')) return true;
  return error.extendedInfo.some(
    (entry) => hasMessage([entry], 'PropertyValueModified') && JSON.stringify(entry).includes(destination),
  );
}

/** `error` with what the BMC says when it is asked what became of the request. */
async function withFinding(
  client: RedfishClient,
  subscription: NewSubscription,
  options: RequestOptions,
  error: RedfishError,
): Promise<RedfishError> {
  let finding: string;
  try {
    const found = await findSubscription(client, options, sameAs(subscription));
    finding =
      found === null
        ? 'The BMC lists no subscription with that destination and context; create it again'
        : `The BMC has a subscription with that destination and context now: ${idOf(found)}`;
  } catch {
    options.signal.throwIfAborted();
    finding = 'The BMC could not be asked for its subscriptions; look with get_all_subscriptions before trying again';
  }
  return new RedfishError('outcome-unknown', `${error.message}. ${finding}`, { url: error.url, cause: error });
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
