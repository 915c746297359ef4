// Watches of many jobs and nodes: some that begin, leave and resume, and some that stay.
import { setTimeout as sleep } from 'node:timers/promises';
import { JobService, JobState } from '../../gen/passthru/v1/job_pb.ts';
import { NodeService } from '../../gen/passthru/v1/node_pb.ts';
import { WatchMarker } from '../../gen/passthru/v1/watch_pb.ts';
import { basic, type SoakClient } from './client.ts';
import { type Operation, operation } from './operation.ts';

export const WATCHES: readonly Operation[] = [
  operation(3, 'WatchJobs, left and resumed', resumeJobs),
  operation(3, 'WatchNodes, left and resumed', resumeNodes),
  operation(3, 'SSE of jobs, left and resumed', resumeJobEvents),
  operation(3, 'SSE of nodes, left and resumed', resumeNodeEvents),
];

async function resumeJobs(client: SoakClient): Promise<void> {
  const jobs = client.rpc(JobService);
  const node = client.fakeNode();
  let [started, cursor] = ['', ''];
  // The jobs that have ended are not told: they get more and more.
  for await (const { event, cursor: at } of jobs.watchJobs({ nodes: [node], state: JobState.RUNNING })) {
    cursor = at;
    if (event.case === 'marker' && event.value === WatchMarker.CURRENT) started = await startJob(client, node);
    if (event.case === 'job' && event.value.id === started) break;
  }
  for await (const { event } of jobs.watchJobs({ nodes: [node], cursor })) {
    if (event.case !== 'job') throw new Error('the cursor was not known');
    if (event.value.id === started && event.value.state !== JobState.RUNNING) break;
  }
}

async function resumeNodes(client: SoakClient): Promise<void> {
  const nodes = client.rpc(NodeService);
  const node = client.fakeNode();
  let cursor = '';
  for await (const { event, cursor: at } of nodes.watchNodes({ nodes: [node] })) {
    cursor = at;
    if (event.case === 'marker') await startJob(client, node);
    if (cursor !== '' && event.case === 'node' && event.value.reservation !== undefined) break;
  }
  for await (const { event } of nodes.watchNodes({ nodes: [node], cursor })) {
    if (event.case !== 'node') throw new Error('the cursor was not known');
    if (event.value.reservation === undefined) break;
  }
}

async function resumeJobEvents(client: SoakClient): Promise<void> {
  const node = client.fakeNode();
  let [started, cursor] = ['', ''];
  for await (const { event, id, data } of events(client, `/v1/jobs/events?node=${node}&state=running`)) {
    cursor = id;
    if (event === 'current') started = await startJob(client, node);
    if (event === 'job' && JSON.parse(data).id === started) break;
  }
  for await (const { event, data } of events(client, `/v1/jobs/events?node=${node}`, cursor)) {
    if (event !== 'job') throw new Error('the cursor was not known');
    const { id, state } = JSON.parse(data);
    if (id === started && state !== 'JOB_STATE_RUNNING') break;
  }
}

async function resumeNodeEvents(client: SoakClient): Promise<void> {
  const node = client.fakeNode();
  const path = `/v1/nodes/events?node=${node}`;
  let cursor = '';
  for await (const { event, id, data } of events(client, path)) {
    cursor = id;
    if (event === 'current') await startJob(client, node);
    if (cursor !== '' && event === 'node' && JSON.parse(data).reservation !== undefined) break;
  }
  for await (const { event, data } of events(client, path, cursor)) {
    if (event !== 'node') throw new Error('the cursor was not known');
    if (JSON.parse(data).reservation === undefined) break;
  }
}

/** Starts a job; returns its id. */
async function startJob(client: SoakClient, node: string): Promise<string> {
  const started = await client.call(node, 'second_method', { bar: 'kazoo' }, [202]);
  return started.headers.get('passthru-job-id')!;
}

interface ServerSentEvent {
  event: string;
  id: string;
  data: string;
}

/** Yields the events of a stream; leaves it when the reader ends. */
async function* events(client: SoakClient, path: string, cursor = ''): AsyncGenerator<ServerSentEvent, void> {
  const left = new AbortController();
  const resumed: Record<string, string> = cursor === '' ? {} : { 'Last-Event-ID': cursor };
  const signal = AbortSignal.any([client.signal, left.signal]);
  const response = await client.fetch('GET', path, { headers: { ...basic('admin'), ...resumed } }, signal);
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  try {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? '';
        if (field('event') !== '') yield { event: field('event'), id: field('id'), data: field('data') };
      }
    }
    throw new Error(`${path}: the stream ended`);
  } finally {
    left.abort();
  }
}

/** What a watcher that stays reads: the cursors of what it is told. */
type Stream = (client: SoakClient, cursor: string) => AsyncIterable<string>;

const STAYING: Readonly<Record<string, Stream>> = {
  async *'WatchJobs that stays'(client, cursor) {
    for await (const message of client.rpc(JobService).watchJobs({ cursor })) yield message.cursor;
  },
  async *'WatchNodes that stays'(client, cursor) {
    for await (const message of client.rpc(NodeService).watchNodes({ cursor })) yield message.cursor;
  },
  async *'SSE of jobs that stays'(client, cursor) {
    for await (const { id } of events(client, '/v1/jobs/events', cursor)) yield id;
  },
  async *'SSE of nodes that stays'(client, cursor) {
    for await (const { id } of events(client, '/v1/nodes/events', cursor)) yield id;
  },
};

/** How long a watcher that stays may be told nothing, in milliseconds: all the time jobs run. */
const SILENCE = 60_000;

/** The time that a watcher waits until it resumes. */
const PAUSE = 1000;

/** Follows all changes until `stop`; resumes whenever a stream ends. Counts what it is told. */
export async function stay(
  client: (signal: AbortSignal) => SoakClient,
  stop: AbortSignal,
  told: (what: string) => void,
  failed: (what: string, error: unknown) => void,
): Promise<void> {
  await Promise.all(
    Object.entries(STAYING).map(async ([name, stream]) => {
      let cursor = '';
      while (!stop.aborted) {
        const silent = new AbortController();
        const timer = setTimeout(() => silent.abort(new Error(`told nothing for ${SILENCE} ms`)), SILENCE);
        try {
          for await (const at of stream(client(AbortSignal.any([stop, silent.signal])), cursor)) {
            if (at !== '') cursor = at;
            told(name);
            timer.refresh();
          }
        } catch (error) {
          if (!stop.aborted) failed(name, silent.signal.aborted ? silent.signal.reason : error);
        }
        clearTimeout(timer);
        if (!stop.aborted) await sleep(PAUSE);
      }
    }),
  );
}
