import { setTimeout as delay } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Event, WatchEventsRequestSchema } from '../../gen/passthru/v1/event_pb.ts';
import type { Job, JobState } from '../../gen/passthru/v1/job_pb.ts';
import type { Node } from '../../gen/passthru/v1/node_pb.ts';
import { WatchMarker } from '../../gen/passthru/v1/watch_pb.ts';
import type { Json } from '../core/json.ts';
import { visible, visibleJson } from '../process/terminalText.ts';
import type { Connection } from './connection.ts';
import { eventLine, eventRecord } from './eventRecord.ts';
import { CommandFailure, EXIT_STATUS } from './exitStatus.ts';
import { isBroken } from './failure.ts';
import { jobLine, jobRecord } from './jobRecord.ts';
import { nodeRecord } from './nodeRecord.ts';
import { recordJson } from './print/output.ts';

/** The time between two attempts to resume a broken stream, in ms. */
const RETRY_INTERVAL = 1000;

/** A message of a watch. */
interface Told {
  cursor: string;
  event:
    | { case: 'job'; value: Job }
    | { case: 'node'; value: Node }
    | { case: 'event'; value: Event }
    | { case: 'removedUuid'; value: string }
    | { case: 'marker'; value: WatchMarker }
    | { case: undefined };
}

/** What to watch. */
interface Watch {
  /** Starts the stream after a cursor, without a deadline of its own; '' for the current state. */
  start(cursor: string, signal: AbortSignal): AsyncIterable<Told>;
  /** A short request, which shows that the service is there again: a stream says nothing until something changes. */
  probe(signal: AbortSignal): Promise<unknown>;
  /** Texts for the markers. */
  markers: { reset: string; current: string };
}

const STATE_MARKERS = {
  reset: 'some changes are no longer known; the current state follows',
  current: 'that is the current state; changes follow',
};

const EVENT_MARKERS = {
  reset: 'some events are no longer kept; the oldest that is kept follows',
  current: 'events follow',
};

/** Prints the changes of all jobs that match until Ctrl-C or `--timeout`; see `watchMany`. */
export function watchAllJobs(
  { jobs, timeout }: Connection,
  filter: { nodes?: string[]; driver?: string; state?: JobState; requestedBy?: string },
  asJson: boolean,
): Promise<never> {
  const watch: Watch = {
    start: (cursor, signal) => jobs.watchJobs({ ...filter, cursor }, { signal, timeoutMs: 0 }) as AsyncIterable<Told>,
    probe: (signal) => jobs.listJobs({ pageSize: 1 }, { signal }),
    markers: STATE_MARKERS,
  };
  return watchMany(watch, asJson, timeout);
}

/** Prints the changes of all nodes that match until Ctrl-C or `--timeout`; see `watchMany`. */
export function watchAllNodes(
  { nodes, timeout }: Connection,
  filter: { nodes?: string[]; driver?: string },
  asJson: boolean,
): Promise<never> {
  const watch: Watch = {
    start: (cursor, signal) => nodes.watchNodes({ ...filter, cursor }, { signal, timeoutMs: 0 }) as AsyncIterable<Told>,
    probe: (signal) => nodes.listNodes({ pageSize: 1 }, { signal }),
    markers: STATE_MARKERS,
  };
  return watchMany(watch, asJson, timeout);
}

/** Prints the events that match until Ctrl-C or `--timeout`; see `watchMany`. */
export function watchAllEvents(
  { events, timeout }: Connection,
  request: Pick<MessageInitShape<typeof WatchEventsRequestSchema>, 'filter' | 'withRaw'>,
  asJson: boolean,
): Promise<never> {
  async function* start(cursor: string, signal: AbortSignal): AsyncGenerator<Told, void> {
    for await (const told of events.watchEvents({ ...request, cursor }, { signal, timeoutMs: 0 })) {
      yield { cursor: told.cursor, event: told.update };
    }
  }
  const probe = (signal: AbortSignal) => events.listEvents({ pageSize: 1 }, { signal });
  return watchMany({ start, probe, markers: EVENT_MARKERS }, asJson, timeout);
}

/**
 * Prints each message as one line, until Ctrl-C or the end of `timeout`, in ms (null: none). A broken stream is resumed by the cursor of the last message, and standard
 * error says so.
 * @throws CommandFailure on Ctrl-C and after `timeout`; the error of a stream that cannot be resumed, or that was broken before its first message
 */
async function watchMany(watch: Watch, asJson: boolean, timeout: number | null): Promise<never> {
  const stop = new AbortController();
  const interrupt = () => stop.abort(new CommandFailure(EXIT_STATUS.interrupted, 'stopped watching'));
  process.once('SIGINT', interrupt);
  const late = new CommandFailure(
    EXIT_STATUS.timedOut,
    `stopped watching after ${(timeout ?? 0) / 1000} s (--timeout)`,
  );
  const timer = timeout === null ? undefined : setTimeout(() => stop.abort(late), timeout);
  let cursor = '';
  let connected = false;
  let lost = false;
  try {
    for (;;) {
      let settled: NodeJS.Timeout | undefined;
      const isBack = () => {
        clearTimeout(settled);
        if (lost) process.stderr.write('connected again\n');
        lost = false;
      };
      try {
        if (lost) {
          await watch.probe(stop.signal);
          // A service that is shutting down responds to requests, and ends each stream at once.
          settled = setTimeout(isBack, RETRY_INTERVAL);
        }
        for await (const told of watch.start(cursor, stop.signal)) {
          isBack();
          connected = true;
          process.stdout.write(`${asJson ? jsonLine(told) : textLine(told, watch)}\n`);
          if (told.cursor !== '') cursor = told.cursor;
        }
      } catch (error) {
        if (stop.signal.aborted) throw stop.signal.reason;
        // Without any response so far, the service was not there to begin with.
        if (!connected || !isBroken(error)) throw error;
      } finally {
        clearTimeout(settled);
      }
      if (!lost) {
        const from = cursor === '' ? 'from the current state' : 'where it broke off';
        process.stderr.write(`connection lost, reconnecting to resume ${from}\n`);
        lost = true;
      }
      await delay(RETRY_INTERVAL, undefined, { signal: stop.signal }).catch(() => {
        throw stop.signal.reason;
      });
    }
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', interrupt);
  }
}

function textLine({ event }: Told, watch: Watch): string {
  return visible(`${new Date().toISOString()} ${describe(event, watch)}`).replaceAll('\n', ' ');
}

function describe(event: Told['event'], { markers }: Watch): string {
  switch (event.case) {
    case 'job':
      return `job ${event.value.id} ${event.value.nodeName || event.value.nodeUuid || event.value.driver} ${jobLine(event.value)}`;
    case 'node':
      return `node ${event.value.name || event.value.uuid} ${nodeState(event.value)}`;
    case 'event':
      return eventLine(event.value);
    case 'removedUuid':
      return `node ${event.value} removed`;
    case 'marker':
      return event.value === WatchMarker.RESET ? markers.reset : markers.current;
    default:
      return 'unknown message';
  }
}

/** Returns `free`, or who holds the node and for what; then its maintenance and last error. */
function nodeState({ reservation, maintenance, lastError }: Node): string {
  const { holder = '', method = '', job = '' } = reservation ?? {};
  const held = [`held by ${holder}`, method && `for ${method}`, job && `(job ${job})`].filter(Boolean).join(' ');
  const parts = [reservation === undefined ? 'free' : held];
  if (maintenance) parts.push('in maintenance');
  if (lastError !== '') parts.push(`last error: ${lastError}`);
  return parts.join(', ');
}

function jsonLine({ event, cursor }: Told): string {
  return visibleJson(JSON.stringify({ ...documentOf(event), cursor: cursor === '' ? null : cursor }));
}

function documentOf(event: Told['event']): Record<string, Json> {
  switch (event.case) {
    case 'job':
      return { event: 'job', job: recordJson(jobRecord(event.value)) };
    case 'node':
      return { event: 'node', node: recordJson(nodeRecord(event.value)) };
    case 'event':
      return { event: 'event', record: recordJson(eventRecord(event.value)) };
    case 'removedUuid':
      return { event: 'removed', uuid: event.value };
    case 'marker':
      return { event: event.value === WatchMarker.RESET ? 'reset' : 'current' };
    default:
      return { event: 'unknown' };
  }
}
