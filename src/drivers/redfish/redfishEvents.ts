import type { EventsInterface, EventsTask } from '../../core/events/eventsInterface.ts';
import type { Node } from '../../core/node.ts';
import {
  listEventSubscriptions,
  type RedfishClient,
  readBmcState,
  readEventStream,
  readEventSubscription,
  readLinked,
  readMessages,
  removeEventSubscription,
  submitTestEvent,
  subscribeToEvents,
} from '../../redfish/index.ts';
import type { UseBmc } from './bmcAccess.ts';
import type { NodeBmc } from './driverInfo.ts';

/**
 * Makes the interface by which the service receives the events of BMCs that support Redfish (DSP0266, "Eventing"). What BMCs
 * do differently is handled by their behaviour, as for the vendor methods about subscriptions, whose code it shares.
 */
export function redfishEvents(useBmc: UseBmc, read: (node: Node) => NodeBmc): EventsInterface {
  const on = <T>(
    task: EventsTask,
    failed: string,
    use: (client: RedfishClient, systemPath: string | null) => Promise<T>,
  ) => useBmc(task, `Failed to ${failed}`, use);
  return {
    address: (node) => read(node).target.origin,
    subscribe: (task, subscription) =>
      on(task, 'subscribe to the events of', (client) => subscribeToEvents(client, subscription)),
    getSubscription: (task, uri) =>
      on(task, 'read an event subscription of', (client) => readEventSubscription(client, uri)),
    listSubscriptions: (task) => on(task, 'read the event subscriptions of', listEventSubscriptions),
    unsubscribe: (task, uri) =>
      on(task, 'delete an event subscription of', (client) => removeEventSubscription(client, uri)),
    requestTest: (task) => on(task, 'request a test event from', submitTestEvent),
    readState: (task) => on(task, 'read the state of the BMC of', readBmcState),
    stream: (task, lastEventId, sink) =>
      on(task, 'read the event stream of', (client) => readEventStream(client, lastEventId, sink)),
    messages: (task, messageIds) =>
      on(task, 'read the message registries of', (client, systemPath) => readMessages(client, systemPath, messageIds)),
    readRecord: (task, link) => on(task, 'read an event of', (client) => readLinked(client, link)),
  };
}
