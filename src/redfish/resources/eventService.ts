import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { memberPath, optionalLinkPath } from '../links.ts';
import { lookAgain } from '../poll.ts';
import type { Answer } from '../wire/response.ts';
import { type Collection, getCollection } from './collection.ts';
import { confirmKnown, getServiceRoot } from './serviceRoot.ts';
import { followTask } from './task.ts';

/** What is used of the EventService (DSP2046). */
export interface EventService {
  /** Path of the subscriptions. */
  subscriptions: string;
  /** `EventTypesForSubscription`; null where the BMC has it no more (deprecated; iLO 5 and iDRAC 9). */
  eventTypes: string[] | null;
}

/** `EventType` of the EventDestination schema, for BMCs that do not list theirs. */
export const EVENT_TYPES = [
  'StatusChange',
  'ResourceUpdated',
  'ResourceAdded',
  'ResourceRemoved',
  'Alert',
  'MetricReport',
  'Other',
] as const;

const KEY = 'event service';

/**
 * The event service; asked once.
 * @throws kind `unsupported` when the BMC has none, or it is switched off
 */
export async function getEventService(client: RedfishClient, options: RequestOptions): Promise<EventService> {
  await confirmKnown(client, options);
  return client.known.get(KEY, options.signal, async () => {
    const root = await getServiceRoot(client, options);
    const missing = (what: string) => new RedfishError('unsupported', what, { url: client.origin });
    if (root.eventService === null) throw missing('The BMC has no EventService');
    const document = await client.get(root.eventService, options);
    if (document.ServiceEnabled === false) {
      throw missing('The EventService of the BMC is switched off (ServiceEnabled is false)');
    }
    const subscriptions = optionalLinkPath(document.Subscriptions, client.origin);
    if (subscriptions === null) throw missing('The EventService of the BMC has no Subscriptions');
    const types = document.EventTypesForSubscription;
    const eventTypes = Array.isArray(types) ? types.filter((type) => typeof type === 'string') : [];
    return { subscriptions, eventTypes: eventTypes.length > 0 ? eventTypes : null };
  });
}

/** The collection of subscriptions, all pages of it, and its path. */
export function listSubscriptions(
  client: RedfishClient,
  options: RequestOptions,
): Promise<Collection & { path: string }> {
  return onSubscriptions(client, options, async (path) => ({ ...(await getCollection(client, path, options)), path }));
}

/**
 * The document of the subscription `id`.
 * @throws kind `not-found` when the BMC says that it is not there
 */
export function getSubscription(client: RedfishClient, id: string, options: RequestOptions): Promise<JsonObject> {
  return onSubscription(client, id, options, (path) => client.get(path, options));
}

/**
 * Deletes the subscription `id`. When the BMC gives no answer, it is asked whether the subscription is still there; if
 * not, the deletion is done.
 * @throws kind `not-found` when the BMC says that it is not there; `outcome-unknown` with what was found
 */
export async function deleteSubscription(client: RedfishClient, id: string, options: RequestOptions): Promise<void> {
  let answer: Answer | null;
  try {
    answer = await onSubscription(client, id, options, async (path) =>
      followTask(client, await client.delete(path, options), options),
    );
  } catch (error) {
    if (!(error instanceof RedfishError) || error.kind !== 'outcome-unknown') throw error;
    return whenGone(client, id, options, error, (look) => look());
  }
  if (answer !== null) return;
  const { origin: url } = client;
  const accepted = new RedfishError('outcome-unknown', 'The BMC accepted the request and told no end of it', { url });
  await whenGone(client, id, options, accepted, lookAgain);
}

/** Resolves when the BMC says that the subscription is not there; else throws `error` with what was found. */
async function whenGone(
  client: RedfishClient,
  id: string,
  options: RequestOptions,
  error: RedfishError,
  looking: typeof lookAgain,
): Promise<void> {
  let found = 'The subscription is still there; delete it again';
  try {
    const gone = await looking(
      () =>
        getSubscription(client, id, options).then(
          () => null,
          (lookup: unknown) => {
            if (lookup instanceof RedfishError && lookup.kind === 'not-found') return true;
            throw lookup;
          },
        ),
      options.signal,
    );
    if (gone) return;
  } catch {
    options.signal.throwIfAborted();
    found = 'The BMC could not be asked whether the subscription is still there; look with get_subscription';
  }
  throw new RedfishError('outcome-unknown', `${error.message}. ${found}`, { url: error.url, cause: error });
}

/**
 * Runs `ask` with the path of the subscriptions. When that is known from before and the BMC no longer has it, it is
 * looked up once more.
 */
export async function onSubscriptions<T>(
  client: RedfishClient,
  options: RequestOptions,
  ask: (path: string) => Promise<T>,
): Promise<T> {
  const known = client.known.peek<EventService>(KEY) !== undefined;
  const { subscriptions } = await getEventService(client, options);
  try {
    return await ask(subscriptions);
  } catch (error) {
    if (!known || !isNotFound(error)) throw error;
    client.known.forget();
    return ask((await getEventService(client, options)).subscriptions);
  }
}

/** `onSubscriptions` for one of them: a 404 may mean it, or the path of all. The collection's answer tells. */
async function onSubscription<T>(
  client: RedfishClient,
  id: string,
  options: RequestOptions,
  ask: (path: string) => Promise<T>,
): Promise<T> {
  for (;;) {
    const known = client.known.peek<EventService>(KEY) !== undefined;
    const { subscriptions } = await getEventService(client, options);
    const path = memberPath(subscriptions, id);
    try {
      return await ask(path);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (!known || (await exists(client, subscriptions, options))) {
        const url = client.origin + path;
        const { status, extendedInfo } = error;
        throw new RedfishError('not-found', `Resource ${url} not found`, { status, extendedInfo, url, cause: error });
      }
      client.known.forget();
    }
  }
}

async function exists(client: RedfishClient, path: string, options: RequestOptions): Promise<boolean> {
  try {
    await client.get(path, options);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
