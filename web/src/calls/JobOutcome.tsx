import { toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import { Link } from 'wouter';
import type { Job } from '../../../gen/passthru/v1/job_pb.ts';
import { JobChip } from '../jobs/JobChip.tsx';
import { isRunning } from '../jobs/jobState.ts';
import { Progress } from '../jobs/Progress.tsx';
import { liveJobs } from '../live/jobs.ts';
import { useLive } from '../live/useLive.ts';
import { ErrorReport } from '../parts/ErrorReport.tsx';
import { JsonView } from '../parts/JsonView.tsx';
import { texts } from '../texts.ts';

/** The job that a call has started, as it goes on, and how it ended. */
export function JobOutcome({ started }: { started: Job }) {
  const job = useLive(liveJobs).get(started.id) ?? started;
  return (
    <>
      <p>
        {texts.calls.startedJob} <Link href={`/jobs/${job.id}`}>{job.id}</Link>{' '}
        <span role="status">
          <JobChip state={job.state} />
        </span>
      </p>
      {isRunning(job) && <Progress progress={job.progress} />}
      {job.error !== undefined && <ErrorReport error={job.error} />}
      {job.result !== undefined && <JsonView label={texts.calls.outcome} value={toJson(ValueSchema, job.result)} />}
    </>
  );
}
