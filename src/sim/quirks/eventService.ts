import type { Quirk, RedfishResponse } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType, without } from '../documents.ts';
import { refuse, refuseAsVendor } from '../messages.ts';
import { changeAll, isRead, isSubscribe } from '../quirk.ts';
import { subscriptionPaths } from '../subscriptions.ts';

/** The event service, and the loss of its subscriptions. */
export const eventServiceQuirks: Quirk[] = [
  {
    name: 'no-event-types',
    description: 'the event service has no EventTypesForSubscription (iLO 5, iDRAC 9)',
    changeDocuments: (documents) =>
      changeAll(documents, 'EventService', (service) => without(service, 'EventTypesForSubscription')),
  },
  eventsDisabled('events-disabled', 'refuses subscriptions', (service) => refuse('ServiceDisabled', service)),
  eventsDisabled('events-disabled-400', 'refuses subscriptions with 400', () =>
    refuseAsVendor(400, { id: 'Oem.1.0.EventsOff', text: 'Event notifications are switched off.' }),
  ),
  eventsDisabled('events-disabled-409', 'refuses subscriptions with 409', (service) => ({
    ...refuse('ServiceDisabled', service),
    status: 409,
  })),
  {
    name: 'events-switched-off',
    description: 'the event service is switched off as soon as one subscription was made or deleted',
    handle: (request, bmc, next) => {
      const { eventService, subscriptions } = bmc.blueprint;
      const service = bmc.documents.get(eventService ?? '');
      if (isRead(request) || !service || !request.path.startsWith(subscriptions ?? '//')) return next(request);
      if (service.ServiceEnabled === false && request.method === 'POST')
        return refuse('ServiceDisabled', eventService ?? '');
      const response = next(request);
      if (response.status < 300) bmc.documents.set(eventService ?? '', disabled(service));
      return response;
    },
  },
  {
    name: 'closed-event-service',
    description: 'the document of the event service gets 403; its subscriptions can be read and made',
    handle: (request, bmc, next) =>
      request.path === bmc.blueprint.eventService
        ? refuseAsVendor(403, { id: 'Base.1.8.InsufficientPrivilege', text: 'There are insufficient privileges.' })
        : next(request),
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

function disabled(service: RedfishDocument): RedfishDocument {
  return { ...service, ServiceEnabled: false, Status: { State: 'Disabled', Health: 'OK' } };
}

/** Makes a quirk whose event service is off from the start. What is there can be read and deleted (bmcweb#149). */
function eventsDisabled(name: string, what: string, refusal: (service: string) => RedfishResponse): Quirk {
  return {
    name,
    description: `the event service reports ServiceEnabled: false, and ${what}`,
    changeDocuments: (documents) => changeAll(documents, 'EventService', disabled),
    handle: (request, bmc, next) =>
      isSubscribe(request, bmc) ? refusal(bmc.blueprint.eventService ?? '') : next(request),
  };
}
