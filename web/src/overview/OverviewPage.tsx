// The overview: what nodes there are, and what has happened in the last hour.
import { durationMs } from '@bufbuild/protobuf/wkt';
import { useQuery } from '@connectrpc/connect-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { type ActivityMinute, InfoService } from '../../../gen/passthru/v1/info_pb.ts';
import { type Job, JobState } from '../../../gen/passthru/v1/job_pb.ts';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { liveJobs, olderJobs } from '../live/jobs.ts';
import { liveNodes } from '../live/nodes.ts';
import { useLive } from '../live/useLive.ts';
import { firmwareOf, isIn, STATES, vendorOf } from '../nodes/nodeState.ts';
import { useChanges } from '../parts/emitter.ts';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { clockTime, millis, useNow } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { Chart } from './Chart.tsx';

const MINUTES = 60;
const MINUTE = 60_000;

export function OverviewPage() {
  return (
    <Page title={texts.overview.title}>
      <Nodes />
      <h2>{texts.overview.lastHour}</h2>
      <div className="charts">
        <Jobs />
        <Activity />
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
        <Groups title={texts.overview.firmware} all={items.length} groups={grouped(items, firmwareOf, 'firmware')} />
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

function grouped(nodes: readonly Node[], keyOf: (node: Node) => string, filter: string): Group[] {
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
      link: key === '' ? null : `/nodes?${filter}=${encodeURIComponent(key)}`,
    }));
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
  const first = olderJobs.exist ? oldest(items) : null;
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

/** Milliseconds between two readings of the activity, whose last minute is still going on. */
const ACTIVITY_INTERVAL = 10_000;

/** Calls, locks and the latency of BMCs, as the replica that answers has counted them. */
function Activity() {
  const { items, complete } = useLive(liveNodes);
  const { data, error } = useQuery(InfoService.method.getActivity, {}, { refetchInterval: ACTIVITY_INTERVAL });
  if (data === undefined) {
    return error === null ? <p role="status">{texts.loading}</p> : <Message kind="error">{error.rawMessage}</Message>;
  }
  const { host, since, minutes } = data;
  const times = minutes.map(({ startTime }) => (millis(startTime) ?? 0) / 1000);
  const first = millis(since) ?? 0;
  const source = texts.overview.countedBy(host, first > Date.now() - MINUTES * MINUTE ? clockTime(first) : null);
  const total = (name: string, colour: string, key: 'calls' | 'failedCalls' | 'lockConflicts') => {
    const values = minutes.map((minute) => minute[key]);
    return { name, colour, values, text: inAll(values, true) };
  };
  const latency = (name: string, colour: string, key: 'bmcMean' | 'bmcP95') => {
    const values = minutes.map((minute) => milliseconds(minute[key]));
    return { name, colour, values, text: last(values, texts.overview.ms) };
  };
  const locked = complete ? items.filter((node) => isIn(node, 'locked')).length : null;
  const lockedAt = minutes.map(({ lockedNodes }) => lockedNodes ?? null);
  return (
    <>
      <Chart
        title={texts.overview.calls}
        times={times}
        series={[
          total(texts.overview.allCalls, '--accent', 'calls'),
          total(texts.overview.failed, '--bad', 'failedCalls'),
        ]}
        source={source}
      />
      <Chart
        title={texts.locks.title}
        times={times}
        series={[
          {
            name: texts.overview.locked,
            colour: '--accent',
            values: lockedAt,
            text: locked === null ? texts.loading : texts.count(locked),
          },
          total(texts.overview.conflicts, '--bad', 'lockConflicts'),
        ]}
        source={`${source} ${texts.overview.ofAllReplicas}`}
      />
      <Chart
        title={texts.overview.latency}
        times={times}
        series={[latency(texts.overview.mean, '--accent', 'bmcMean'), latency(texts.overview.most, '--warn', 'bmcP95')]}
        source={source}
      />
    </>
  );
}

function milliseconds(duration: ActivityMinute['bmcMean']): number | null {
  return duration === undefined ? null : durationMs(duration);
}

function inAll(counts: readonly number[], complete: boolean): string {
  return complete ? texts.overview.inAll(counts.reduce((sum, count) => sum + count, 0)) : texts.loading;
}

/** Returns the last value that is known, in words. */
function last(values: readonly (number | null)[], unit: (value: string) => string): string {
  const value = values.findLast((known) => known !== null);
  return value === undefined || value === null ? texts.overview.none : unit(texts.overview.value(value));
}
