import type { Job } from '../../../gen/passthru/v1/job_pb.ts';
import { duration, useNow } from '../parts/time.tsx';
import { isRunning, tookOf } from './jobState.ts';

/** How long a job took, or has run so far. */
export function Took({ job }: { job: Job }) {
  return isRunning(job) ? <Runs job={job} /> : duration(tookOf(job, 0));
}

function Runs({ job }: { job: Job }) {
  return duration(tookOf(job, useNow()));
}
