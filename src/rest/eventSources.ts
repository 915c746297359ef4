// Event sources over REST: the same documents as in RPC, in proto3 JSON.
import { toJson } from '@bufbuild/protobuf';
import { EventSourceSchema } from '../../gen/passthru/v1/event_pb.ts';
import { eventSourceToMessage } from '../contract/eventSource.ts';
import { invalidArgument } from '../core/errors.ts';
import { EVENT_SEVERITIES, type EventSeverity } from '../core/events/event.ts';
import {
  EVENT_SOURCE_STATES,
  EVENT_TRANSPORTS,
  type EventSelection,
  type EventSource,
  type EventTransport,
} from '../core/events/eventSource.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import { isUuid } from '../core/node.ts';
import { parseObjectBody } from './body.ts';
import { clientSignal, type Exchange, enter, enterNode } from './context.ts';
import { nextLink } from './links.ts';
import { badParameter, limitParameter, readQuery } from './query.ts';
import { sendEmpty, sendJson } from './response.ts';

/** Maximum number of sources in a page, and without `limit`. */
const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;

/** The length to which a wrong value is cut in an error. */
const MAX_SHOWN = 100;

/** GET /v1/event_sources: in the order of creation. */
export async function listEventSources(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, ['state', 'driver', 'limit', 'marker']);
  const limit = limitParameter(query, MAX_LIMIT, DEFAULT_LIMIT);
  const marker = query.get('marker') ?? null;
  if (marker !== null && !isUuid(marker)) throw badParameter('marker', 'must be the UUID of a node');
  const state = oneOf('state', query.get('state'), EVENT_SOURCE_STATES, 'EVENT_SOURCE_STATE_');
  const after = marker?.toLowerCase() ?? null;
  const driver = query.get('driver') ?? null;
  const { sources, next } = await enter(exchange).eventSources.list({ limit, after, state, driver });
  const page = { items: sources, more: next !== null };
  const link = nextLink(exchange, '/v1/event_sources', query, limit, page, ({ nodeUuid }) => nodeUuid);
  sendJson(exchange, 200, { event_sources: sources.map(sourceDocument), next: link });
}

/** GET /v1/nodes/N/event_source */
export async function showEventSource(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  sendJson(exchange, 200, sourceDocument(await core.eventSources.get(ident)));
}

/** PUT /v1/nodes/N/event_source: creates or changes the source */
export async function setEventSource(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { transport = null, selection = null, ...others } = parseObjectBody(exchange.body);
  refuseMembers('', others);
  const wish = {
    transport: oneOf<EventTransport>('transport', transport, EVENT_TRANSPORTS, 'EVENT_TRANSPORT_'),
    selection: readSelection(selection),
  };
  const { core, ident } = enterNode(exchange);
  sendJson(exchange, 200, sourceDocument(await core.eventSources.set(ident, wish, exchange.caller)));
}

/** DELETE /v1/nodes/N/event_source: its subscription is removed from the BMC after the response */
export async function deleteEventSource(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  await core.eventSources.delete(ident, exchange.caller);
  sendEmpty(exchange, 204);
}

/** POST /v1/nodes/N/event_source/test: waits until a test event has arrived */
export async function testEventSource(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { core, ident } = enterNode(exchange);
  const source = await core.eventSources.test(ident, exchange.caller, clientSignal(exchange));
  sendJson(exchange, 200, sourceDocument(source));
}

function sourceDocument(source: EventSource) {
  const options = { useProtoFieldName: true, alwaysEmitImplicit: true };
  return toJson(EventSourceSchema, eventSourceToMessage(source), options);
}

function readSelection(selection: Json): EventSelection {
  if (selection !== null && !isJsonObject(selection)) throw badMember('selection', 'must be an object');
  const { registry_prefixes, message_ids, resource_types, severities, ...others } = selection ?? {};
  refuseMembers('selection.', others);
  return {
    registryPrefixes: texts('selection.registry_prefixes', registry_prefixes),
    messageIds: texts('selection.message_ids', message_ids),
    resourceTypes: texts('selection.resource_types', resource_types),
    severities: texts('selection.severities', severities).map(
      (text) => oneOf<EventSeverity>('selection.severities', text, EVENT_SEVERITIES, 'EVENT_SEVERITY_')!,
    ),
  };
}

function texts(field: string, list: Json | undefined): string[] {
  if (list === undefined || list === null) return [];
  if (Array.isArray(list) && list.every((item) => typeof item === 'string')) return list;
  throw badMember(field, 'must be a list of strings');
}

/** Returns a name, as in the document (`EVENT_TRANSPORT_PUSH`) or short (`push`); null when absent. */
function oneOf<T extends string>(
  field: string,
  value: Json | undefined,
  names: readonly T[],
  prefix: string,
): T | null {
  if (value === undefined || value === null) return null;
  const short = typeof value === 'string' ? value.toUpperCase().replace(prefix, '').toLowerCase() : '';
  const name = names.find((each) => each === short);
  if (name !== undefined) return name;
  throw badMember(field, `must be one of ${names.join(', ')}, not ${JSON.stringify(value).slice(0, MAX_SHOWN)}`);
}

function refuseMembers(place: string, others: JsonObject): void {
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw badMember(`${place}${unknown}`, 'is not a member of an event source');
}

function badMember(field: string, description: string) {
  return invalidArgument(field, description, `${field} ${description}`);
}
