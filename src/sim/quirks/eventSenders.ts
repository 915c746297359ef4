import type { BmcState, Quirk } from '../bmc.ts';
import { without } from '../documents.ts';
import { changeAll } from '../quirk.ts';
import { addSubscription, subscriptionPaths } from '../subscriptions.ts';

/** How events are sent, and what becomes of their subscriptions. */
export const eventSenderQuirks: Quirk[] = [
  {
    name: 'event-wants-200',
    description: 'any response to an event but 200 counts as a failure, 204 too (HPE iLO, Redfish-Event-Listener#30)',
    events: { accepts: (status) => status === 200 },
  },
  {
    name: 'event-not-repeated',
    description: 'an event that cannot be delivered is lost; its subscription stays',
    events: { retries: 0, retryPolicy: 'None' },
  },
  {
    name: 'event-retries-lost',
    description: 'an event that cannot be delivered is lost after its retries; its subscription stays',
    events: { retryPolicy: 'None' },
  },
  {
    name: 'event-suspends',
    description: 'a subscription without DeliveryRetryPolicy is disabled after the retries, not deleted',
    events: { retryPolicy: 'SuspendRetries' },
  },
  {
    name: 'event-connections',
    description: 'each event is sent over a connection of its own',
    events: { keepsConnections: false },
  },
  {
    name: 'event-filters-ignored',
    description: 'the filters of a subscription are accepted, and have no effect',
    events: { filters: false },
  },
  {
    name: 'event-verifies',
    description: 'the certificate of a destination is verified unless VerifyCertificate is false (bmcweb)',
    events: { verifies: true },
  },
  {
    name: 'event-few-subscriptions',
    description: 'there are at most 20 subscriptions, 10 of them streams (bmcweb)',
    events: { maxSubscriptions: 20, maxStreams: 10 },
  },
  {
    name: 'event-stream-replays',
    description: 'a stream gets what it missed of the last 200 events by Last-Event-ID (bmcweb)',
    events: { replays: 200 },
  },
  {
    name: 'event-stream-missing',
    description: 'there are no Server-Sent Events: no ServerSentEventUri',
    changeDocuments: (documents) =>
      changeAll(documents, 'EventService', (service) => without(service, 'ServerSentEventUri')),
  },
  {
    name: 'event-stream-crlf',
    description: 'a stream begins with a byte order mark and a comment, and its lines end with CR LF',
    events: { streamLine: '\r\n', streamBegin: '\uFEFF: welcome\n\n' },
  },
  {
    name: 'event-stream-cr',
    description: 'the lines of a stream end with CR alone',
    events: { streamLine: '\r' },
  },
  {
    name: 'event-stream-comments',
    description: 'a stream has comments, a time to wait, and names of events',
    events: { streamBefore: ': an event\n\nretry: 10\nevent: Event\n' },
  },
  {
    name: 'event-stream-no-id',
    description: 'the events of a stream have no id',
    events: { streamId: () => null },
  },
  {
    name: 'event-stream-one-id',
    description: 'all events of a stream have the same id',
    events: { streamId: () => '1' },
  },
  {
    name: 'event-stream-odd-id',
    description: 'the id of an event on a stream has characters that no header of HTTP takes as they are',
    events: { streamId: (id) => `№ ${id} \u0007` },
  },
  {
    name: 'event-stream-compressed',
    description: 'a stream is compressed, though nobody asked for it',
    events: { streamCompressed: true },
  },
  {
    name: 'event-restart-renumbers',
    description: 'subscriptions have other Ids after a restart',
    restarted: (bmc) => {
      for (const path of subscriptionPaths(bmc)) renumber(path, bmc);
    },
  },
  {
    name: 'event-restart-disables',
    description: 'subscriptions are disabled after a restart',
    restarted: (bmc) => {
      for (const path of subscriptionPaths(bmc)) {
        bmc.documents.set(path, { ...bmc.documents.get(path), Status: { State: 'Disabled', Health: 'OK' } });
      }
    },
  },
];

function renumber(path: string, bmc: BmcState): void {
  const document = bmc.documents.get(path);
  // That of a stream ends with it.
  if (!document || document.SubscriptionType === 'SSE') return;
  const { '@odata.id': _, Id: id, ...others } = document;
  const to = addSubscription(bmc, others.Name === `EventSubscription ${id}` ? without(others, 'Name') : others);
  bmc.events.moved(path, to);
  bmc.documents.removeMember(path);
}
