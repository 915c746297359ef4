import { ConnectError, createClient } from '@connectrpc/connect';
import { useState } from 'react';
import { type Job, JobService } from '../../../gen/passthru/v1/job_pb.ts';
import { liveJobs } from '../live/jobs.ts';
import { useChanges } from '../parts/emitter.ts';
import { GuardedButton } from '../parts/GuardedButton.tsx';
import { notOwner, session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { isRunning, targetOf } from './jobState.ts';

const client = createClient(JobService, session.transport);

interface CancelJobProps {
  job: Job;
  /** Gets what the service says against it; null when a new try begins. */
  onProblem(problem: string | null): void;
}

/** Cancels a job that runs; nothing for one that has ended. */
export function CancelJob({ job, onProblem }: CancelJobProps) {
  useChanges(session);
  const [busy, setBusy] = useState(false);
  if (!isRunning(job)) return null;
  const cancel = async () => {
    onProblem(null);
    setBusy(true);
    try {
      const { job: after } = await client.cancelJob({ jobId: job.id });
      if (after !== undefined) liveJobs.put(after);
    } catch (thrown) {
      onProblem(ConnectError.from(thrown).rawMessage);
    } finally {
      setBusy(false);
    }
  };
  const reason = notOwner(session.state, job.requestedBy);
  return (
    <GuardedButton className="danger" reason={busy ? texts.jobs.cancelling : reason} onClick={() => void cancel()}>
      {texts.jobs.cancel}
      <span className="visually-hidden"> {texts.jobs.of(job.method, targetOf(job))}</span>
    </GuardedButton>
  );
}
