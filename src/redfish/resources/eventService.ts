import type { JsonObject } from '../../core/json.ts';
import { redact, redactText } from '../../core/redaction.ts';
import type { RedfishClient } from '../client.ts';
import { ifFound, isNotFound, RedfishError, withFinding } from '../errors.ts';
import { memberPath, objectOf, ownLinkPath } from '../links.ts';
import { extendedInfoText, mayBeFailure, type RedfishResponse, readExtendedInfo } from '../wire/response.ts';
import { type Collection, getCollection } from './collection.ts';
import { KnownSubscriptions } from './knownSubscriptions.ts';
import { confirmDiscovered, findService, findUnlinked } from './serviceRoot.ts';
import { followTask, poll } from './task.ts';
import { asUnreadable, patientFor, type Unreadable } from './unreadable.ts';

/** The EventService (DSP2046) as far as it is used. */
export interface EventService {
  path: string;
  /** Path of the subscriptions. */
  subscriptions: string;
  /** `ServiceEnabled`; null when the service itself could not be read. */
  enabled: boolean | null;
  /** `EventTypesForSubscription`; null where the BMC no longer has it (deprecated; iLO 5 and iDRAC 9). */
  eventTypes: string[] | null;
  /** `ServerSentEventUri`; null where the BMC has no stream of events. */
  stream: string | null;
  /** The target of the action SubmitTestEvent; null where the BMC has none. */
  testAction: string | null;
  /** Why the service itself could not be read, though its subscriptions can. */
  unreadable?: Unreadable;
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

/** The key of the event service in `Discovered`. */
export const EVENT_SERVICE_KEY = 'event service';

/**
 * Returns the event service; requested once while it is enabled, as nothing else tells that it was switched on.
 * @throws kind `unsupported` when the BMC has none
 */
export async function getEventService(client: RedfishClient): Promise<EventService> {
  await confirmDiscovered(client);
  const known = client.discovered.peek<EventService>(EVENT_SERVICE_KEY);
  return (
    known ?? client.discovered.get(EVENT_SERVICE_KEY, client.signal, (doNotKeep) => readEventService(client, doNotKeep))
  );
}

/**
 * Checks that new subscriptions can be made. A disabled event service still has those that were made before.
 * @throws kind `unsupported` when the event service is disabled, or the BMC has none
 */
export async function requireEventsEnabled(client: RedfishClient): Promise<void> {
  const known = await getEventService(client);
  if (known.enabled !== false) return;
  const now = await readEventService(client);
  if (now.enabled !== false) return client.discovered.set(EVENT_SERVICE_KEY, now);
  const message =
    'The EventService of the BMC is switched off (ServiceEnabled is false), so it takes no new subscriptions';
  throw new RedfishError('unsupported', message, { url: client.origin });
}

/**
 * Checks that events are sent to the subscriptions. Where the service cannot be read, they are believed.
 * @throws kind `unsupported` when the event service is disabled, or the BMC has none
 */
export async function checkEventsSent(client: RedfishClient): Promise<void> {
  const { path } = await getEventService(client);
  try {
    const { ServiceEnabled: enabled } = await patientFor(client).get(path);
    if (enabled !== false) return;
  } catch (error) {
    return void asUnreadable(client, path, error);
  }
  const message = 'The EventService of the BMC is switched off (ServiceEnabled is false), so it sends no events';
  throw new RedfishError('unsupported', message, { url: client.origin });
}

/** @param doNotKeep called when the service itself could not be read, so that more may be known later */
async function readEventService(client: RedfishClient, doNotKeep = () => {}): Promise<EventService> {
  const missing = (what: string) => new RedfishError('unsupported', what, { url: client.origin });
  const found = await findService(client, 'EventService').catch((error: unknown) =>
    // At the usual path, to which the service root does not link.
    asUnreadable(client, `${client.root}EventService`, error),
  );
  if (found === null) throw missing('The BMC has no EventService');
  const path = typeof found === 'string' ? found : found.path;
  const usual = `${path.replace(/(?<!\/)\/+$/, '')}/Subscriptions`;
  let document: JsonObject;
  try {
    if (typeof found !== 'string') throw found.error;
    document = await client.get(path);
  } catch (error) {
    const unreadable = asUnreadable(client, path, error);
    const { error: reason } = unreadable;
    if (isNotFound(reason) || (await findUnlinked(client, usual).catch(() => null)) === null) throw reason;
    doNotKeep();
    return { path, subscriptions: usual, enabled: null, eventTypes: null, stream: null, testAction: null, unreadable };
  }
  const subscriptions = ownLinkPath(document.Subscriptions, client.origin) ?? (await findUnlinked(client, usual));
  if (subscriptions === null) throw missing('The EventService of the BMC has no Subscriptions');
  const types = document.EventTypesForSubscription;
  const eventTypes = Array.isArray(types) ? types.filter((type) => typeof type === 'string') : [];
  const action = objectOf(objectOf(document, 'Actions'), '#EventService.SubmitTestEvent');
  return {
    path,
    subscriptions,
    enabled: document.ServiceEnabled !== false,
    eventTypes: eventTypes.length > 0 ? eventTypes : null,
    stream: ownLinkPath(document.ServerSentEventUri, client.origin),
    testAction: ownLinkPath(action.target, client.origin),
  };
}

/** Returns the collection of subscriptions, with all its pages. */
export function listSubscriptions(client: RedfishClient): Promise<Collection> {
  return onSubscriptions(client, (path) => getCollection(client, path));
}

/**
 * Returns the document of the subscription `id`.
 * @throws kind `not-found` when the BMC says that it does not exist
 */
export function getSubscription(client: RedfishClient, id: string): Promise<JsonObject> {
  return onSubscription(client, id, (path) => client.get(path));
}

/**
 * Deletes the subscription `id`. When the BMC does not report the end, checks whether the subscription still exists; if not,
 * it was deleted. The same decides where the BMC returns an error with a status of success.
 * @throws kind `not-found` when the BMC says that it does not exist; `failed` when it returned an error and the subscription
 *   still exists; `outcome-unknown` with what was found
 */
export async function deleteSubscription(client: RedfishClient, id: string): Promise<void> {
  const { origin: url, signal } = client;
  let unknown = new RedfishError('outcome-unknown', 'The BMC accepted the request but did not report its end', { url });
  let limitMs: number | undefined;
  let isRecorded = false;
  try {
    const response = await onSubscription(client, id, async (path) => {
      KnownSubscriptions.of(client).forget(path);
      return followTask(client, await client.delete(path));
    });
    // A record may say success of what the BMC refused: the effect decides where it can be read.
    isRecorded = response?.isRecord === true;
    if (response !== null && !isRecorded) {
      if (!mayBeFailure(response.document)) return;
      unknown = errorOf(client, response);
      limitMs = 0;
    }
  } catch (error) {
    if (!(error instanceof RedfishError) || error.kind !== 'outcome-unknown') throw error;
    unknown = error;
    limitMs = 0;
  }
  let found = 'The subscription still exists; delete it again';
  try {
    if (await poll(() => isGone(client, id), signal, limitMs)) return;
    if (unknown.kind === 'failed') throw unknown;
  } catch (error) {
    if (error === unknown) throw error;
    signal.throwIfAborted();
    if (isRecorded) return;
    found = 'Whether the subscription still exists could not be checked; check with get_subscription';
  }
  throw withFinding(unknown, found);
}

/** Returns the error of a response that says one with a status of success. BMCs quote the request there. */
export function errorOf({ origin: url, secrets }: RedfishClient, { status, document }: RedfishResponse): RedfishError {
  const extendedInfo = redact(readExtendedInfo(document), secrets);
  const text = redactText(extendedInfoText(extendedInfo), secrets);
  return new RedfishError('failed', `The BMC returned ${status} with an error: ${text}`, { status, extendedInfo, url });
}

async function isGone(client: RedfishClient, id: string): Promise<true | null> {
  try {
    await getSubscription(client, id);
    return null;
  } catch (error) {
    if (error instanceof RedfishError && error.kind === 'not-found') return true;
    throw error;
  }
}

/**
 * Runs `use` with the path of the subscriptions. When that was discovered before and the BMC no longer has it, discovers it
 * again, once.
 */
export async function onSubscriptions<T>(client: RedfishClient, use: (path: string) => Promise<T>): Promise<T> {
  const wasDiscovered = client.discovered.peek<EventService>(EVENT_SERVICE_KEY) !== undefined;
  const { subscriptions } = await getEventService(client);
  try {
    return await use(subscriptions);
  } catch (error) {
    if (!wasDiscovered || !isNotFound(error)) throw error;
    client.discovered.forget();
    return use((await getEventService(client)).subscriptions);
  }
}

/** Does the same for one subscription: after a 404, the collection shows whether it or the whole path is gone. */
async function onSubscription<T>(client: RedfishClient, id: string, use: (path: string) => Promise<T>): Promise<T> {
  for (;;) {
    const wasDiscovered = client.discovered.peek<EventService>(EVENT_SERVICE_KEY) !== undefined;
    const { subscriptions } = await getEventService(client);
    const path = memberPath(subscriptions, id);
    try {
      return await use(path);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (!wasDiscovered || (await ifFound(client.get(subscriptions))) !== null) {
        const url = client.origin + path;
        const { status, extendedInfo } = error;
        throw new RedfishError('not-found', `Resource ${url} not found`, { status, extendedInfo, url, cause: error });
      }
      client.discovered.forget();
    }
  }
}
