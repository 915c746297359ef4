import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import type { Event } from '../../../gen/passthru/v1/event_pb.ts';
import type { Filter } from '../live/events.ts';
import { useQueryPart } from '../parts/address.ts';
import { type Column, DataTable, emptyText } from '../parts/DataTable.tsx';
import { ChoiceFilter, SentFilter } from '../parts/Filters.tsx';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { Clock, millis } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { EventDialog } from './EventDialog.tsx';
import { eventText } from './eventText.ts';
import { SEVERITIES, SeverityChip, severityOf } from './severity.tsx';
import { useEvents } from './useEvents.ts';

const columns = (onOpen: (event: Event) => void): readonly Column<Event>[] => [
  {
    id: 'time',
    name: texts.events.time,
    width: '9rem',
    cell: ({ receiveTime }) => <Clock at={millis(receiveTime) ?? 0} />,
  },
  {
    id: 'severity',
    name: texts.events.severity,
    width: '6rem',
    cell: (event) => <SeverityChip event={event} />,
  },
  {
    id: 'node',
    name: texts.events.node,
    width: 'minmax(7rem, 1fr)',
    cell: ({ nodeUuid, nodeName }) => <Link href={`/nodes/${nodeUuid}`}>{nodeName || nodeUuid}</Link>,
  },
  {
    id: 'message',
    name: texts.events.message,
    width: 'minmax(16rem, 4fr)',
    cell: (event) => (
      <button type="button" className="text" onClick={() => onOpen(event)}>
        {eventText(event)}
      </button>
    ),
  },
  { id: 'id', name: texts.events.messageId, width: 'minmax(10rem, 2fr)', cell: ({ messageId }) => messageId },
  { id: 'origin', name: texts.events.origin, width: 'minmax(10rem, 2fr)', cell: ({ origin }) => origin },
];

export function EventsPage() {
  const [node, setNode] = useQueryPart('node');
  const [severity, setSeverity] = useQueryPart('severity');
  const [message, setMessage] = useQueryPart('message');
  const [origin, setOrigin] = useQueryPart('origin');
  const filter = useMemo<Filter>(
    () => ({ nodes: listed(node), minSeverity: severityOf(severity), messages: listed(message), origin }),
    [node, severity, message, origin],
  );
  const { events, complete, problem, readOlder } = useEvents(filter);
  const [frozen, setFrozen] = useState<{ filter: Filter; events: readonly Event[] } | null>(null);
  const [open, setOpen] = useState<Event | null>(null);
  const shownColumns = useMemo(() => columns(setOpen), []);
  const held = frozen?.filter === filter ? frozen.events : null;
  const shown = held ?? events;
  const isFiltered = [node, severity, message, origin].some((part) => part !== '');
  return (
    <Page title={texts.events.title} fill actions={<Link href="/events/sources">{texts.events.toSources}</Link>}>
      {problem !== null && <Message kind="error">{problem}</Message>}
      <search className="filters">
        <SentFilter label={texts.events.node} value={node} onChange={setNode} help={texts.events.nodeHelp} />
        <ChoiceFilter label={texts.events.severity} value={severity} onChange={setSeverity}>
          {(Object.keys(SEVERITIES) as (keyof typeof SEVERITIES)[]).map((name) => (
            <option key={name} value={name}>
              {texts.events.atLeast[name]}
            </option>
          ))}
        </ChoiceFilter>
        <SentFilter
          label={texts.events.messageFilter}
          value={message}
          onChange={setMessage}
          help={texts.events.messageHelp}
        />
        <SentFilter label={texts.events.origin} value={origin} onChange={setOrigin} help={texts.events.originHelp} />
        <button type="button" onClick={() => setFrozen(held === null ? { filter, events } : null)}>
          {held === null ? texts.events.pause : texts.events.resume}
        </button>
        {held === null && readOlder !== null && (
          <button type="button" onClick={() => void readOlder()}>
            {texts.events.older}
          </button>
        )}
        <p className="count" role="status">
          {held === null ? texts.events.count(shown.length, complete) : texts.events.paused(newer(events, held))}
        </p>
      </search>
      <DataTable
        label={texts.events.title}
        rows={shown}
        columns={shownColumns}
        keyOf={({ id }) => id}
        sort=""
        onSort={() => {}}
        empty={problem === null && emptyText(complete, isFiltered ? texts.events.noMatch : texts.events.none)}
      />
      {open !== null && <EventDialog event={open} onClose={() => setOpen(null)} />}
    </Page>
  );
}

/** Returns the parts of a text between its commas. */
function listed(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Returns how many events came after the first of `held`. */
function newer(events: readonly Event[], [first]: readonly Event[]): number {
  const place = events.findIndex(({ id }) => id === first?.id);
  return place === -1 ? events.length : place;
}
