// The overview: what nodes there are, and what has happened in the last hour.
import { useEffect, useMemo } from 'react';
import { Link } from 'wouter';
import { type Job, JobState } from '../../../gen/passthru/v1/job_pb.ts';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { liveJobs, olderJobs } from '../live/jobs.ts';
import { liveNodes } from '../live/nodes.ts';
import { useLive } from '../live/useLive.ts';
import { isIn, STATES, vendorOf } from '../nodes/nodeState.ts';
import { useChanges } from '../parts/emitter.ts';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { clockTime, millis, useNow } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { Chart } from './Chart.tsx';
import { type Measurement, measurements } from './measurements.ts';

const MINUTES = 60;
const MINUTE = 60_000;
const NO_FILTER = { node: '', state: JobState.UNSPECIFIED };

export function OverviewPage() {
  return (
    <Page title={texts.overview.title}>
      <Nodes />
      <h2>{texts.overview.lastHour}</h2>
      <div className="charts">
        <Jobs />
        <Measured />
      </div>
    </Page>
  );
}

function Nodes() {
  const { items, complete, problem } = useLive(liveNodes);
  if (problem !== null) return <Message kind="error">{problem.rawMessage}</Message>;
  return (
    <section>
      <h2>{texts.nodes.count(items.length, items.length, complete)}</h2>
      <div className="charts">
        <Groups
          title={texts.nodes.state}
          all={items.length}
          groups={STATES.map((state) => ({
            name: texts.nodes.states[state],
            count: items.filter((node) => isIn(node, state)).length,
            link: `/nodes?state=${state}`,
          }))}
        />
        <Groups
          title={texts.nodes.driver}
          all={items.length}
          groups={grouped(items, ({ driver }) => driver, 'driver')}
        />
        <Groups title={texts.nodes.vendor} all={items.length} groups={grouped(items, vendorOf, 'vendor')} />
        <Groups title={texts.overview.firmware} all={items.length} groups={grouped(items, firmwareOf, null)} />
      </div>
    </section>
  );
}

interface Group {
  name: string;
  count: number;
  /** Shows these nodes; null when no filter selects them. */
  link: string | null;
}

/** How many groups are shown: the largest. */
const MOST_GROUPS = 12;

function grouped(nodes: readonly Node[], keyOf: (node: Node) => string, filter: string | null): Group[] {
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const key = keyOf(node);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  // The largest first, and at last those of which nothing is known.
  return [...counts]
    .sort(([a, some], [b, others]) => others - some || (b === '' || (a !== '' && a < b) ? -1 : 1))
    .map(([key, count]) => ({
      name: key || texts.overview.notEntered,
      count,
      link: filter === null || key === '' ? null : `/nodes?${filter}=${encodeURIComponent(key)}`,
    }));
}

/** Returns the version that the operator has entered, as `discover` reports it. */
function firmwareOf({ properties }: Node): string {
  const firmware = properties?.firmware;
  return typeof firmware === 'string' ? firmware : '';
}

function Groups({ title, all, groups }: { title: string; all: number; groups: readonly Group[] }) {
  const rest = groups.slice(MOST_GROUPS).reduce((sum, { count }) => sum + count, 0);
  const shown = groups.slice(0, MOST_GROUPS);
  if (rest > 0) shown.push({ name: texts.overview.others(groups.length - MOST_GROUPS), count: rest, link: null });
  return (
    <section className="groups" aria-label={title}>
      <h3>{title}</h3>
      <ul>
        {shown.map(({ name, count, link }) => (
          <li key={name}>
            {link === null ? <span>{name}</span> : <Link href={link}>{name}</Link>}
            <span className="number">{texts.count(count)}</span>
            <span className="share" style={{ width: `${all === 0 ? 0 : (100 * count) / all}%` }} aria-hidden="true" />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Asynchronous calls of the last hour: the service keeps them as jobs, so that they are known at once. */
function Jobs() {
  const { items, complete } = useLive(liveJobs);
  useChanges(olderJobs);
  const minute = Math.floor(useNow() / MINUTE);
  const { times, began, failed } = useMemo(() => perMinute(items, minute), [items, minute]);
  // Only the newest are read, so that many may not reach back an hour.
  const first = olderJobs.more(NO_FILTER) ? oldest(items) : null;
  const reaches = first === null || first <= (minute - MINUTES) * MINUTE;
  return (
    <Chart
      title={texts.overview.jobs}
      times={times}
      series={[
        { name: texts.overview.began, colour: '--accent', values: began, text: inAll(began, complete) },
        { name: texts.overview.failed, colour: '--bad', values: failed, text: inAll(failed, complete) },
      ]}
      source={reaches ? texts.overview.fromJobs : texts.overview.fromNewestJobs(clockTime(first))}
    />
  );
}

/** Counts the jobs that began and failed in each minute before `minute`, and in it so far. */
function perMinute(jobs: readonly Job[], minute: number) {
  const from = minute - MINUTES + 1;
  const began = new Array<number>(MINUTES).fill(0);
  const failed = new Array<number>(MINUTES).fill(0);
  const count = (counts: number[], at: number | null) => {
    const index = Math.floor((at ?? 0) / MINUTE) - from;
    if (index >= 0 && index < MINUTES) counts[index]!++;
  };
  for (const { createTime, endTime, state } of jobs) {
    count(began, millis(createTime));
    if (state === JobState.FAILED) count(failed, millis(endTime));
  }
  return { times: began.map((_, index) => (from + index) * 60), began, failed };
}

function oldest(jobs: readonly Job[]): number | null {
  // The running ones were read besides the newest, however old they are.
  const ended = jobs.filter(({ state }) => state !== JobState.RUNNING).map(({ createTime }) => millis(createTime) ?? 0);
  return ended.length === 0 ? null : ended.reduce((least, time) => Math.min(least, time));
}

/** What the contract keeps no record of: it is measured while the page is open. */
function Measured() {
  useChanges(measurements);
  useEffect(() => measurements.start(), []);
  const { items, began, refused } = measurements;
  const times = items.map(({ at }) => at);
  const line = (
    name: string,
    colour: string,
    key: Exclude<keyof Measurement, 'at'>,
    unit: (value: string) => string,
  ) => {
    const values = items.map((item) => item[key]);
    return { name, colour, values, text: last(values, unit) };
  };
  const since = texts.overview.measured(clockTime(began || Date.now()));
  const source = refused === null ? `${texts.overview.fromMetrics} ${since}` : texts.overview.noMetrics(refused);
  return (
    <>
      <Chart
        title={texts.overview.calls}
        times={times}
        series={[
          line(texts.overview.allCalls, '--accent', 'calls', texts.overview.perMinute),
          line(texts.overview.failed, '--bad', 'failures', texts.overview.perMinute),
        ]}
        source={source}
      />
      <Chart
        title={texts.locks.title}
        times={times}
        series={[
          line(texts.overview.locked, '--accent', 'locked', texts.overview.plain),
          line(texts.overview.conflicts, '--bad', 'lockConflicts', texts.overview.perMinute),
        ]}
        source={refused === null ? source : `${since} ${source}`}
      />
      <Chart
        title={texts.overview.latency}
        times={times}
        series={[
          line(texts.overview.mean, '--accent', 'bmcMean', texts.overview.ms),
          line(texts.overview.most, '--warn', 'bmcMost', texts.overview.ms),
        ]}
        source={source}
      />
    </>
  );
}

function inAll(counts: readonly number[], complete: boolean): string {
  return complete ? texts.overview.inAll(counts.reduce((sum, count) => sum + count, 0)) : texts.loading;
}

/** Returns the last value that is known, in words. */
function last(values: readonly (number | null)[], unit: (value: string) => string): string {
  const value = values.findLast((known) => known !== null);
  return value === undefined || value === null ? texts.overview.none : unit(texts.overview.value(value));
}
