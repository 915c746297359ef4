import { ConnectError } from '@connectrpc/connect';
import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import type { Job } from '../../../gen/passthru/v1/job_pb.ts';
import { type JobsFilter, liveJobs, olderJobs } from '../live/jobs.ts';
import { useLive } from '../live/useLive.ts';
import { useQueryPart } from '../parts/address.ts';
import { type Column, DataTable, emptyText } from '../parts/DataTable.tsx';
import { useChanges } from '../parts/emitter.ts';
import { ChoiceFilter, TextFilter } from '../parts/Filters.tsx';
import { Message } from '../parts/Message.tsx';
import { orderKey, sortedBy } from '../parts/order.ts';
import { Page } from '../parts/Page.tsx';
import { millis, Since } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { CancelJob } from './CancelJob.tsx';
import { JobChip } from './JobChip.tsx';
import { isOfNode, STATES, stateOf, targetOf, tookOf } from './jobState.ts';
import { Progress } from './Progress.tsx';
import { Took } from './Took.tsx';

const columns = (onProblem: (problem: string | null) => void): readonly Column<Job>[] => [
  {
    id: 'method',
    name: texts.jobs.method,
    width: 'minmax(10rem, 2fr)',
    sortable: true,
    cell: (job) => (
      <Link href={`/jobs/${job.id}`}>
        {job.method}
        <span className="visually-hidden"> {texts.jobs.on(targetOf(job))}</span>
      </Link>
    ),
  },
  {
    id: 'node',
    name: texts.jobs.node,
    width: 'minmax(8rem, 2fr)',
    sortable: true,
    cell: (job) => (job.nodeUuid === '' ? targetOf(job) : <Link href={`/nodes/${job.nodeUuid}`}>{targetOf(job)}</Link>),
  },
  {
    id: 'state',
    name: texts.jobs.state,
    width: '7rem',
    sortable: true,
    cell: ({ state }) => <JobChip state={state} />,
  },
  {
    id: 'progress',
    name: texts.jobs.progress,
    width: 'minmax(16rem, 3fr)',
    cell: ({ progress }) => <Progress progress={progress} />,
  },
  {
    id: 'caller',
    name: texts.jobs.requestedBy,
    width: 'minmax(6rem, 1fr)',
    sortable: true,
    cell: ({ requestedBy }) => requestedBy,
  },
  {
    id: 'began',
    name: texts.jobs.began,
    width: '7rem',
    sortable: true,
    cell: ({ createTime }) => <Since at={millis(createTime)} />,
  },
  { id: 'took', name: texts.jobs.took, width: '6rem', sortable: true, cell: (job) => <Took job={job} /> },
  {
    id: 'actions',
    name: texts.actions,
    width: '6rem',
    cell: (job) => <CancelJob job={job} onProblem={onProblem} />,
  },
];

/** What the rows are sorted by, by the column's id. An id of a job grows with the time at which it began. */
const KEYS: Readonly<Record<string, (job: Job) => string | number>> = {
  method: ({ method }) => method,
  node: (job) => orderKey(targetOf(job)),
  state: ({ state }) => state,
  caller: ({ requestedBy }) => orderKey(requestedBy),
  began: ({ id }) => id,
  took: (job) => -tookOf(job, Date.now()),
};
const NEWEST_FIRST = '-began';

export function JobsPage() {
  const { items: newest, complete, problem } = useLive(liveJobs);
  useChanges(olderJobs);
  const [node, setNode] = useQueryPart('node');
  const [state, setState] = useQueryPart('state');
  const [method, setMethod] = useQueryPart('method');
  const [sort, setSort] = useQueryPart('sort');
  const [refused, setRefused] = useState<string | null>(null);
  const shownColumns = useMemo(() => columns(setRefused), []);
  const named = [...newest, ...olderJobs.known].find(
    ({ nodeName, nodeUuid }) => node !== '' && (nodeName === node || nodeUuid === node),
  );
  const filter = { node: named?.nodeUuid ?? '', state: stateOf(state) };
  const { jobs: older, isApart } = olderJobs.of(filter);
  const items = useMemo(() => {
    const known = isApart ? new Set() : new Set(newest.map(({ id }) => id));
    // Those that run have been read besides the newest.
    return [...(isApart ? [] : newest), ...older.filter(({ id }) => !known.has(id))];
  }, [newest, older, isApart]);
  const methods = useMemo(() => [...new Set(items.map((job) => job.method))].sort(), [items]);
  const rows = useMemo(() => {
    const wanted = stateOf(state);
    const selected = items.filter(
      (job) =>
        (node === '' || isOfNode(job, node.trim().toLowerCase())) &&
        (method === '' || job.method === method) &&
        (wanted === 0 || job.state === wanted),
    );
    const order = KEYS[sort.replace(/^-/, '')] === undefined ? NEWEST_FIRST : sort;
    return sortedBy(selected, KEYS[order.replace(/^-/, '')]!, order.startsWith('-'));
  }, [items, node, method, state, sort]);
  return (
    <Page title={texts.jobs.title} fill>
      {(problem !== null || refused !== null) && <Message kind="error">{problem?.rawMessage ?? refused}</Message>}
      <search className="filters">
        <TextFilter label={texts.jobs.node} value={node} onChange={setNode} help={texts.jobs.nodeHelp} />
        <ChoiceFilter label={texts.jobs.state} value={state} onChange={setState}>
          {(Object.keys(STATES) as (keyof typeof STATES)[]).map((name) => (
            <option key={name} value={name}>
              {texts.jobs.states[name]}
            </option>
          ))}
        </ChoiceFilter>
        <ChoiceFilter label={texts.jobs.method} value={method} onChange={setMethod}>
          {(method === '' || methods.includes(method) ? methods : [method, ...methods]).map((name) => (
            <option key={name}>{name}</option>
          ))}
        </ChoiceFilter>
        <Older filter={filter} isApart={isApart} />
        <p className="count" role="status">
          {isApart ? texts.jobs.apart(rows.length) : texts.jobs.count(rows.length, items.length, complete)}
        </p>
      </search>
      <DataTable
        label={texts.jobs.title}
        rows={rows}
        columns={shownColumns}
        keyOf={({ id }) => id}
        sort={sort}
        onSort={setSort}
        empty={emptyText(complete, items.length === 0 ? texts.jobs.none : texts.jobs.noMatch)}
      />
    </Page>
  );
}

/** Reads older jobs than the newest when asked to; those of a node or a state by themselves, since there may be very many. */
function Older({ filter, isApart }: { filter: JobsFilter; isApart: boolean }) {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  const read = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await olderJobs.read(filter);
    } catch (thrown) {
      setFailure(ConnectError.from(thrown).rawMessage);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      {isApart && (
        <button type="button" onClick={() => olderJobs.forget()}>
          {texts.jobs.newest}
        </button>
      )}
      {olderJobs.more(filter) && (
        <button type="button" aria-disabled={busy || undefined} onClick={() => void (busy || read())}>
          {texts.jobs.older}
        </button>
      )}
      {failure !== null && <Message kind="error">{failure}</Message>}
    </>
  );
}
