import { z } from 'zod';
import { invalidArgument } from '../../core/errors.ts';
import { isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import { defineMethod, type Method } from '../../core/method.ts';
import type { NodeTask } from '../../core/task.ts';
import type { Destinations } from '../../net/destinations.ts';
import {
  createSubscription,
  deleteSubscription,
  EVENT_TYPES,
  getEventService,
  getSubscription,
  listSubscriptions,
  RedfishError,
} from '../../redfish/index.ts';
import { toBmcError } from './errors.ts';
import type { AccessNode } from './nodeAccess.ts';
import { eventTypesFault, headerSecrets, newSubscription, subscriptionId } from './subscriptionArguments.ts';

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
  Members: z.array(z.object({ '@odata.id': z.string() })).describe('A link to each subscription'),
  'Members@odata.count': z.number(),
});

/**
 * Makes the methods about event subscriptions, with the recorded names, verbs and descriptions ("node methods by name").
 * @param destinations restricts where a subscription may lead; default: anywhere
 */
export function subscriptionMethods(access: AccessNode, destinations?: Destinations): Method<NodeTask>[] {
  return [create(access, destinations), remove(access), list(access), get(access)];
}

function create(access: AccessNode, destinations: Destinations | undefined): Method<NodeTask> {
  return defineMethod({
    name: 'create_subscription',
    httpMethods: ['POST'],
    description:
      "Creates a subscription on a node. Required argument: a dictionary of {'Destination': 'destination_url'}",
    arguments: newSubscription,
    result: subscriptionResult,
    async handler(
      task: NodeTask,
      { destination, Destination = destination, if_exists: ifExists, ...given },
    ): Promise<JsonObject> {
      await destinations?.checkUrl('Destination', Destination!, task.signal);
      const { client, options, subject } = access(task);
      const failed = `Failed to create subscription on ${subject}`;
      try {
        if (given.EventTypes !== undefined) {
          const { eventTypes } = await getEventService(client, options);
          checkEventTypes(given.EventTypes, eventTypes ?? EVENT_TYPES);
        }
        const { HttpHeaders = [], ...rest } = given;
        const body: JsonObject = { ...rest, Destination: Destination! };
        // Ironic omits an empty list too.
        if (HttpHeaders.length > 0) body.HttpHeaders = HttpHeaders;
        const subscription = {
          Destination: Destination!,
          given: body,
          defaults: withoutGiven({ Protocol: 'Redfish', Context: '', EventTypes: ['Alert'] }, body),
          secrets: headerSecrets(HttpHeaders),
          ifExists,
        };
        const outcome = await createSubscription(client, subscription, options);
        if (outcome.outcome !== 'exists') return toResult(outcome.document);
        const id = outcome.id === null ? '' : `, with the id ${outcome.id}`;
        const exists = `${failed}: the BMC has a subscription to that destination already${id}`;
        throw toBmcError(outcome.error, subject, exists, 'subscription_exists');
      } catch (error) {
        throw toBmcError(error, subject, failed);
      }
    },
  });
}

function remove(access: AccessNode): Method<NodeTask> {
  return defineMethod({
    name: 'delete_subscription',
    httpMethods: ['DELETE'],
    description: "Delete a subscription on a node. Required argument: a dictionary of {'id': 'subscription_bmc_id'}",
    arguments: subscriptionId,
    result: z.null(),
    async handler(task: NodeTask, { id }): Promise<undefined> {
      const { client, options, subject } = access(task);
      try {
        await deleteSubscription(client, id, options);
      } catch (error) {
        throw subscriptionError(error, 'delete_subscription', id, subject);
      }
    },
  });
}

function list(access: AccessNode): Method<NodeTask> {
  return defineMethod({
    name: 'get_all_subscriptions',
    httpMethods: ['GET'],
    description: 'Returns all subscriptions on the node.',
    arguments: z.object({}),
    result: collectionResult,
    async handler(task: NodeTask): Promise<JsonObject> {
      const { client, options, subject } = access(task);
      try {
        const { document, members } = await listSubscriptions(client, options);
        return {
          ...pick(document, ['@odata.id', '@odata.type', 'Name']),
          // Only links: where the BMC expands its members, they may contain secrets.
          Members: members.map(({ path }) => ({ '@odata.id': path })),
          'Members@odata.count': members.length,
        };
      } catch (error) {
        throw toBmcError(error, subject, `Redfish get_subscriptions failed for ${subject}`);
      }
    },
  });
}

function get(access: AccessNode): Method<NodeTask> {
  return defineMethod({
    name: 'get_subscription',
    httpMethods: ['GET'],
    description: "Get a subscription on the node. Required argument: a dictionary of {'id': 'subscription_bmc_id'}",
    arguments: subscriptionId,
    result: subscriptionResult,
    async handler(task: NodeTask, { id }): Promise<JsonObject> {
      const { client, options, subject } = access(task);
      try {
        return toResult(await getSubscription(client, id, options));
      } catch (error) {
        throw subscriptionError(error, 'get_subscription', id, subject);
      }
    },
  });
}

/** Maps an error: "not found" only if the BMC said so, whereas Ironic reports every failed delete as that. */
function subscriptionError(error: unknown, method: string, id: string, subject: string): unknown {
  const failed = `Redfish ${method} failed for subscription ${id} on ${subject}`;
  const absent = error instanceof RedfishError && error.kind === 'not-found';
  return toBmcError(error, subject, failed, absent ? 'subscription_not_found' : undefined);
}

/** @param allowed the BMC's own types, or the schema's where the BMC lists none */
function checkEventTypes(types: string[], allowed: readonly string[]): void {
  if (types.every((type) => allowed.includes(type))) return;
  throw invalidArgument('arguments.EventTypes', eventTypesFault(types, allowed));
}

function withoutGiven(defaults: JsonObject, given: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(defaults).filter(([key]) => !(key in given)));
}

/** Returns the members that Ironic shows, and the state of a disabled subscription. */
function toResult(document: JsonObject): JsonObject {
  const { Status: status } = document;
  const disabled = isJsonObject(status) && status.State === 'Disabled';
  return pick(document, disabled ? [...RESULT_KEYS, 'Status'] : RESULT_KEYS);
}

function pick(document: JsonObject, keys: readonly string[]): JsonObject {
  const picked: JsonObject = {};
  for (const key of keys) {
    const value: Json | undefined = document[key];
    if (value !== undefined) picked[key] = value;
  }
  return picked;
}
