import type { Quirk } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentType } from '../documents.ts';
import { refuse } from '../messages.ts';
import { isSubscribe } from '../quirk.ts';

export const noEventTypes: Quirk = {
  name: 'no-event-types',
  description: 'the event service has no EventTypesForSubscription (iLO 5, iDRAC 9)',
  shapes: (documents) =>
    changeService(documents, ({ EventTypesForSubscription: _, ...service }) => service as RedfishDocument),
};

export const eventsDisabled: Quirk = {
  name: 'events-disabled',
  description: 'the event service says ServiceEnabled: false, and takes no subscription',
  shapes: (documents) =>
    changeService(documents, (service) => ({
      ...service,
      ServiceEnabled: false,
      Status: { State: 'Disabled', Health: 'OK' },
    })),
  handles: (request, bmc, next) =>
    isSubscribe(request, bmc) ? refuse('ServiceDisabled', bmc.blueprint.eventService ?? '') : next(request),
};

export const noEventService: Quirk = {
  name: 'no-event-service',
  description: 'there is no event service, and no link to one',
  shapes: (documents) => {
    for (const [path, document] of documents) {
      const type = documentType(document);
      if (type === 'EventService' || type?.startsWith('EventDestination')) documents.delete(path);
      else if ('EventService' in document) {
        const { EventService: _, ...rest } = document;
        documents.set(path, rest);
      }
    }
  },
};

export const headersEmptyList: Quirk = {
  name: 'http-headers-empty-list',
  description: 'a subscription shows its HttpHeaders as [] and not as null (iDRAC)',
  finishes: (answer) =>
    answer.body?.includes('"HttpHeaders":null')
      ? { ...answer, body: answer.body.replaceAll('"HttpHeaders":null', '"HttpHeaders":[]') }
      : answer,
};

function changeService(
  documents: Map<string, RedfishDocument>,
  change: (service: RedfishDocument) => RedfishDocument,
): void {
  for (const [path, document] of documents) {
    if (documentType(document) === 'EventService') documents.set(path, change(document));
  }
}
