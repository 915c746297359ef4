import { Link } from 'wouter';
import type { Node } from '../../../gen/passthru/v1/node_pb.ts';
import { JobChip } from '../jobs/JobChip.tsx';
import { lastJobs } from '../live/jobs.ts';
import { texts } from '../texts.ts';

/** How the last asynchronous call on a node went. */
export function Outcome({ node: { uuid, lastError } }: { node: Node }) {
  const job = lastJobs.of(uuid);
  return (
    <span className="outcome">
      {job !== undefined && (
        <Link href={`/jobs/${job.id}`} title={job.error?.message}>
          <JobChip state={job.state} /> {job.method}
        </Link>
      )}
      {job === undefined && lastError !== '' && (
        <span className="chip failed" title={lastError}>
          {texts.jobs.states.failed}
        </span>
      )}
    </span>
  );
}
