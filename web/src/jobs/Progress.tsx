import type { JobProgress } from '../../../gen/passthru/v1/job_pb.ts';
import { texts } from '../texts.ts';

/** How far a job is, as its method reports it; nothing before it reports any. */
export function Progress({ progress }: { progress: JobProgress | undefined }) {
  if (progress === undefined) return null;
  const { fraction, message } = progress;
  return (
    <span className="progress" title={message}>
      {/* Without a value it shows that the work goes on. */}
      <progress max={1} value={fraction} aria-label={texts.jobs.progress} />
      {fraction !== undefined && <span>{texts.percent(fraction)}</span>}
      <span className="what">{message}</span>
    </span>
  );
}
