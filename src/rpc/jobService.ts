import type { ServiceImpl } from '@connectrpc/connect';
import { type JobService, type WatchJobsRequest, WatchJobsResponseSchema } from '../../gen/passthru/v1/job_pb.ts';
import { jobStateFromMessage, jobToMessage } from '../contract/job.ts';
import { jobEventToMessage } from '../contract/watch.ts';
import type { JobsWatch } from '../core/core.ts';
import type { ShownJob } from '../core/jobs/shownJob.ts';
import { isUuid } from '../core/node.ts';
import type { Enter } from './authorize.ts';
import { invalidField, nextToken, pageSize, previousKey, textOrNull } from './fields.ts';
import { watchStreams } from './watchStream.ts';

/** Implements JobService: looks up, watches and cancels jobs, and returns transcripts. */
export function jobService(enter: Enter): ServiceImpl<typeof JobService> {
  const stream = watchStreams<ShownJob, typeof WatchJobsResponseSchema>(WatchJobsResponseSchema, jobEventToMessage);
  return {
    async getJob(request, context) {
      const { core, caller } = enter(context);
      return { job: jobToMessage(await core.jobs.get(request.jobId, caller)) };
    },
    async listJobs(request, context) {
      const size = pageSize(request.pageSize);
      const state = jobStateFromMessage(request.state);
      if (state === undefined) throw invalidField('state', `must be a JobState, not ${request.state}`);
      const olderThan = previousKey('jobs', request.pageToken, isUuid);
      const filter = { node: textOrNull(request.node), driver: textOrNull(request.driver), state };
      const { core, caller } = enter(context);
      const page = await core.jobs.list({ limit: size, olderThan, ...filter }, caller);
      return { jobs: page.items.map(jobToMessage), nextPageToken: nextToken('jobs', page, (job) => job.id) };
    },
    async cancelJob(request, context) {
      const { core, caller } = enter(context);
      return { job: jobToMessage(await core.jobs.cancel(request.jobId, caller)) };
    },
    async getTranscript(request, context) {
      const { core, caller } = enter(context);
      return { transcript: Buffer.from(await core.jobs.transcript(request.jobId, caller)) };
    },
    async *watchJobs(request, context) {
      const watch = jobsWatch(request);
      const { core, caller } = enter(context);
      yield* stream(context, (sink, signal) => core.jobs.watchAll(watch, caller, sink, signal));
    },
  };
}

/** Returns what a request selects. Throws kind `invalid_argument`. */
export function jobsWatch(request: WatchJobsRequest): JobsWatch {
  const state = jobStateFromMessage(request.state);
  if (state === undefined) throw invalidField('state', `must be a JobState, not ${request.state}`);
  return {
    nodes: request.nodes,
    driver: textOrNull(request.driver),
    state,
    requestedBy: textOrNull(request.requestedBy),
    cursor: textOrNull(request.cursor),
  };
}
