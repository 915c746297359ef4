import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { isTerminal, type Job } from '../core/job.ts';
import { clientSignal, type Exchange, enter, header } from './context.ts';
import { jobDocument } from './jobs.ts';
import { badParameter, readQuery } from './query.ts';
import { sendEmpty } from './response.ts';

/** How long a stream may be quiet before a comment is sent, in milliseconds: proxies cut idle connections. */
const QUIET = 15_000;

const HEADERS = [
  'Content-Type',
  'text/event-stream',
  'Cache-Control',
  'no-store',
  // nginx gathers an answer before it passes it on, unless it is told not to.
  'X-Accel-Buffering',
  'no',
];

/**
 * GET /v1/jobs/ID/events: Server-Sent Events (HTML Living Standard, 9.2). Each event `job` holds the job, its `id` is the
 * revision. The stream begins with the present state, or after the revision that `Last-Event-ID` or `after_revision`
 * names, and ends after the terminal state. A browser then asks for more by itself: 204 tells it to stop.
 */
export async function streamJobEvents(exchange: Exchange): Promise<void> {
  const { request } = exchange;
  const query = readQuery(exchange.rawQuery, ['after_revision']);
  const resumed = header(request, 'last-event-id');
  const afterRevision =
    revision('Last-Event-ID', resumed === '' ? undefined : resumed) ??
    revision('after_revision', query.get('after_revision'));

  const core = enter(exchange);
  const signal = clientSignal(exchange);
  const job = await core.jobs.get(exchange.params.id ?? '');
  if (isTerminal(job) && afterRevision !== null && afterRevision >= job.revision) {
    sendEmpty(exchange, 204);
    return;
  }
  const response = exchange.response as ServerResponse;
  response.writeHead(200, [...exchange.headers, ...HEADERS]);
  // The first bytes take the headers along: the first event may be long in coming.
  response.write(':\n\n');
  const keepAlive = setInterval(() => response.write(': keep-alive\n\n'), QUIET);
  try {
    for await (const state of core.jobs.watch(job.id, afterRevision, signal)) {
      keepAlive.refresh();
      if (!response.write(eventText(state))) await once(response, 'drain', { signal });
    }
    response.end();
  } catch (error) {
    // The client has left, and nobody is there to be told.
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(keepAlive);
  }
}

function eventText(job: Job): string {
  return `event: job\nid: ${job.revision}\ndata: ${JSON.stringify(jobDocument(job))}\n\n`;
}

function revision(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badParameter(name, 'must be the revision of a job, a whole number', `${name} must be the revision of a job`);
}
