import type { BmcState, Quirk, RedfishResponse } from '../bmc.ts';
import { lastSegment, parentPath, without } from '../documents.ts';
import { refuse, refuseAsVendor, successBody } from '../messages.ts';
import { isSubscribe, objectIn } from '../quirk.ts';
import { noContent, withHeaders } from '../response.ts';
import { subscriptionPaths } from '../subscriptions.ts';

/** The responses to a new subscription, and the reasons to refuse one. */
export const subscriptionQuirks: Quirk[] = [
  created(
    'create-location-only',
    'a new subscription gets 201 with Location and a success message (iLO, iDRAC)',
    (response) => ({ ...response, headers: without(response.headers, 'ETag'), body: successBody('Created') }),
  ),
  created('create-no-body', 'a new subscription gets 201 with Location and no body', (response) => ({
    ...response,
    headers: without(response.headers, 'ETag', 'Content-Type'),
    body: null,
  })),
  created('create-body-only', 'a new subscription gets 201 with the document and no Location', (response) => ({
    ...response,
    headers: without(response.headers, 'Location'),
  })),
  created('create-body-only-200', 'a new subscription gets 200 with the document and no Location', (response) => ({
    ...response,
    status: 200,
    headers: without(response.headers, 'Location'),
  })),
  created('create-204', 'a new subscription gets 204, without Location or body', noContent),
  created('create-full-url', 'the Location of a new subscription is a full URL', (response, bmc) =>
    withHeaders(response, { Location: bmc.url + response.headers.Location }),
  ),
  createdAt('collection', 'the collection', (location) => parentPath(location)),
  createdAt('relative', 'relative to it', (location) => `Subscriptions/${lastSegment(location)}`),
  createdAt('slash', 'followed by a slash', (location) => `${location}/`),
  createdAt('empty', 'empty', () => ''),
  createdAt('other-host', "a URL with the BMC's internal host", (location) => `https://bmc.internal:8443${location}`),
  created('create-201', 'a new subscription gets 201, without Location or body', () => ({
    ...noContent(),
    status: 201,
  })),
  created('create-202', 'a new subscription gets 202, without Location or body, and is there', () => ({
    ...noContent(),
    status: 202,
  })),
  {
    name: 'delete-error-200',
    description: 'a DELETE of a subscription is refused by an error under 200',
    handle: (request, bmc, next) =>
      request.method === 'DELETE' && subscriptionPaths(bmc).includes(request.path)
        ? { ...refuse('InternalError'), status: 200 }
        : next(request),
  },
  // iLO has one message for an unknown property and a read-only one.
  refusesProperty(
    'refuses-retry-policy',
    'DeliveryRetryPolicy',
    "a subscription with DeliveryRetryPolicy is refused with a message of iLO's own registry (iLO)",
    () =>
      refuseAsVendor(400, {
        id: 'iLO.2.14.PropertyNotWritableOrUnknown',
        text: 'The property DeliveryRetryPolicy is a read-only property, or is not in the list of valid properties for the resource.',
        args: ['DeliveryRetryPolicy'],
      }),
  ),
  unknownProperty('refuses-context', 'Context', 'MessageArgs'),
  unknownProperty('refuses-event-types', 'EventTypes', 'MessageArgs'),
  unknownProperty('refuses-protocol', 'Protocol', 'RelatedProperties'),
  onePerDestination('one-per-destination-ilo', 'ResourceAlreadyExists (iLO)', (destination) =>
    refuse('ResourceAlreadyExists', 'EventDestination', 'Destination', destination),
  ),
  onePerDestination(
    'one-per-destination-idrac',
    'PropertyValueModified naming the destination (iDRAC)',
    (destination) =>
      refuseAsVendor(400, {
        id: 'Base.1.12.PropertyValueModified',
        text: `The property Destination was assigned the value ${destination} due to modification by the service.`,
        args: ['Destination', destination],
        relatedProperties: ['#/Destination'],
        resolution: 'No resolution is required.',
      }),
  ),
];

function created(
  name: string,
  description: string,
  change: (response: RedfishResponse, bmc: BmcState) => RedfishResponse,
): Quirk {
  return {
    name,
    description,
    handle: (request, bmc, next) => {
      const response = next(request);
      return response.status === 201 && isSubscribe(request, bmc) ? change(response, bmc) : response;
    },
  };
}

/** Makes a quirk whose BMC sends a Location of another form, and no body. */
function createdAt(form: string, what: string, change: (location: string) => string): Quirk {
  return created(
    `create-location-${form}`,
    `a new subscription gets 201 with a Location that is ${what}, and no body`,
    (response) => ({
      status: 201,
      headers: { Location: change(response.headers.Location ?? '') },
      body: null,
    }),
  );
}

function refusesProperty(name: string, property: string, description: string, refusal: () => RedfishResponse): Quirk {
  return {
    name,
    description,
    handle: (request, bmc, next) =>
      isSubscribe(request, bmc) && property in objectIn(request) ? refusal() : next(request),
  };
}

/** `namedIn`: the only part of the message that names the property. */
function unknownProperty(name: string, property: string, namedIn: 'MessageArgs' | 'RelatedProperties'): Quirk {
  const description = `a subscription with ${property} is refused as PropertyUnknown, named in ${namedIn} only`;
  const [subject, naming] =
    namedIn === 'MessageArgs'
      ? [`The property ${property}`, { args: [property] }]
      : ['A property', { relatedProperties: [`#/${property}`] }];
  return refusesProperty(name, property, description, () =>
    refuseAsVendor(400, {
      id: 'Base.1.8.PropertyUnknown',
      text: `${subject} is not in the list of valid properties for the resource.`,
      ...naming,
    }),
  );
}

function onePerDestination(name: string, message: string, refusal: (destination: string) => RedfishResponse): Quirk {
  return {
    name,
    description: `a second subscription to the same destination gets 400 ${message}`,
    handle: (request, bmc, next) => {
      const { Destination: destination } = objectIn(request);
      const taken = subscriptionPaths(bmc).map((path) => bmc.documents.get(path)?.Destination);
      return isSubscribe(request, bmc) && typeof destination === 'string' && taken.includes(destination)
        ? refusal(destination)
        : next(request);
    },
  };
}
