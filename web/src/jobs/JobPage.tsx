import { toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import { ConnectError } from '@connectrpc/connect';
import { useQuery } from '@connectrpc/connect-query';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { type Job, JobService, JobState } from '../../../gen/passthru/v1/job_pb.ts';
import { liveJobs } from '../live/jobs.ts';
import { link } from '../live/link.ts';
import { useLive } from '../live/useLive.ts';
import { ErrorReport } from '../parts/ErrorReport.tsx';
import { useChanges } from '../parts/emitter.ts';
import { Fact, Facts } from '../parts/Facts.tsx';
import { GuardedButton } from '../parts/GuardedButton.tsx';
import { Json } from '../parts/Json.tsx';
import { Message } from '../parts/Message.tsx';
import { Page } from '../parts/Page.tsx';
import { clockTime, millis } from '../parts/time.tsx';
import { hasRole, session } from '../session/session.ts';
import { texts } from '../texts.ts';
import { CancelJob } from './CancelJob.tsx';
import { JobChip } from './JobChip.tsx';
import { isRunning, targetOf } from './jobState.ts';
import { Progress } from './Progress.tsx';
import { Timeline } from './Timeline.tsx';
import { Took } from './Took.tsx';
import { readTranscript } from './transcript.ts';

/** One job, live: how far it is, then how it ended, and what it exchanged with its machine. */
export function JobPage({ params: { id } }: { params: { id: string } }) {
  const { job, problem } = useJob(id);
  const [refused, setRefused] = useState<string | null>(null);
  if (job === undefined) {
    return (
      <Page title={texts.jobs.one}>
        {problem === null ? <p role="status">{texts.loading}</p> : <Message kind="error">{problem}</Message>}
      </Page>
    );
  }
  return (
    <Page title={texts.jobs.of(job.method, targetOf(job))} actions={<CancelJob job={job} onProblem={setRefused} />}>
      {refused !== null && <Message kind="error">{refused}</Message>}
      <About job={job} />
      <Outcome job={job} />
      <History job={job} />
    </Page>
  );
}

/** Follows the job: of those that are watched anyway, or read by itself when it is older than they are. */
function useJob(id: string): { job: Job | undefined; problem: string | null } {
  const known = useLive(liveJobs).get(id);
  const { data, error, refetch } = useQuery(JobService.method.getJob, { jobId: id });
  useEffect(
    () =>
      link.subscribe(() => {
        // What happened while the connection was lost may be too old to be told by the watch.
        if (link.up) void refetch();
      }),
    [refetch],
  );
  const read = data?.job;
  const job = known !== undefined && (read === undefined || known.revision >= read.revision) ? known : read;
  return { job, problem: error === null ? null : error.rawMessage };
}

function About({ job }: { job: Job }) {
  const began = millis(job.createTime);
  const ended = millis(job.endTime);
  return (
    <Facts>
      <Fact name={texts.jobs.state}>
        <span role="status">
          <JobChip state={job.state} />
        </span>
      </Fact>
      {isRunning(job) && job.progress !== undefined && (
        <Fact name={texts.jobs.progress}>
          <Progress progress={job.progress} />
        </Fact>
      )}
      <Fact name={texts.jobs.node}>
        {job.nodeUuid === '' ? targetOf(job) : <Link href={`/nodes/${job.nodeUuid}`}>{targetOf(job)}</Link>}
      </Fact>
      <Fact name={texts.nodes.driver}>{job.driver}</Fact>
      <Fact name={texts.jobs.requestedBy}>{job.requestedBy}</Fact>
      <Fact name={texts.jobs.began}>{began !== null && clockTime(began)}</Fact>
      {ended !== null && <Fact name={texts.jobs.end}>{clockTime(ended)}</Fact>}
      <Fact name={texts.jobs.took}>
        <Took job={job} />
      </Fact>
      <Fact name={texts.jobs.id}>
        <code>{job.id}</code>
      </Fact>
    </Facts>
  );
}

function Outcome({ job }: { job: Job }) {
  if (isRunning(job)) return null;
  if (job.requiredRole !== '') return <Message kind="info">{texts.jobs.hidden(job.requiredRole)}</Message>;
  if (job.error !== undefined) return <ErrorReport error={job.error} />;
  return (
    <section>
      <h2>{texts.jobs.result}</h2>
      <Json value={job.result === undefined ? null : toJson(ValueSchema, job.result)} label={texts.jobs.result} />
    </section>
  );
}

function History({ job }: { job: Job }) {
  useChanges(session);
  const transcript = useMutation({ mutationFn: () => readTranscript(job.id) });
  const reason = isRunning(job)
    ? texts.jobs.transcriptLater
    : hasRole(session.state, 'operator')
      ? null
      : texts.needsRole('operator');
  return (
    <section>
      <div className="heading">
        <h2>{texts.jobs.timeline}</h2>
        {transcript.data === undefined && (
          <GuardedButton reason={reason} onClick={() => transcript.mutate()}>
            {texts.jobs.showExchanges}
          </GuardedButton>
        )}
      </div>
      {transcript.error !== null && (
        <Message kind={job.state === JobState.SUCCEEDED ? 'info' : 'error'}>
          {ConnectError.from(transcript.error).rawMessage}
        </Message>
      )}
      <Timeline job={job} transcript={transcript.data ?? null} />
    </section>
  );
}
