// Events: the subscriptions by which a BMC sends them to this service, its stream, test events, and what they mean.
import type { EventSubscription, EventSubscriptions, NewEventSubscription } from '../../core/events/eventsInterface.ts';
import type { JsonObject } from '../../core/json.ts';
import type { RedfishClient } from '../client.ts';
import { isNotFound, RedfishError } from '../errors.ts';
import { lastSegment, linkPath, memberPath, objectOf, ownLinkPath, samePath, textOf } from '../links.ts';
import { deleteSubscription, getEventService, listSubscriptions } from '../resources/eventService.ts';
import { contextOf } from '../resources/knownSubscriptions.ts';
import { createSubscription, type SubscriptionDefaults } from '../resources/subscription.ts';
import { asUnreadable, patientFor } from '../resources/unreadable.ts';

/** Severities as Redfish has them (Resource.Health). */
const SEVERITIES = { ok: 'OK', warning: 'Warning', critical: 'Critical' };

/** The types of events in a subscription for a BMC that demands them and lists none. */
const USUAL_EVENT_TYPES = ['Alert'];

/**
 * Makes a subscription by which the BMC sends events to this service, and returns its path. Only the destination is sent in any
 * case: what else the BMC refuses is left out, such as iLO's refusal of DeliveryRetryPolicy, and what it demands is added.
 * @throws as `createSubscription`
 */
export async function subscribeToEvents(
  caller: RedfishClient,
  { destination, context, selection }: NewEventSubscription,
): Promise<string> {
  // BMCs quote what they refuse.
  const client = caller.with({ secrets: [destination, lastSegment(destination)] });
  const { subscriptions, eventTypes } = await getEventService(client);
  const { registryPrefixes, messageIds, resourceTypes, severities } = selection;
  const selected = {
    RegistryPrefixes: [...registryPrefixes],
    MessageIds: [...messageIds],
    ResourceTypes: [...resourceTypes],
    Severities: severities.map((severity) => SEVERITIES[severity]),
  };
  const defaults: SubscriptionDefaults = {
    sent: {
      Protocol: 'Redfish',
      Context: context,
      // Otherwise iDRAC ends the subscription after some failed posts, as when this service restarts.
      DeliveryRetryPolicy: 'RetryForever',
      ...Object.fromEntries(Object.entries(selected).filter(([, values]) => values.length > 0)),
    },
    ifMissing: {
      EventTypes: (eventTypes ?? USUAL_EVENT_TYPES).filter((type) => type !== 'MetricReport'),
      EventFormatType: 'Event',
      SubscriptionType: 'RedfishEvent',
    },
  };
  const document = await createSubscription(client, { Destination: destination }, 'refuse', defaults);
  const id = textOf(document, 'Id');
  const path =
    ownLinkPath(document['@odata.id'], client.origin) ?? (id === null ? null : memberPath(subscriptions, id));
  if (path !== null) return path;
  throw new RedfishError('outcome-unknown', 'The BMC made a subscription and does not tell which', {
    url: client.origin,
  });
}

/** Returns the subscription at `path`; null when the BMC says that it does not exist. */
export async function readEventSubscription(client: RedfishClient, path: string): Promise<EventSubscription | null> {
  try {
    return toEventSubscription(path, await client.get(path));
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

/** Reads all subscriptions of the BMC. */
export async function listEventSubscriptions(client: RedfishClient): Promise<EventSubscriptions> {
  const { members, unreadable } = await listSubscriptions(client);
  const subscriptions: EventSubscription[] = [];
  let complete = unreadable.length === 0;
  for (const { path } of members) {
    try {
      const subscription = await readEventSubscription(patientFor(client), path);
      if (subscription !== null) subscriptions.push(subscription);
    } catch (error) {
      asUnreadable(client, path, error);
      complete = false;
    }
  }
  return { subscriptions, complete };
}

/** Deletes the subscription at `path`; does nothing when it does not exist. */
export async function removeEventSubscription(client: RedfishClient, path: string): Promise<void> {
  const { subscriptions } = await getEventService(client);
  const id = lastSegment(path);
  if (!samePath(memberPath(subscriptions, id), path)) {
    // The BMC has moved its collection, so that the path is not there any more.
    if ((await readEventSubscription(client, path)) === null) return;
  }
  try {
    await deleteSubscription(client, id);
  } catch (error) {
    if (error instanceof RedfishError && error.kind === 'not-found') return;
    throw error;
  }
}

/**
 * Returns the record to which the BMC has sent only a link.
 * @throws kind `failed` when it leads to another host, or to no Redfish resource
 */
export async function readLinked(client: RedfishClient, link: string): Promise<JsonObject> {
  const path = linkPath(link, client.origin);
  if (!/^\/redfish\/[^?#]*$/.test(path) || path.split('/').includes('..')) {
    throw new RedfishError('failed', 'The BMC sent a link to an event that leads outside of Redfish', {
      url: client.origin,
    });
  }
  return client.get(path);
}

function toEventSubscription(uri: string, document: JsonObject): EventSubscription {
  return { uri, destination: textOf(document, 'Destination'), context: contextOf(document), fault: faultOf(document) };
}

/** States of a subscription that sends nothing (Resource.State): iDRAC and bmcweb disable those whose posts failed. */
const SILENT_STATES = ['Disabled', 'Absent', 'UnavailableOffline', 'Deferring', 'Quiesced'];

function faultOf(document: JsonObject): string | null {
  const state = textOf(objectOf(document, 'Status'), 'State');
  return state !== null && SILENT_STATES.includes(state) ? `Status.State is ${state}` : null;
}
