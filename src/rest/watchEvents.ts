import type { ServerResponse } from 'node:http';
import { toJson } from '@bufbuild/protobuf';
import { NodeSchema } from '../../gen/passthru/v1/node_pb.ts';
import { eventDocument } from '../contract/event.ts';
import { nodeToMessage } from '../contract/node.ts';
import { PassthruError } from '../core/errors.ts';
import type { StoredEvent } from '../core/events/event.ts';
import type { ShownJob } from '../core/jobs/shownJob.ts';
import type { Node } from '../core/node.ts';
import { EventEncoder } from '../core/watch/eventEncoder.ts';
import type { WatchEvent, WatchSink } from '../core/watch/watchEvent.ts';
import { ResponseSink } from '../http/responseSink.ts';
import { clientSignal, type Exchange, enter, header } from './context.ts';
import { eventSelector, rawParameter, readEventQuery } from './events.ts';
import { EVENT_HEADERS, KEEP_ALIVE_INTERVAL } from './jobEvents.ts';
import { jobDocument, stateParameter } from './jobs.ts';
import { readQuery, takeRepeated } from './query.ts';

const JOBS = new EventEncoder<ShownJob>((event) => encode(event, 'job', jobDocument));
const NODES = new EventEncoder<Node>((event) => encode(event, 'node', nodeDocument));
const EVENTS = new EventEncoder<StoredEvent>((event) => encode(event, 'event', eventDocument));

/**
 * GET /v1/jobs/events: Server-Sent Events of all jobs that match. The events `job` of the current state, oldest first, then
 * `current`, then a `job` for each change; `reset` when the cursor is too old, before the current state. The `id` of an event
 * is its cursor, with which `Last-Event-ID` or `cursor` resumes.
 */
export async function streamJobs(exchange: Exchange): Promise<void> {
  const { values: nodes, rest } = takeRepeated(exchange.rawQuery, 'node');
  const query = readQuery(rest, ['driver', 'state', 'requested_by', 'cursor']);
  const request = {
    nodes,
    driver: query.get('driver') ?? null,
    state: stateParameter(query),
    requestedBy: query.get('requested_by') ?? null,
    cursor: cursorOf(exchange, query.get('cursor')),
  };
  const core = enter(exchange);
  await stream(exchange, JOBS, (sink, signal) => core.jobs.watchAll(request, exchange.caller, sink, signal));
}

/** GET /v1/nodes/events: as `streamJobs`, with events `node`, and `removed` for one that was removed or no longer matches. */
export async function streamNodes(exchange: Exchange): Promise<void> {
  const { values: nodes, rest } = takeRepeated(exchange.rawQuery, 'node');
  const query = readQuery(rest, ['driver', 'cursor']);
  const cursor = cursorOf(exchange, query.get('cursor'));
  const request = { nodes, driver: query.get('driver') ?? null, cursor };
  const core = enter(exchange);
  await stream(exchange, NODES, (sink, signal) => core.nodes.watch(request, sink, signal));
}

/**
 * GET /v1/events/stream: an `event` for each hardware event from now on or after the cursor; `current` when what came after the
 * cursor has been told, `reset` before the oldest that is kept when the cursor is too old.
 */
export async function streamEvents(exchange: Exchange): Promise<void> {
  const { nodes, messages, query } = readEventQuery(exchange, ['cursor']);
  const cursor = cursorOf(exchange, query.get('cursor'));
  const request = { ...eventSelector(nodes, messages, query), cursor, withRaw: rawParameter(query) };
  const core = enter(exchange);
  await stream(exchange, EVENTS, (sink, signal) => core.events.watch(request, sink, signal));
}

function cursorOf({ request }: Exchange, given: string | undefined): string | null {
  return header(request, 'last-event-id') || given || null;
}

async function stream<T extends object>(
  exchange: Exchange,
  encoder: EventEncoder<T>,
  watch: (sink: WatchSink<T>, signal: AbortSignal) => Promise<never>,
): Promise<void> {
  const signal = clientSignal(exchange);
  const response = exchange.response as ServerResponse;
  let keepAlive: NodeJS.Timeout | undefined;
  const sink = new ResponseSink(response, encoder, () => {
    response.writeHead(200, [...exchange.headers, ...EVENT_HEADERS]);
    // Node sends the headers with the first bytes; the first event may take long.
    response.write(':\n\n');
    keepAlive = setInterval(() => response.write(': keep-alive\n\n'), KEEP_ALIVE_INTERVAL);
  });
  try {
    await watch(sink, signal);
  } catch (error) {
    if (signal.aborted) return;
    if (!response.headersSent) throw error;
    if (!(error instanceof PassthruError)) exchange.log.error({ err: error }, 'an event stream failed');
    // Clients connect again, and resume.
    response.end();
  } finally {
    clearInterval(keepAlive);
  }
}

function encode<T>(event: WatchEvent<T>, name: string, documentOf: (item: T) => unknown): Uint8Array {
  const id = event.cursor === '' ? '' : `id: ${event.cursor}\n`;
  switch (event.kind) {
    case 'item':
      return Buffer.from(`event: ${name}\n${id}data: ${JSON.stringify(documentOf(event.item))}\n\n`);
    case 'removed':
      return Buffer.from(`event: removed\n${id}data: ${JSON.stringify({ uuid: event.uuid })}\n\n`);
    case 'marker':
      return Buffer.from(`event: ${event.marker}\n${id}data: {}\n\n`);
  }
}

/** Returns a node in proto3 JSON with the proto's names and all implicit fields, as jobs are. */
function nodeDocument(node: Node) {
  return toJson(NodeSchema, nodeToMessage(node), { useProtoFieldName: true, alwaysEmitImplicit: true });
}
