import { useQuery } from '@connectrpc/connect-query';
import type { ReactNode } from 'react';
import type { Job } from '../../../gen/passthru/v1/job_pb.ts';
import { PassthruService } from '../../../gen/passthru/v1/passthru_pb.ts';
import { liveNodes } from '../live/nodes.ts';
import { useLive } from '../live/useLive.ts';
import { Json } from '../parts/Json.tsx';
import { Clock, duration, millis } from '../parts/time.tsx';
import { texts } from '../texts.ts';
import { isRunning, tookOf } from './jobState.ts';
import type { Exchange, Transcript } from './transcript.ts';

/** What happened to a job in its order: the lock, the check of its arguments, its requests where recorded, its end. */
export function Timeline({ job, transcript }: { job: Job; transcript: Transcript | null }) {
  const lock = useLock(job);
  const began = millis(job.createTime);
  const ended = millis(job.endTime);
  return (
    <ol className="timeline" aria-label={texts.jobs.timeline}>
      {lock !== null && <Step at={lock.since}>{lock.text}</Step>}
      <Step at={null}>{texts.jobs.valid}</Step>
      <Step at={began}>{texts.jobs.accepted(job.requestedBy)}</Step>
      {transcript !== null && <Exchanges transcript={transcript} />}
      {ended === null ? (
        <Step at={null}>{texts.jobs.states.running}</Step>
      ) : (
        <Step at={ended}>{texts.jobs.ended(duration(tookOf(job, ended)))}</Step>
      )}
    </ol>
  );
}

/** Returns what is known of the lock under which the job runs or ran; null for nothing. */
function useLock(job: Job): { text: string; since: number | null } | null {
  const { nodeUuid, method } = job;
  const nodes = useLive(liveNodes);
  const { data } = useQuery(PassthruService.method.listNodeMethods, { node: nodeUuid }, { enabled: nodeUuid !== '' });
  if (nodeUuid === '') return { text: texts.jobs.noNode, since: null };
  const reservation = nodes.get(nodeUuid)?.reservation;
  if (isRunning(job) && reservation?.job === job.id)
    return { text: texts.jobs.locked(reservation.holder), since: millis(reservation.since) };
  const exclusive = data?.methods.find(({ name }) => name === method)?.requireExclusiveLock;
  if (exclusive === undefined) return null;
  return { text: exclusive ? texts.jobs.wasLocked : texts.jobs.notLocked, since: null };
}

function Step({ at, children }: { at: number | null; children: ReactNode }) {
  return (
    <li>
      {at === null ? <span className="time" /> : <Clock at={at} />}
      <div>{children}</div>
    </li>
  );
}

function Exchanges({ transcript: { start_time: start, exchanges, omitted } }: { transcript: Transcript }) {
  return (
    <>
      <Step at={Date.parse(start)}>{texts.jobs.methodBegan}</Step>
      {exchanges.map((exchange, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a transcript does not change
        <Step key={index} at={exchange.at === undefined ? null : Date.parse(start) + exchange.at}>
          <details>
            <summary>{summaryOf(exchange, index + 1)}</summary>
            <Json value={exchange} label={texts.jobs.exchange(index + 1)} />
          </details>
        </Step>
      ))}
      {omitted > 0 && <Step at={null}>{texts.jobs.omitted(omitted)}</Step>}
    </>
  );
}

/** Returns one line about an exchange: the request and how it ended, as far as its driver records them. */
function summaryOf({ request, response, error, duration: took }: Exchange, number: number): string {
  if (typeof request?.method !== 'string') return texts.jobs.exchange(number);
  const ending = error ?? (response?.status === undefined ? texts.jobs.noResponse : String(response.status));
  return `${request.method} ${request.path ?? ''} → ${ending}${took === undefined ? '' : `, ${texts.milliseconds(took)}`}`;
}
