import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient, RequestOptions } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { memberPath, optionalLinkPath } from '../links.ts';
import { poll } from '../poll.ts';
import type { RedfishResponse } from '../wire/response.ts';
import { type Collection, getCollection } from './collection.ts';
import { confirmDiscovered, getServiceRoot } from './serviceRoot.ts';
import { followTask } from './task.ts';

/** The EventService (DSP2046) as far as it is used. */
export interface EventService {
  /** Path of the subscriptions. */
  subscriptions: string;
  /** `EventTypesForSubscription`; null where the BMC no longer has it (deprecated; iLO 5 and iDRAC 9). */
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
 * Returns the event service; requested once.
 * @throws kind `unsupported` when the BMC has none, or has it switched off
 */
export async function getEventService(client: RedfishClient, options: RequestOptions): Promise<EventService> {
  await confirmDiscovered(client, options);
  return client.discovered.get(KEY, options.signal, async () => {
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

/** Returns the collection of subscriptions, with all its pages, and its path. */
export function listSubscriptions(
  client: RedfishClient,
  options: RequestOptions,
): Promise<Collection & { path: string }> {
  return onSubscriptions(client, options, async (path) => ({ ...(await getCollection(client, path, options)), path }));
}

/**
 * Returns the document of the subscription `id`.
 * @throws kind `not-found` when the BMC says that it does not exist
 */
export function getSubscription(client: RedfishClient, id: string, options: RequestOptions): Promise<JsonObject> {
  return onSubscription(client, id, options, (path) => client.get(path, options));
}

/**
 * Deletes the subscription `id`. When the BMC does not respond, checks whether the subscription still exists; if not, it was
 * deleted.
 * @throws kind `not-found` when the BMC says that it does not exist; `outcome-unknown` with what was found
 */
export async function deleteSubscription(client: RedfishClient, id: string, options: RequestOptions): Promise<void> {
  let response: RedfishResponse | null;
  try {
    response = await onSubscription(client, id, options, async (path) =>
      followTask(client, await client.delete(path, options), options),
    );
  } catch (error) {
    if (!(error instanceof RedfishError) || error.kind !== 'outcome-unknown') throw error;
    return expectGone(client, id, options, error, (look) => look());
  }
  if (response !== null) return;
  const { origin: url } = client;
  const accepted = new RedfishError('outcome-unknown', 'The BMC accepted the request but did not report its end', {
    url,
  });
  await expectGone(client, id, options, accepted, poll);
}

/** Resolves when the BMC says that the subscription does not exist; otherwise throws `error` with what was found. */
async function expectGone(
  client: RedfishClient,
  id: string,
  options: RequestOptions,
  error: RedfishError,
  repeat: typeof poll,
): Promise<void> {
  let found = 'The subscription still exists; delete it again';
  try {
    const gone = await repeat(
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
    found = 'Whether the subscription still exists could not be checked; check with get_subscription';
  }
  throw new RedfishError('outcome-unknown', `${error.message}. ${found}`, { url: error.url, cause: error });
}

/**
 * Runs `use` with the path of the subscriptions. When that was discovered before and the BMC no longer has it, discovers it
 * again, once.
 */
export async function onSubscriptions<T>(
  client: RedfishClient,
  options: RequestOptions,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const known = client.discovered.peek<EventService>(KEY) !== undefined;
  const { subscriptions } = await getEventService(client, options);
  try {
    return await use(subscriptions);
  } catch (error) {
    if (!known || !isNotFound(error)) throw error;
    client.discovered.forget();
    return use((await getEventService(client, options)).subscriptions);
  }
}

/** Does the same for one subscription: after a 404, the collection shows whether it or the whole path is gone. */
async function onSubscription<T>(
  client: RedfishClient,
  id: string,
  options: RequestOptions,
  use: (path: string) => Promise<T>,
): Promise<T> {
  for (;;) {
    const known = client.discovered.peek<EventService>(KEY) !== undefined;
    const { subscriptions } = await getEventService(client, options);
    const path = memberPath(subscriptions, id);
    try {
      return await use(path);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (!known || (await exists(client, subscriptions, options))) {
        const url = client.origin + path;
        const { status, extendedInfo } = error;
        throw new RedfishError('not-found', `Resource ${url} not found`, { status, extendedInfo, url, cause: error });
      }
      client.discovered.forget();
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
