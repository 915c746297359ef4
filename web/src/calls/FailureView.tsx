import { ErrorReport } from '../parts/ErrorReport.tsx';
import type { Failure } from './failure.ts';
import { TranscriptOf } from './TranscriptOf.tsx';

/** Why a call failed, with what the BMC said, and the transcript of the call where one was kept. */
export function FailureView({ failure: { message, detail } }: { failure: Failure }) {
  return (
    <>
      <div role="alert">
        {detail === null ? <p className="message error">{message}</p> : <ErrorReport error={detail} />}
      </div>
      {detail !== null && detail.transcriptId !== '' && <TranscriptOf id={detail.transcriptId} />}
    </>
  );
}
