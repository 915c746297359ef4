import type { Json, JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import { memberPaths } from './blueprint.ts';
import type { Answer, BmcState, RedfishRequest } from './bmc.ts';
import type { RedfishDocument } from './documents.ts';
import { memberPath } from './documents.ts';
import type { Complaint } from './messages.ts';
import { refuseAll, shown } from './messages.ts';
import { lastSegment } from './path.ts';
import { documentAnswer, noContent, readObject } from './response.ts';

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

/** EventDestination's `EventTypes` (DSP0268), for an event service that does not say which it has. */
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

/** What may be given when a subscription is made (DSP0268, EventDestination), and of which type. */
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

/**
 * POST to the collection of subscriptions: 201 with Location and document. A second subscription to the same
 * destination is taken, as Redfish does not forbid it.
 */
export function subscribe(request: RedfishRequest, bmc: BmcState): Answer {
  const read = readObject(request);
  if ('refusal' in read) return read.refusal;
  const complaints = complaintsAbout(read.object, eventTypes(bmc));
  if (complaints.length > 0) return refuseAll(complaints);

  const id = nextId(request.path, bmc);
  const path = `${request.path}/${id}`;
  bmc.documents.addMember(path, subscriptionDocument(path, id, read.object));
  return documentAnswer(bmc.documents.get(path) as RedfishDocument, 201, { Location: path });
}

/** DELETE of a subscription. */
export function unsubscribe(request: RedfishRequest, bmc: BmcState): Answer {
  bmc.documents.removeMember(request.path);
  return noContent();
}

function subscriptionDocument(path: string, id: string, given: JsonObject): RedfishDocument {
  return {
    '@odata.id': path,
    '@odata.type': '#EventDestination.v1_13_0.EventDestination',
    Id: id,
    Name: `EventSubscription ${id}`,
    Context: '',
    Protocol: 'Redfish',
    ...given,
    // They hold secrets: the schema has them null in every answer.
    HttpHeaders: null,
  };
}

function complaintsAbout(given: JsonObject, allowedTypes: string[]): Complaint[] {
  const complaints: Complaint[] = [];
  if (!('Destination' in given)) complaints.push(complaint('PropertyMissing', 'Destination'));
  for (const [property, value] of Object.entries(given)) {
    const check = PROPERTIES.get(property);
    if (!check) complaints.push(complaint('PropertyUnknown', property));
    else if (!check(value)) complaints.push(complaint('PropertyValueTypeError', property, value));
    else if (property === 'Destination' && !isUri(String(value))) {
      complaints.push(complaint('PropertyValueFormatError', property, value));
    } else if (property === 'Protocol' && !PROTOCOLS.includes(String(value))) {
      complaints.push(complaint('PropertyValueNotInList', property, value));
    } else if (property === 'EventTypes' && Array.isArray(value)) {
      const unknown = value.find((type) => !allowedTypes.includes(String(type)));
      if (unknown !== undefined) complaints.push(complaint('PropertyValueNotInList', property, unknown));
    }
  }
  return complaints;
}

/** Messages about a value name it first and the property second; the others name the property alone. */
function complaint(name: Complaint['name'], property: string, value?: Json): Complaint {
  // A header's value may be a token, however ill-formed.
  const text = value === undefined ? undefined : property === 'HttpHeaders' ? '******' : shown(value);
  return { name, args: text === undefined ? [property] : [text, property], property };
}

function isUri(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(text) && URL.canParse(text);
}

function eventTypes(bmc: BmcState): string[] {
  const { eventService } = bmc.blueprint;
  const listed = eventService ? bmc.documents.get(eventService)?.EventTypesForSubscription : undefined;
  return Array.isArray(listed) ? listed.map(String) : EVENT_TYPES;
}

/** One more than the highest number that any subscription has had, among the captured ones too. */
function nextId(collection: string, bmc: BmcState): string {
  const present = bmc.documents.get(collection)?.Members;
  const paths = [
    ...memberPaths(bmc.blueprint.documents, collection),
    ...(Array.isArray(present) ? present.map(memberPath) : []),
  ];
  const numbers = paths.map((path) => Number(path && lastSegment(path))).filter(Number.isSafeInteger);
  bmc.lastSubscriptionId = Math.max(bmc.lastSubscriptionId, 0, ...numbers) + 1;
  return String(bmc.lastSubscriptionId);
}
