import { useMemo } from 'react';
import { Link } from 'wouter';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { lastJobs } from '../live/jobs.ts';
import { liveNodes } from '../live/nodes.ts';
import { useLive } from '../live/useLive.ts';
import { useQueryPart } from '../parts/address.ts';
import { type Column, DataTable, emptyText } from '../parts/DataTable.tsx';
import { ChoiceFilter } from '../parts/Filters.tsx';
import { Message } from '../parts/Message.tsx';
import { orderKey, sortedBy } from '../parts/order.ts';
import { Page } from '../parts/Page.tsx';
import { millis, Since } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { LockChip } from './LockChip.tsx';
import { EnrolButton } from './NodeActions.tsx';
import { firmwareOf, isIn, matches, nodeTitle, STATES, titleKey, vendorOf } from './nodeState.ts';
import { Outcome } from './Outcome.tsx';

const COLUMNS: readonly Column<Node>[] = [
  {
    id: 'name',
    name: texts.nodes.name,
    width: 'minmax(10rem, 2fr)',
    sortable: true,
    cell: (node) => <Link href={`/nodes/${node.uuid}`}>{nodeTitle(node)}</Link>,
  },
  {
    id: 'driver',
    name: texts.nodes.driver,
    width: 'minmax(7rem, 1fr)',
    sortable: true,
    cell: ({ driver }) => driver,
  },
  {
    id: 'vendor',
    name: texts.nodes.vendor,
    width: 'minmax(6rem, 1fr)',
    sortable: true,
    cell: (node) => vendorOf(node),
  },
  {
    id: 'lock',
    name: texts.nodes.lock,
    width: 'minmax(14rem, 3fr)',
    sortable: true,
    cell: ({ reservation }) => <LockChip reservation={reservation} />,
  },
  {
    id: 'outcome',
    name: texts.nodes.lastOutcome,
    width: 'minmax(10rem, 2fr)',
    cell: (node) => <Outcome node={node} />,
  },
  {
    id: 'changed',
    name: texts.nodes.changed,
    width: 'minmax(6rem, 1fr)',
    sortable: true,
    cell: ({ updateTime, createTime }) => <Since at={millis(updateTime ?? createTime)} />,
  },
];

/** What the rows are sorted by, by the column's id. */
const KEYS: Readonly<Record<string, (node: Node) => string | number>> = {
  name: titleKey,
  driver: (node) => orderKey(node.driver),
  vendor: (node) => orderKey(vendorOf(node)),
  // The longest held first; free nodes last.
  lock: ({ reservation }) => millis(reservation?.since) ?? Number.MAX_SAFE_INTEGER,
  changed: ({ updateTime, createTime }) => -(millis(updateTime ?? createTime) ?? 0),
};

export function NodesPage() {
  const nodes = useLive(liveNodes);
  useLive(lastJobs);
  const [search, setSearch] = useQueryPart('q');
  const [driver, setDriver] = useQueryPart('driver');
  const [state, setState] = useQueryPart('state');
  const [vendor, setVendor] = useQueryPart('vendor');
  const [firmware, setFirmware] = useQueryPart('firmware');
  const [sort, setSort] = useQueryPart('sort');
  const { items, complete, problem } = nodes;
  const drivers = useMemo(() => valuesOf(items, (node) => node.driver), [items]);
  const versions = useMemo(() => valuesOf(items, firmwareOf), [items]);
  const rows = useMemo(() => {
    const words = search
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    const selected = items.filter(
      (node) =>
        (driver === '' || node.driver === driver) &&
        (vendor === '' || vendorOf(node) === vendor) &&
        (firmware === '' || firmwareOf(node) === firmware) &&
        (state === '' || isIn(node, state)) &&
        (words.length === 0 || matches(node, words)),
    );
    const key = KEYS[sort.replace(/^-/, '')];
    return key === undefined ? selected : sortedBy(selected, key, sort.startsWith('-'));
  }, [items, search, driver, vendor, firmware, state, sort]);
  return (
    <Page title={texts.nodes.title} actions={<EnrolButton />} fill>
      {problem !== null && <Message kind="error">{problem.rawMessage}</Message>}
      <search className="filters">
        <div className="field">
          <label htmlFor="search">{texts.search}</label>
          <input
            id="search"
            type="search"
            value={search}
            placeholder={texts.nodes.searchHelp}
            spellCheck={false}
            onChange={(event) => setSearch(event.target.value)}
          />
        </div>
        <ChoiceFilter label={texts.nodes.driver} value={driver} onChange={setDriver}>
          <Options values={drivers} chosen={driver} />
        </ChoiceFilter>
        <ChoiceFilter label={texts.nodes.firmware} value={firmware} onChange={setFirmware}>
          <Options values={versions} chosen={firmware} />
        </ChoiceFilter>
        <ChoiceFilter label={texts.nodes.state} value={state} onChange={setState}>
          {STATES.map((name) => (
            <option key={name} value={name}>
              {texts.nodes.states[name]}
            </option>
          ))}
        </ChoiceFilter>
        {vendor !== '' && (
          <button type="button" onClick={() => setVendor('')}>
            {texts.nodes.onlyVendor(vendor)}
          </button>
        )}
        <p className="count" role="status">
          {texts.nodes.count(rows.length, items.length, complete)}
        </p>
      </search>
      <DataTable
        label={texts.nodes.title}
        rows={rows}
        columns={COLUMNS}
        keyOf={({ uuid }) => uuid}
        sort={sort}
        onSort={setSort}
        empty={emptyText(complete, items.length === 0 ? texts.nodes.none : texts.nodes.noMatch)}
      />
    </Page>
  );
}

/** Returns the distinct values that nodes have, sorted as people count. */
function valuesOf(nodes: readonly Node[], textOf: (node: Node) => string): string[] {
  const values = new Set(nodes.map(textOf));
  values.delete('');
  return sortedBy([...values], orderKey, false);
}

/** The values that a filter offers, and the one that the address names, whether or not a node has it. */
function Options({ values, chosen }: { values: readonly string[]; chosen: string }) {
  const all = chosen === '' || values.includes(chosen) ? values : [chosen, ...values];
  return all.map((value) => <option key={value}>{value}</option>);
}
