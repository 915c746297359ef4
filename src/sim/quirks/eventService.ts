import type { Quirk } from '../bmc.ts';
import { documentType, without } from '../documents.ts';
import { refuse } from '../messages.ts';
import { changeAll, isSubscribe } from '../quirk.ts';
import { subscriptionPaths } from '../subscriptions.ts';

/** The event service, and the loss of its subscriptions. */
export const eventServiceQuirks: Quirk[] = [
  {
    name: 'no-event-types',
    description: 'the event service has no EventTypesForSubscription (iLO 5, iDRAC 9)',
    changeDocuments: (documents) =>
      changeAll(documents, 'EventService', (service) => without(service, 'EventTypesForSubscription')),
  },
  {
    name: 'events-disabled',
    description: 'the event service reports ServiceEnabled: false, and refuses subscriptions',
    changeDocuments: (documents) =>
      changeAll(documents, 'EventService', (service) => ({
        ...service,
        ServiceEnabled: false,
        Status: { State: 'Disabled', Health: 'OK' },
      })),
    handle: (request, bmc, next) =>
      isSubscribe(request, bmc) ? refuse('ServiceDisabled', bmc.blueprint.eventService ?? '') : next(request),
  },
  {
    name: 'no-event-service',
    description: 'there is no event service',
    changeDocuments: (documents) => {
      for (const [path, document] of documents) {
        const type = documentType(document);
        if (type === 'EventService' || type?.startsWith('EventDestination')) documents.delete(path);
        else if ('EventService' in document) documents.set(path, without(document, 'EventService'));
      }
    },
  },
  {
    name: 'http-headers-empty-list',
    description: 'a subscription has HttpHeaders [] instead of null (iDRAC)',
    changeResponse: (response) => ({
      ...response,
      body: response.body?.replaceAll('"HttpHeaders":null', '"HttpHeaders":[]') ?? null,
    }),
  },
  {
    name: 'subscriptions-lost-at-restart',
    description: 'a restart deletes the subscriptions',
    restarted: (bmc) => {
      for (const path of subscriptionPaths(bmc)) bmc.documents.removeMember(path);
    },
  },
  {
    name: 'failed-delivery-deletes',
    description: 'failed event delivery deletes the subscription (iLO)',
    deliveryFailed: (path, bmc) => bmc.documents.removeMember(path),
  },
  {
    name: 'failed-delivery-disables',
    description: 'failed event delivery sets Status.State of the subscription to Disabled (iDRAC)',
    deliveryFailed: (path, bmc) => {
      const subscription = bmc.documents.get(path);
      if (subscription) bmc.documents.set(path, { ...subscription, Status: { State: 'Disabled', Health: 'Warning' } });
    },
  },
];
