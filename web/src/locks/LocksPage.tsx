// Locks: which nodes are held, by whom and why, and their release.
import { ConnectError, createClient } from '@connectrpc/connect';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { type Reservation, ReservationKind } from '../../../gen/passthru/v1/error_pb.ts';
import { type Node, NodeService } from '../../../gen/passthru/v1/node_pb.ts';
import { liveNodes } from '../live/nodes.ts';
import { useLive } from '../live/useLive.ts';
import { nodeTitle, titleKey } from '../nodes/nodeState.ts';
import { useQueryPart } from '../parts/address.ts';
import { Confirm } from '../parts/Confirm.tsx';
import { type Column, DataTable, emptyText } from '../parts/DataTable.tsx';
import { useChanges } from '../parts/emitter.ts';
import { TextFilter } from '../parts/Filters.tsx';
import { GuardedButton } from '../parts/GuardedButton.tsx';
import { Message } from '../parts/Message.tsx';
import { orderKey, sortedBy } from '../parts/order.ts';
import { Page } from '../parts/Page.tsx';
import { millis, Since } from '../parts/time.tsx';
import { notOwner, session } from '../session/session.ts';
import { texts } from '../texts.ts';

/** A node that is locked. */
type LockedNode = Node & { reservation: Reservation };

const client = createClient(NodeService, session.transport);

const columns = (onRelease: (node: LockedNode) => void): readonly Column<LockedNode>[] => [
  {
    id: 'node',
    name: texts.locks.node,
    width: 'minmax(8rem, 2fr)',
    sortable: true,
    cell: (node) => <Link href={`/nodes/${node.uuid}`}>{nodeTitle(node)}</Link>,
  },
  {
    id: 'holder',
    name: texts.locks.holder,
    width: 'minmax(8rem, 2fr)',
    sortable: true,
    cell: ({ reservation }) => reservation.holder,
  },
  {
    id: 'caller',
    name: texts.locks.requestedBy,
    width: 'minmax(6rem, 1fr)',
    sortable: true,
    cell: ({ reservation }) => reservation.requestedBy,
  },
  {
    id: 'why',
    name: texts.locks.why,
    width: 'minmax(12rem, 3fr)',
    cell: ({ reservation }) => <Why reservation={reservation} />,
  },
  {
    id: 'since',
    name: texts.locks.heldFor,
    width: '7rem',
    sortable: true,
    cell: ({ reservation }) => <Since at={millis(reservation.since)} />,
  },
  {
    id: 'until',
    name: texts.locks.ends,
    width: 'minmax(8rem, 1fr)',
    sortable: true,
    cell: ({ reservation: { kind, expireTime } }) =>
      expireTime === undefined ? (
        texts.locks.until[kind === ReservationKind.CALL ? 'call' : 'released']
      ) : (
        <span>
          {texts.locks.endsIn}
          <Since at={millis(expireTime)} until />
        </span>
      ),
  },
  { id: 'actions', name: texts.actions, width: '7rem', cell: (node) => <Release node={node} onRelease={onRelease} /> },
];

/** What the rows are sorted by, by the column's id. */
const KEYS: Readonly<Record<string, (node: LockedNode) => string | number>> = {
  node: titleKey,
  holder: ({ reservation }) => orderKey(reservation.holder),
  caller: ({ reservation }) => orderKey(reservation.requestedBy),
  since: ({ reservation }) => millis(reservation.since) ?? 0,
  until: ({ reservation }) => millis(reservation.expireTime) ?? Number.MAX_SAFE_INTEGER,
};
const LONGEST_HELD_FIRST = 'since';

export function LocksPage() {
  const { items, complete, problem } = useLive(liveNodes);
  const [search, setSearch] = useQueryPart('q');
  const [sort, setSort] = useQueryPart('sort');
  const [asked, setAsked] = useState<LockedNode | null>(null);
  const [refused, setRefused] = useState<string | null>(null);
  const shownColumns = useMemo(() => columns(setAsked), []);
  const locked = useMemo(() => items.filter((node): node is LockedNode => node.reservation !== undefined), [items]);
  const rows = useMemo(() => {
    const text = search.trim().toLowerCase();
    const order = KEYS[sort.replace(/^-/, '')] === undefined ? LONGEST_HELD_FIRST : sort;
    const selected = text === '' ? locked : locked.filter((node) => describe(node).includes(text));
    return sortedBy(selected, KEYS[order.replace(/^-/, '')]!, order.startsWith('-'));
  }, [locked, search, sort]);
  const release = async ({ uuid }: LockedNode) => {
    setRefused(null);
    try {
      // The watch tells the release: what it says comes in order, an answer may be overtaken.
      await client.unlockNode({ node: uuid });
    } catch (thrown) {
      setRefused(ConnectError.from(thrown).rawMessage);
    }
  };
  return (
    <Page title={texts.locks.title} fill>
      {(problem !== null || refused !== null) && <Message kind="error">{problem?.rawMessage ?? refused}</Message>}
      <search className="filters">
        <TextFilter label={texts.search} value={search} onChange={setSearch} help={texts.locks.searchHelp} />
        <p className="count" role="status">
          {texts.locks.count(rows.length, locked.length, complete)}
        </p>
      </search>
      <DataTable
        label={texts.locks.title}
        rows={rows}
        columns={shownColumns}
        keyOf={({ uuid }) => uuid}
        sort={sort}
        onSort={setSort}
        empty={emptyText(complete, locked.length === 0 ? texts.locks.none : texts.locks.noMatch)}
      />
      {asked !== null && (
        <Confirm
          question={texts.locks.ask(nodeTitle(asked), asked.reservation.holder)}
          action={texts.locks.release}
          onConfirm={() => void release(asked)}
          onClose={() => setAsked(null)}
        >
          <p>{texts.locks.askHelp}</p>
        </Confirm>
      )}
    </Page>
  );
}

/** What a search looks into, in lower case. */
function describe(node: LockedNode): string {
  const { holder, requestedBy, reason, method } = node.reservation;
  return [nodeTitle(node), node.uuid, holder, requestedBy, reason, method].join('\n').toLowerCase();
}

/** The call that runs under a lock, and the reason that was given for it. */
function Why({ reservation: { method, job, reason } }: { reservation: Reservation }) {
  return (
    <span title={reason}>
      {method !== '' && (job === '' ? method : <Link href={`/jobs/${job}`}>{method}</Link>)}
      {method !== '' && reason !== '' && ' · '}
      {reason}
    </span>
  );
}

function Release({ node, onRelease }: { node: LockedNode; onRelease(node: LockedNode): void }) {
  useChanges(session);
  return (
    <GuardedButton className="danger" reason={whyNot(node)} onClick={() => onRelease(node)}>
      {texts.locks.release}
      <span className="visually-hidden"> {nodeTitle(node)}</span>
    </GuardedButton>
  );
}

/** Returns why the lock of a node cannot be released; null when it can. */
function whyNot({ reservation: { kind, job, requestedBy } }: LockedNode): string | null {
  if (kind === ReservationKind.CALL) return job === '' ? texts.locks.ofCall : texts.locks.ofJob;
  return notOwner(session.state, requestedBy);
}
