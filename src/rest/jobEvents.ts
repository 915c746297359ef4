import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { isTerminal } from '../core/job.ts';
import type { ShownJob } from '../core/jobs/shownJob.ts';
import { clientSignal, type Exchange, enter, header } from './context.ts';
import { jobDocument } from './jobs.ts';
import { badParameter, readQuery } from './query.ts';
import { sendEmpty } from './response.ts';

/** Idle time before a keep-alive comment is sent, in ms: proxies cut idle connections. */
export const KEEP_ALIVE_INTERVAL = 15_000;

export const EVENT_HEADERS = [
  'Content-Type',
  'text/event-stream',
  'Cache-Control',
  'no-store',
  // Disables nginx's response buffering.
  'X-Accel-Buffering',
  'no',
];

/**
 * GET /v1/jobs/ID/events: Server-Sent Events (HTML Living Standard, 9.2). Each event `job` contains the job; its `id`
 * is the revision. The stream begins with the current state, or after the revision in `Last-Event-ID` or
 * `after_revision`, and ends after the terminal state. Browsers then reconnect; the 204 stops them.
 */
export async function streamJobEvents(exchange: Exchange): Promise<void> {
  const { request, caller } = exchange;
  const query = readQuery(exchange.rawQuery, ['after_revision']);
  const resumed = header(request, 'last-event-id');
  const afterRevision =
    revision('Last-Event-ID', resumed === '' ? undefined : resumed) ??
    revision('after_revision', query.get('after_revision'));

  const core = enter(exchange);
  const signal = clientSignal(exchange);
  const job = await core.jobs.get(exchange.params.id ?? '', caller);
  if (isTerminal(job) && afterRevision !== null && afterRevision >= job.revision) {
    sendEmpty(exchange, 204);
    return;
  }
  const response = exchange.response as ServerResponse;
  response.writeHead(200, [...exchange.headers, ...EVENT_HEADERS]);
  // Node sends the headers with the first bytes; the first event may take long.
  response.write(':\n\n');
  const keepAlive = setInterval(() => response.write(': keep-alive\n\n'), KEEP_ALIVE_INTERVAL);
  try {
    for await (const state of core.jobs.watch(job.id, afterRevision, caller, signal)) {
      keepAlive.refresh();
      if (!response.write(eventText(state))) await once(response, 'drain', { signal });
    }
    response.end();
  } catch (error) {
    // The client has disconnected.
    if (!signal.aborted) throw error;
  } finally {
    clearInterval(keepAlive);
  }
}

function eventText(job: ShownJob): string {
  return `event: job\nid: ${job.revision}\ndata: ${JSON.stringify(jobDocument(job))}\n\n`;
}

function revision(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badParameter(name, 'must be the revision of a job, a whole number', `${name} must be the revision of a job`);
}
