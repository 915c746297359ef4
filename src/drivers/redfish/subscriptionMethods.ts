import { z } from 'zod';
import { invalidArgument } from '../../core/errors.ts';
import { isJsonObject, type JsonObject } from '../../core/json.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import { maskOwnSecrets } from '../../core/secrets.ts';
import type { NodeTask } from '../../core/task.ts';
import type { Destinations } from '../../net/destinations.ts';
import {
  createSubscription,
  deleteSubscription,
  EVENT_TYPES,
  getEventService,
  getSubscription,
  listSubscriptions,
  type NewSubscription,
} from '../../redfish/index.ts';
import type { UseBmc } from './bmcAccess.ts';
import { deleteSource, SOURCE_DESTINATION, setSource } from './sourceSubscription.ts';
import { eventTypesFault, newSubscription, subscriptionId } from './subscriptionArguments.ts';
import { toUnreadablePart, unreadablePart } from './unreadablePart.ts';

/** The members of a subscription that Ironic shows (recorded: "get_subscription"), without HttpHeaders, which are secret. */
const subscriptionResult = z.looseObject({
  Context: z.unknown().optional().describe('The string that the BMC sends with each event'),
  Destination: z.unknown().optional().describe('The URL to which the BMC sends its events'),
  EventTypes: z.unknown().optional().describe('The types of events that it sends'),
  Id: z.unknown().optional().describe('The id to get or delete it'),
  Protocol: z.unknown().optional().describe('The protocol of the events'),
  Status: z
    .unknown()
    .optional()
    .describe('Present only when the BMC has disabled the subscription, as iDRAC does after failed deliveries'),
});
const RESULT_KEYS = ['Context', 'Destination', 'EventTypes', 'Id', 'Protocol'];

const collectionResult = z.looseObject({
  '@odata.id': z.unknown().optional().describe('The path of the collection'),
  '@odata.type': z.unknown().optional().describe('The type of the collection'),
  Name: z.unknown().optional().describe('The name of the collection'),
  Members: z.array(z.object({ '@odata.id': z.string() })).describe('A link to each subscription'),
  'Members@odata.count': z.number().describe('The number of Members'),
  unreadable: z
    .array(unreadablePart)
    .optional()
    .describe('Present only when a part of the collection could not be read, so that Members may be incomplete'),
});

/**
 * Makes the methods about event subscriptions, with the recorded names, verbs and descriptions ("node methods by name").
 * @param destinations restricts where a subscription may lead; default: anywhere
 */
export function subscriptionMethods(useBmc: UseBmc, destinations?: Destinations): Method<NodeTask>[] {
  return [create(useBmc, destinations), remove(useBmc), list(useBmc), get(useBmc)];
}

function create(useBmc: UseBmc, destinations: Destinations | undefined): Method<NodeTask> {
  return defineMethod({
    name: 'create_subscription',
    httpMethods: ['POST'],
    description:
      "Creates a subscription on a node. Required argument: a dictionary of {'Destination': 'destination_url'}",
    arguments: newSubscription,
    result: subscriptionResult,
    async handler(
      task: NodeTask,
      { destination, Destination = destination, if_exists: ifExists, HttpHeaders = [], ...given },
    ): Promise<JsonObject> {
      if (Destination === SOURCE_DESTINATION) {
        return setSource(task, HttpHeaders.length > 0 ? { ...given, HttpHeaders } : given);
      }
      await destinations?.checkUrl('Destination', Destination!, task.signal);
      return useBmc(task, 'Failed to create subscription on', async (client) => {
        if (given.EventTypes !== undefined) {
          const { eventTypes } = await getEventService(client);
          checkEventTypes(given.EventTypes, eventTypes ?? EVENT_TYPES);
        }
        const subscription: NewSubscription = { ...given, Destination: Destination! };
        // Ironic omits an empty list too.
        if (HttpHeaders.length > 0) subscription.HttpHeaders = HttpHeaders;
        return toResult(await createSubscription(client, subscription, ifExists));
      });
    },
  });
}

function remove(useBmc: UseBmc): Method<NodeTask> {
  return defineMethod({
    name: 'delete_subscription',
    httpMethods: ['DELETE'],
    description: "Delete a subscription on a node. Required argument: a dictionary of {'id': 'subscription_bmc_id'}",
    arguments: subscriptionId,
    result: z.null(),
    async handler(task: NodeTask, { id }): Promise<undefined> {
      if (await deleteSource(task, id)) return;
      const failed = `Redfish delete_subscription failed for subscription ${id} on`;
      await useBmc(task, failed, (client) => deleteSubscription(client, id));
    },
  });
}

function list(useBmc: UseBmc): Method<NodeTask> {
  return defineMethod({
    name: 'get_all_subscriptions',
    httpMethods: ['GET'],
    description: 'Returns all subscriptions on the node.',
    arguments: z.object({}),
    result: collectionResult,
    async handler(task: NodeTask) {
      const { document, members, unreadable } = await useBmc(
        task,
        'Redfish get_subscriptions failed for',
        listSubscriptions,
      );
      return {
        ...pick(document, ['@odata.id', '@odata.type', 'Name']),
        // Only links: where the BMC expands its members, they may contain secrets.
        Members: members.map(({ path }) => ({ '@odata.id': path })),
        'Members@odata.count': members.length,
        ...(unreadable.length > 0 ? { unreadable: unreadable.map(toUnreadablePart) } : {}),
      };
    },
  });
}

function get(useBmc: UseBmc): Method<NodeTask> {
  return defineMethod({
    name: 'get_subscription',
    httpMethods: ['GET'],
    description: "Get a subscription on the node. Required argument: a dictionary of {'id': 'subscription_bmc_id'}",
    arguments: subscriptionId,
    result: subscriptionResult,
    handler: (task: NodeTask, { id }): Promise<JsonObject> =>
      useBmc(task, `Redfish get_subscription failed for subscription ${id} on`, async (client) =>
        toResult(await getSubscription(client, id)),
      ),
  });
}

/** @param allowed the BMC's own types, or the schema's where the BMC lists none */
function checkEventTypes(types: string[], allowed: readonly string[]): void {
  if (types.every((type) => allowed.includes(type))) return;
  throw invalidArgument('arguments.EventTypes', eventTypesFault(types, allowed));
}

/** Returns the members that Ironic shows, and the state of a disabled subscription. */
function toResult(document: JsonObject): JsonObject {
  const { Status: status, Destination: destination } = document;
  const disabled = isJsonObject(status) && status.State === 'Disabled';
  const result = pick(document, disabled ? [...RESULT_KEYS, 'Status'] : RESULT_KEYS);
  // That of an event source ends with its secret.
  return typeof destination === 'string' ? { ...result, Destination: maskOwnSecrets(destination) } : result;
}

function pick(document: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(keys.filter((key) => document[key] !== undefined).map((key) => [key, document[key]!]));
}
