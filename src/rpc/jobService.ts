import type { ServiceImpl } from '@connectrpc/connect';
import type { JobService } from '../../gen/passthru/v1/job_pb.ts';
import { jobStateFromMessage, jobToMessage } from '../contract/job.ts';
import type { Core } from '../core/core.ts';
import { isUuid } from '../core/node.ts';
import { callerOf } from './caller.ts';
import { refuseField } from './errors.ts';
import { cutPage, lastOfPageBefore, pageSize } from './page.ts';

/** Looks up and cancels jobs. */
export function jobService(core: Core): ServiceImpl<typeof JobService> {
  return {
    async getJob(request) {
      return { job: jobToMessage(await core.jobs.get(request.jobId)) };
    },
    async listJobs(request) {
      const size = pageSize(request.pageSize);
      const state = jobStateFromMessage(request.state);
      if (state === undefined) throw refuseField('state', `must be a JobState, not ${request.state}`);
      const found = await core.jobs.list({
        limit: size + 1,
        olderThan: lastOfPageBefore('jobs', request.pageToken, isUuid),
        node: request.node === '' ? null : request.node,
        driver: request.driver === '' ? null : request.driver,
        state,
      });
      const [page, nextPageToken] = cutPage('jobs', found, size, (job) => job.id);
      return { jobs: page.map(jobToMessage), nextPageToken };
    },
    async cancelJob(request) {
      return { job: jobToMessage(await core.jobs.cancel(request.jobId, callerOf())) };
    },
  };
}
