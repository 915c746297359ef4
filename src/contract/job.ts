import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type Job as JobMessage, JobSchema, JobState as JobStateEnum } from '../../gen/passthru/v1/job_pb.ts';
import type { JobState } from '../core/job.ts';
import type { ShownJob } from '../core/jobs/shownJob.ts';
import { errorDetail } from './errorDetail.ts';
import { jsonToValue } from './value.ts';

const STATES: Readonly<Record<JobState, JobStateEnum>> = {
  running: JobStateEnum.RUNNING,
  succeeded: JobStateEnum.SUCCEEDED,
  failed: JobStateEnum.FAILED,
  cancelled: JobStateEnum.CANCELLED,
};

/** Converts `job` to its message. */
export function jobToMessage(job: ShownJob): JobMessage {
  return create(JobSchema, {
    id: job.id,
    nodeUuid: job.nodeUuid ?? '',
    nodeName: job.nodeName ?? '',
    driver: job.driver,
    method: job.method,
    state: STATES[job.state],
    revision: BigInt(job.revision),
    createTime: timestampFromDate(job.createTime),
    endTime: job.endTime ? timestampFromDate(job.endTime) : undefined,
    progress: job.progress
      ? { fraction: job.progress.fraction ?? undefined, message: job.progress.message }
      : undefined,
    result: job.state === 'succeeded' && job.requiredRole === null ? jsonToValue(job.result) : undefined,
    error: job.error ? errorDetail(job.error) : undefined,
    requestedBy: job.requestedBy,
    requiredRole: job.requiredRole ?? '',
  });
}

/** Returns the state of a filter; null when not set, undefined for an unknown number. */
export function jobStateFromMessage(state: JobStateEnum): JobState | null | undefined {
  if (state === JobStateEnum.UNSPECIFIED) return null;
  return (Object.keys(STATES) as JobState[]).find((name) => STATES[name] === state);
}
