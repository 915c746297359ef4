import { ConnectError, createClient } from '@connectrpc/connect';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useMemo } from 'react';
import { Link, useLocation } from 'wouter';
import { EventService, type EventSource } from '../../../gen/passthru/v1/event_pb.ts';
import { useQueryPart } from '../parts/address.ts';
import { type Column, DataTable, emptyText } from '../parts/DataTable.tsx';
import { ChoiceFilter, TextFilter } from '../parts/Filters.tsx';
import { Message } from '../parts/Message.tsx';
import { orderKey, sortedBy } from '../parts/order.ts';
import { Page } from '../parts/Page.tsx';
import { millis, Since } from '../parts/time.tsx';
import { session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { nameOfState, nameOfTransport, SOURCE_STATES, SourceChip, testText } from './sourceState.tsx';

/** Milliseconds between two readings: the contract has no watch of sources. */
const INTERVAL = 5000;
const PAGE_SIZE = 1000;

const client = createClient(EventService, session.transport);

const COLUMNS: readonly Column<EventSource>[] = [
  {
    id: 'node',
    name: texts.sources.node,
    width: 'minmax(8rem, 2fr)',
    sortable: true,
    cell: (source) => <Link href={`/events/sources/${source.nodeUuid}`}>{titleOf(source)}</Link>,
  },
  {
    id: 'state',
    name: texts.sources.state,
    width: '7rem',
    sortable: true,
    cell: ({ state }) => <SourceChip state={state} />,
  },
  {
    id: 'transport',
    name: texts.sources.transport,
    width: '6rem',
    cell: ({ activeTransport }) => texts.sources.inUse[nameOfTransport(activeTransport)],
  },
  {
    id: 'last',
    name: texts.sources.lastEvent,
    width: '8rem',
    sortable: true,
    cell: ({ lastEventTime }) =>
      lastEventTime === undefined ? texts.sources.never : <Since at={millis(lastEventTime)} />,
  },
  {
    id: 'test',
    name: texts.sources.lastTest,
    width: 'minmax(9rem, 2fr)',
    cell: (source) => <span title={source.lastTest?.error}>{testText(source)}</span>,
  },
  {
    id: 'reason',
    name: texts.sources.reason,
    width: 'minmax(12rem, 4fr)',
    cell: ({ reason }) => <span title={reason}>{reason}</span>,
  },
];

/** What the rows are sorted by, by the column's id. */
const KEYS: Readonly<Record<string, (source: EventSource) => string | number>> = {
  node: (source) => orderKey(titleOf(source)),
  state: ({ state }) => state,
  last: ({ lastEventTime }) => -(millis(lastEventTime) ?? 0),
};

export function SourcesPage() {
  const { data, error } = useQuery({ queryKey: ['event sources'], queryFn: readSources, refetchInterval: INTERVAL });
  const [search, setSearch] = useQueryPart('q');
  const [state, setState] = useQueryPart('state');
  const [sort, setSort] = useQueryPart('sort');
  const items = data ?? [];
  const rows = useMemo(() => {
    const text = search.trim().toLowerCase();
    const selected = (data ?? []).filter(
      (source) =>
        (state === '' || nameOfState(source.state) === state) &&
        (text === '' || [titleOf(source), source.nodeUuid, source.reason].join('\n').toLowerCase().includes(text)),
    );
    const key = KEYS[sort.replace(/^-/, '')];
    return key === undefined ? selected : sortedBy(selected, key, sort.startsWith('-'));
  }, [data, search, state, sort]);
  return (
    <Page title={texts.sources.title} fill actions={<Link href="/events">{texts.events.title}</Link>}>
      {error !== null && <Message kind="error">{ConnectError.from(error).rawMessage}</Message>}
      <p className="help">{texts.sources.help}</p>
      <search className="filters">
        <TextFilter label={texts.search} value={search} onChange={setSearch} />
        <ChoiceFilter label={texts.sources.state} value={state} onChange={setState}>
          {(Object.keys(SOURCE_STATES) as (keyof typeof SOURCE_STATES)[]).map((name) => (
            <option key={name} value={name}>
              {texts.sources.states[name]}
            </option>
          ))}
        </ChoiceFilter>
        <OpenNode />
        <p className="count" role="status">
          {texts.sources.count(rows.length, items.length)}
        </p>
      </search>
      <DataTable
        label={texts.sources.title}
        rows={rows}
        columns={COLUMNS}
        keyOf={({ nodeUuid }) => nodeUuid}
        sort={sort}
        onSort={setSort}
        empty={
          error === null &&
          emptyText(data !== undefined, items.length === 0 ? texts.sources.none : texts.sources.noMatch)
        }
      />
    </Page>
  );
}

/** Leads to the source of a node, which may have none yet. */
function OpenNode() {
  const [, navigate] = useLocation();
  const open = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const node = String(new FormData(event.currentTarget).get('node')).trim();
    navigate(`/events/sources/${encodeURIComponent(node)}`);
  };
  return (
    <form className="field" onSubmit={open}>
      <label htmlFor="source-node">{texts.sources.add}</label>
      <span className="choices">
        <input id="source-node" name="node" required placeholder={texts.events.nodeHelp} spellCheck={false} />
        <button type="submit">{texts.sources.open}</button>
      </span>
    </form>
  );
}

function titleOf({ nodeName, nodeUuid }: EventSource): string {
  return nodeName || nodeUuid;
}

async function readSources({ signal }: { signal: AbortSignal }): Promise<EventSource[]> {
  const sources: EventSource[] = [];
  let pageToken = '';
  do {
    const page = await client.listEventSources({ pageSize: PAGE_SIZE, pageToken }, { signal });
    sources.push(...page.sources);
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  return sources;
}
