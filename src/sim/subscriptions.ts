import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import { MASK } from '../core/secrets.ts';
import type { BmcState, RedfishRequest, RedfishResponse } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { lastSegment, memberPaths } from './documents.ts';
import { streamFilters } from './events/filters.ts';
import type { Message } from './messages.ts';
import { asArgument, refuse, refuseAll } from './messages.ts';
import { patchDocument } from './patch.ts';
import { documentResponse, noContent, readObject } from './response.ts';

/** EventDestination's `Protocol` (DSP0268). */
const PROTOCOLS = [
  'Redfish',
  'Kafka',
  'SNMPv1',
  'SNMPv2c',
  'SNMPv3',
  'SMTP',
  'SyslogTLS',
  'SyslogTCP',
  'SyslogUDP',
  'SyslogRELP',
  'OEM',
];

/** EventDestination's `EventTypes` (DSP0268), for an event service without EventTypesForSubscription. */
const EVENT_TYPES = [
  'StatusChange',
  'ResourceUpdated',
  'ResourceAdded',
  'ResourceRemoved',
  'Alert',
  'MetricReport',
  'Other',
];

type Check = (value: Json) => boolean;
const isString: Check = (value) => typeof value === 'string';
const isBoolean: Check = (value) => typeof value === 'boolean';
const isNumber: Check = (value) => typeof value === 'number';
const isStrings: Check = (value) => Array.isArray(value) && value.every(isString);
const isObjects: Check = (value) => Array.isArray(value) && value.every(isJsonObject);

/** The properties of a new subscription and their types (DSP0268, EventDestination). */
const PROPERTIES: ReadonlyMap<string, Check> = new Map([
  ['Context', isString],
  ['DeliveryRetryPolicy', isString],
  ['Destination', isString],
  ['EventFormatType', isString],
  ['EventTypes', isStrings],
  ['ExcludeMessageIds', isStrings],
  ['ExcludeRegistryPrefixes', isStrings],
  ['HeartbeatIntervalMinutes', isNumber],
  ['HttpHeaders', isObjects],
  ['IncludeOriginOfCondition', isBoolean],
  ['MessageIds', isStrings],
  ['MetricReportDefinitions', isObjects],
  ['Name', isString],
  ['Oem', isJsonObject],
  ['OriginResources', isObjects],
  ['Protocol', isString],
  ['RegistryPrefixes', isStrings],
  ['ResourceTypes', isStrings],
  ['SendHeartbeat', isBoolean],
  ['Severities', isStrings],
  ['SubordinateResources', isBoolean],
  ['SubscriptionType', isString],
  ['SyslogFilters', isObjects],
  ['VerifyCertificate', isBoolean],
]);

/** POST to the collection of subscriptions: 201 with Location and document. Redfish allows equal destinations. */
export function subscribe(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  const properties = readObject(request);
  const errors = findErrors(properties, eventTypes(bmc));
  if (errors.length > 0) return refuseAll(errors);

  if (isFull(bmc)) return refuse('EventSubscriptionLimitExceeded');

  const path = addSubscription(bmc, properties);
  bmc.events.subscribed(path, properties.HttpHeaders ?? null);
  return documentResponse(bmc.documents.get(path) as RedfishDocument, 201, { Location: path });
}

/** Adds the document of a subscription. Returns its path. */
export function addSubscription(bmc: BmcState, properties: JsonObject): string {
  const collection = bmc.blueprint.subscriptions ?? '';
  const id = nextId(collection, bmc);
  const path = `${collection}/${id}`;
  bmc.documents.addMember(path, {
    '@odata.id': path,
    '@odata.type': '#EventDestination.v1_13_0.EventDestination',
    Id: id,
    Name: `EventSubscription ${id}`,
    Context: '',
    Protocol: 'Redfish',
    ...properties,
    // Null in every response, because it holds secrets (DSP0268).
    HttpHeaders: null,
  });
  return path;
}

/** PATCH of a subscription. */
export function patchSubscription(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  const response = patchDocument(request, bmc);
  const document = bmc.documents.get(request.path);
  if (response.status >= 300 || !document?.HttpHeaders) return response;
  bmc.events.headersChanged(request.path, document.HttpHeaders);
  bmc.documents.set(request.path, { ...document, HttpHeaders: null });
  return documentResponse(bmc.documents.get(request.path) as RedfishDocument);
}

/** GET of `ServerSentEventUri`: opens a stream, for which a subscription stands (DSP0266, "Server-sent events"). */
export function openStream(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  const { maxStreams, streamCompressed } = bmc.events.habits;
  if (isFull(bmc) || (maxStreams !== null && bmc.events.streams >= maxStreams)) {
    return refuse('EventSubscriptionLimitExceeded');
  }
  const encoding: Record<string, string> = streamCompressed ? { 'Content-Encoding': 'gzip' } : {};
  const head = { status: 200, headers: { 'Content-Type': 'text/event-stream', ...encoding }, body: null };
  if (request.method === 'HEAD') return head;
  const last = request.headers['last-event-id'];
  return { ...head, stream: bmc.events.openStream(streamFilters(request.target), last?.toString()) };
}

function isFull(bmc: BmcState): boolean {
  const { maxSubscriptions } = bmc.events.habits;
  return maxSubscriptions !== null && subscriptionPaths(bmc).length >= maxSubscriptions;
}

/** DELETE of a subscription. */
export function unsubscribe(request: RedfishRequest, bmc: BmcState): RedfishResponse {
  bmc.documents.removeMember(request.path);
  bmc.events.unsubscribed(request.path);
  return noContent();
}

/** Returns the paths of the subscriptions. */
export function subscriptionPaths(bmc: BmcState): string[] {
  return memberPaths(bmc.documents.get(bmc.blueprint.subscriptions ?? ''));
}

function findErrors(properties: JsonObject, allowedTypes: string[]): Message[] {
  const errors: Message[] = [];
  if (!('Destination' in properties)) errors.push(error('PropertyMissing', 'Destination'));
  for (const [property, value] of Object.entries(properties)) {
    const check = PROPERTIES.get(property);
    if (!check) errors.push(error('PropertyUnknown', property));
    else if (!check(value)) errors.push(error('PropertyValueTypeError', property, value));
    else if (property === 'Destination' && !isUri(String(value))) {
      errors.push(error('PropertyValueFormatError', property, value));
    } else if (property === 'Protocol' && !PROTOCOLS.includes(String(value))) {
      errors.push(error('PropertyValueNotInList', property, value));
    } else if (property === 'EventTypes' && Array.isArray(value)) {
      const unknown = value.find((type) => !allowedTypes.includes(String(type)));
      if (unknown !== undefined) errors.push(error('PropertyValueNotInList', property, unknown));
    }
  }
  return errors;
}

/** A message about a value has the value as its first argument and the property as its second. */
function error(name: Message['name'], property: string, value?: Json): Message {
  if (value === undefined) return { name, args: [property], property };
  // An invalid header may still hold a token.
  return { name, args: [property === 'HttpHeaders' ? MASK : asArgument(value), property], property };
}

function isUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text);
}

function eventTypes(bmc: BmcState): string[] {
  const listed = bmc.documents.get(bmc.blueprint.eventService ?? '')?.EventTypesForSubscription;
  return Array.isArray(listed) ? listed.map(String) : EVENT_TYPES;
}

/** Returns the number after the highest that a subscription has had, including those of the profile. */
function nextId(collection: string, bmc: BmcState): string {
  const paths = [...memberPaths(bmc.blueprint.documents.get(collection)), ...subscriptionPaths(bmc)];
  const numbers = paths.map((path) => Number(lastSegment(path))).filter(Number.isSafeInteger);
  bmc.lastSubscriptionId = Math.max(bmc.lastSubscriptionId, 0, ...numbers) + 1;
  return String(bmc.lastSubscriptionId);
}
