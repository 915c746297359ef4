import type { Json, JsonObject } from '../../core/json.ts';
import type { BmcState, Quirk } from '../bmc.ts';
import type { RedfishDocument } from '../documents.ts';
import { without } from '../documents.ts';
import { holdsEvents } from './eventRecords.ts';

/** The documents of events that a BMC keeps to be read; the oldest are removed first. */
const KEPT = 500;

/** In what events are sent. */
export const eventBodyQuirks: Quirk[] = [
  {
    name: 'event-body-single',
    description: 'an event is sent as a record, without Events around it',
    changeEnvelope: (body) =>
      holdsEvents(body) && body.Events.length === 1
        ? { '@odata.type': '#Event.v1_7_0.EventRecord', ...body.Events[0], Context: body.Context ?? '' }
        : body,
  },
  {
    name: 'event-body-alerts',
    description: 'the list of events is called Alerts (older firmware)',
    changeEnvelope: (body) => {
      if (!holdsEvents(body)) return body;
      const { Events: events, ...others } = body;
      return { ...others, Alerts: events };
    },
  },
  {
    name: 'event-body-link',
    description: 'an event is sent as a link to it; the document is at the BMC',
    changeEnvelope: (body, bmc) => {
      if (!holdsEvents(body)) return body;
      const path = keep(bmc, `${bmc.blueprint.eventService}/Events/${body.Id}`, body);
      return { '@odata.id': path, Context: body.Context ?? '' };
    },
  },
  {
    name: 'event-record-link',
    description: 'Events holds links to log entries; the documents are at the BMC',
    changeEnvelope: (body, bmc) => {
      if (!holdsEvents(body)) return body;
      const links = body.Events.map((event, index): JsonObject => {
        const path = `${bmc.blueprint.eventService}/Entries/${body.Id}-${index}`;
        return { '@odata.id': keep(bmc, path, entryOf(event, `${body.Id}-${index}`)) };
      });
      return { ...body, Events: links };
    },
  },
  {
    name: 'event-body-indented',
    description: 'the body of an event is indented, so that one on a stream has many lines (bmcweb)',
    events: { indent: 2 },
  },
  envelope('event-context-missing', 'an event is sent without Context', (body) => without(body, 'Context')),
  envelope('event-context-in-record', 'Context is in each record, and not around them (bmcweb)', (body) => ({
    ...without(body, 'Context'),
    Events: body.Events.map((event) => ({ ...event, Context: body.Context ?? '' })),
  })),
  envelope('event-body-bare', 'the body of events has no Id, Name and type', (body) =>
    without(body, 'Id', 'Name', '@odata.type'),
  ),
];

function envelope(
  name: string,
  description: string,
  change: (body: JsonObject & { Events: JsonObject[] }) => JsonObject,
): Quirk {
  return { name, description, changeEnvelope: (body: Json) => (holdsEvents(body) ? change(body) : body) };
}

/** Returns an event as the entry of a log (DSP0268, LogEntry). */
function entryOf(event: JsonObject, id: string): RedfishDocument {
  const { OriginOfCondition: origin, EventTimestamp: time = null, MemberId: _, ...others } = event;
  return {
    '@odata.type': '#LogEntry.v1_15_0.LogEntry',
    Id: id,
    Name: `Log Entry ${id}`,
    EntryType: 'Event',
    Created: time,
    EventTimestamp: time,
    ...others,
    Links: origin === undefined ? {} : { OriginOfCondition: origin },
  };
}

const kept = new WeakMap<BmcState, Set<string>>();

/** Stores a document that a client is to fetch. Returns its path. */
function keep(bmc: BmcState, path: string, document: JsonObject | RedfishDocument): string {
  const paths = kept.get(bmc) ?? new Set();
  kept.set(bmc, paths);
  paths.add(path);
  bmc.documents.set(path, { '@odata.id': path, ...document });
  const [oldest] = paths;
  if (paths.size > KEPT && oldest !== undefined) {
    paths.delete(oldest);
    bmc.documents.removeMember(oldest);
  }
  return path;
}
