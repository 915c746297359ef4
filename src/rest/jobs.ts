import { toJson } from '@bufbuild/protobuf';
import { JobSchema } from '../../gen/passthru/v1/job_pb.ts';
import { jobToMessage } from '../contract/job.ts';
import type { JobState } from '../core/job.ts';
import type { ShownJob } from '../core/jobs/shownJob.ts';
import { isUuid } from '../core/node.ts';
import { type Exchange, enter } from './context.ts';
import { nextLink } from './links.ts';
import { badParameter, limitParameter, type Query, readQuery } from './query.ts';
import { sendBody, sendJson } from './response.ts';

/** Maximum number of jobs in a page. */
const MAX_LIMIT = 1000;
/** Number of jobs in a page without `limit`. */
const DEFAULT_LIMIT = 100;

/** The states by which jobs are listed. */
export const STATES: readonly JobState[] = ['running', 'succeeded', 'failed', 'cancelled'];

/** GET /v1/jobs: newest first. */
export async function listJobs(exchange: Exchange): Promise<void> {
  const query = readQuery(exchange.rawQuery, ['node', 'driver', 'state', 'limit', 'marker']);
  const limit = limitParameter(query, MAX_LIMIT, DEFAULT_LIMIT);
  const marker = query.get('marker') ?? null;
  if (marker !== null && !isUuid(marker)) throw badParameter('marker', 'must be the id of a job');
  const state = stateParameter(query);
  const filter = { node: query.get('node') ?? null, driver: query.get('driver') ?? null, state };
  const olderThan = marker?.toLowerCase() ?? null;
  const page = await enter(exchange).jobs.list({ limit, olderThan, ...filter }, exchange.caller);
  const next = nextLink(exchange, '/v1/jobs', query, limit, page, (job) => job.id);
  sendJson(exchange, 200, { jobs: page.items.map(jobDocument), next });
}

/** GET /v1/jobs/ID */
export async function showJob(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { caller, params } = exchange;
  sendJson(exchange, 200, jobDocument(await enter(exchange).jobs.get(params.id ?? '', caller)));
}

/** DELETE /v1/jobs/ID: requests cancellation. The job in the response may still be running, see its `state`. */
export async function cancelJob(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { caller, params } = exchange;
  sendJson(exchange, 200, jobDocument(await enter(exchange).jobs.cancel(params.id ?? '', caller)));
}

/** GET /v1/jobs/ID/transcript: of a job, or of a synchronous call by its id. */
export async function showTranscript(exchange: Exchange): Promise<void> {
  readQuery(exchange.rawQuery);
  const { caller, params } = exchange;
  sendBody(exchange, 200, 'application/json', await enter(exchange).jobs.transcript(params.id ?? '', caller));
}

/** Returns a job in proto3 JSON with the proto's names and all implicit fields. */
export function jobDocument(job: ShownJob) {
  return toJson(JobSchema, jobToMessage(job), { useProtoFieldName: true, alwaysEmitImplicit: true });
}

/** Returns the filter `state`, as in the document (`JOB_STATE_RUNNING`) or short (`running`); null when absent. */
export function stateParameter(query: Query): JobState | null {
  const text = query.get('state');
  if (text === undefined) return null;
  const short = text.toLowerCase().replace(/^job_state_/, '');
  const state = STATES.find((each) => each === short);
  if (state !== undefined) return state;
  throw badParameter('state', `must be one of ${STATES.join(', ')}`);
}
