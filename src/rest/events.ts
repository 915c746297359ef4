// Hardware events over REST: the same documents as in RPC, in proto3 JSON.
import { eventDocument } from '../contract/event.ts';
import { EVENT_SEVERITIES, type EventSeverity } from '../core/events/event.ts';
import type { EventSelector } from '../core/events/events.ts';
import { type Exchange, enter } from './context.ts';
import { nextLink } from './links.ts';
import { badParameter, booleanParameter, limitParameter, type Query, readQuery, takeRepeated } from './query.ts';
import { sendJson } from './response.ts';

/** Maximum number of events in a page, and without `limit`. */
const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;

/** RFC 3339, whose `+` may have become a space in the query. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+ -]\d{2}:\d{2})$/;

/** The parameters that select events; `node` and `message` may be repeated. */
const FILTERS = ['severity', 'origin', 'raw'];

/** GET /v1/events: newest first. */
export async function listEvents(exchange: Exchange): Promise<void> {
  const { nodes, messages, query } = readEventQuery(exchange, ['since', 'until', 'limit', 'marker']);
  const limit = limitParameter(query, MAX_LIMIT, DEFAULT_LIMIT);
  const before = positionOf(query.get('marker'));
  const times = { since: timeParameter(query, 'since'), until: timeParameter(query, 'until') };
  const request = { ...eventSelector(nodes, messages, query), ...times, limit, before, withRaw: rawParameter(query) };
  const { events, next, cursor } = await enter(exchange).events.list(request);
  // A page may end early, and without events. The part before the position tells nothing here.
  const page = { items: [`next-${next}`], more: next !== null };
  const repeated = [...nodes.map((node) => ['node', node]), ...messages.map((message) => ['message', message])];
  const parameters = [...repeated, ...query] as [string, string][];
  const link = nextLink(exchange, '/v1/events', parameters, limit, page, (marker) => marker);
  sendJson(exchange, 200, { events: events.map(eventDocument), next: link, cursor: cursor ?? undefined });
}

/** Returns the repeated parameters of a list or watch of events, and the others. */
export function readEventQuery({ rawQuery }: Exchange, others: readonly string[]) {
  const { values: nodes, rest } = takeRepeated(rawQuery, 'node');
  const { values: messages, rest: single } = takeRepeated(rest, 'message');
  return { nodes, messages, query: readQuery(single, [...FILTERS, ...others]) };
}

/** Returns what the parameters select. */
export function eventSelector(nodes: readonly string[], messages: readonly string[], query: Query): EventSelector {
  return { nodes, messages, minSeverity: severityParameter(query), origin: query.get('origin') || null };
}

/** Whether the documents have `raw`. */
export function rawParameter(query: Query): boolean {
  return booleanParameter(query, 'raw') ?? false;
}

/** Returns the least severity, as in the document (`EVENT_SEVERITY_WARNING`) or short (`warning`); null when absent. */
function severityParameter(query: Query): EventSeverity | null {
  const text = query.get('severity');
  if (text === undefined) return null;
  const short = text.toLowerCase().replace(/^event_severity_/, '');
  const severity = EVENT_SEVERITIES.find((each) => each === short);
  if (severity !== undefined) return severity;
  throw badParameter('severity', `must be one of ${EVENT_SEVERITIES.join(', ')}`);
}

function timeParameter(query: Query, name: string): Date | null {
  const text = query.get(name);
  if (text === undefined) return null;
  const time = TIME.test(text) ? new Date(text.replace(' ', '+')) : null;
  if (time !== null && !Number.isNaN(time.getTime())) return time;
  throw badParameter(name, 'must be a time such as 2026-11-30T03:45:28Z');
}

/** Returns the position in the id of an event, or in the marker of a `next` link; null when absent. */
function positionOf(marker: string | undefined): number | null {
  if (marker === undefined) return null;
  const [, position] = /^[a-z0-9]{4,16}-(\d{1,15})$/.exec(marker) ?? [];
  if (position !== undefined) return Number(position);
  throw badParameter('marker', 'must be the id of an event');
}
