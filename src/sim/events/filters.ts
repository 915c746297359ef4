import type { Json, JsonObject } from '../../core/json.ts';
import type { RedfishDocument } from '../documents.ts';
import { documentPath, linkPath } from '../documents.ts';
import { messageIdParts } from './messageTexts.ts';
import type { SimEvent } from './records.ts';

/**
 * Whether a subscription gets an event, by the filters in its document (DSP0268, EventDestination). A filter that is
 * missing or empty selects every event.
 */
export function isWanted(event: SimEvent, subscription: RedfishDocument): boolean {
  const { registry } = messageIdParts(event.messageId);
  return (
    takesEvents(subscription) &&
    allows(subscription.EventTypes, (type) => type === event.type) &&
    allows(subscription.RegistryPrefixes, (prefix) => prefix === registry) &&
    !excludes(subscription.ExcludeRegistryPrefixes, (prefix) => prefix === registry) &&
    allows(subscription.MessageIds, (id) => isMessage(id, event.messageId)) &&
    !excludes(subscription.ExcludeMessageIds, (id) => isMessage(id, event.messageId)) &&
    allows(subscription.Severities, (severity) => severity === event.severity) &&
    allows(subscription.OriginResources, (origin) =>
      isOrigin(origin, event.origin, subscription.SubordinateResources === true),
    )
  );
}

/** Whether a subscription gets metric reports. */
export function takesReports(subscription: RedfishDocument): boolean {
  const { EventFormatType: format, EventTypes: types } = subscription;
  return format === 'MetricReport' || (Array.isArray(types) && types.includes('MetricReport'));
}

function takesEvents({ EventFormatType: format }: RedfishDocument): boolean {
  return format === undefined || format === null || format === 'Event';
}

/** A subscription may name a message with its version, without it, or by its key alone. */
function isMessage(wanted: Json, id: string): boolean {
  const { registry, key } = messageIdParts(id);
  return wanted === id || wanted === `${registry}.${key}` || wanted === key;
}

function isOrigin(wanted: Json, origin: string, withSubordinates: boolean): boolean {
  const path = typeof wanted === 'string' ? documentPath(wanted) : linkPath(wanted);
  return path !== null && (origin === path || (withSubordinates && origin.startsWith(`${path}/`)));
}

function allows(filter: Json | undefined, matches: (value: Json) => boolean): boolean {
  return !Array.isArray(filter) || filter.length === 0 || filter.some(matches);
}

function excludes(filter: Json | undefined, matches: (value: Json) => boolean): boolean {
  return Array.isArray(filter) && filter.some(matches);
}

const FILTER =
  /\b(EventFormatType|EventType|MessageId|OriginResource|RegistryPrefix|ResourceType|Severity) eq '([^']*)'/g;

/** The list of a subscription that a name of `$filter` stands for. */
const LISTS: Record<string, string> = {
  EventType: 'EventTypes',
  MessageId: 'MessageIds',
  OriginResource: 'OriginResources',
  RegistryPrefix: 'RegistryPrefixes',
  ResourceType: 'ResourceTypes',
  Severity: 'Severities',
};

/** Returns the filters of a stream as those of a subscription: `$filter` in the query of its URI (DSP0266, "Server-sent events"). */
export function streamFilters(target: string): JsonObject {
  const filter = new URLSearchParams(target.split('?')[1] ?? '').get('$filter') ?? '';
  const properties: JsonObject = {};
  for (const [, name = '', value = ''] of filter.matchAll(FILTER)) {
    const list = LISTS[name];
    if (list === undefined) properties[name] = value;
    else properties[list] = [...((properties[list] as string[] | undefined) ?? []), value];
  }
  return properties;
}
