import { type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf';
import { ValueSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { useEffect, useRef, useState } from 'react';
import type { Reservation } from '../../../gen/passthru/v1/error_pb.ts';
import type { Job } from '../../../gen/passthru/v1/job_pb.ts';
import { type Attachment, PassthruService, Recording } from '../../../gen/passthru/v1/passthru_pb.ts';
import { liveJobs } from '../live/jobs.ts';
import { session } from '../session/session.ts';
import { type Failure, failureOf } from './failure.ts';
import type { Target } from './target.ts';

export interface CallInput {
  target: Target;
  method: string;
  httpMethod: string;
  arguments: JsonObject;
  /** Whether the transcript is kept however the call ends. */
  record: boolean;
}

/** How far a call is, and how it ended. */
export type CallState =
  | { status: 'idle' }
  | { status: 'calling' }
  /** Another holds the node; nothing has been called. */
  | { status: 'locked'; failure: Failure; lock: Reservation }
  | { status: 'waiting'; lock: Reservation }
  | { status: 'failed'; failure: Failure }
  | { status: 'result'; result: JsonValue; transcriptId: string }
  | { status: 'attachment'; attachment: Attachment; transcriptId: string }
  | { status: 'job'; job: Job };

/** Milliseconds between a refused try and the next: the page may be told late that the node is locked. */
const RETRY_PAUSE = 1000;

const client = createClient(PassthruService, session.transport);

/**
 * Makes calls, one at a time.
 * @param isFree whether the node is free, as far as the page knows: a call that waits is made then
 */
export function useCall(isFree: boolean) {
  const [state, setState] = useState<CallState>({ status: 'idle' });
  const waiting = useRef<{ input: CallInput; since: number } | null>(null);

  const call = async (input: CallInput, mayWait = false): Promise<CallState> => {
    waiting.current = null;
    setState({ status: 'calling' });
    const next = await outcomeOf(input);
    if (next.status === 'locked') waiting.current = { input, since: Date.now() };
    setState(next.status === 'locked' && mayWait ? { status: 'waiting', lock: next.lock } : next);
    return next;
  };

  useEffect(() => {
    if (state.status !== 'waiting' || !isFree) return;
    const { input, since } = waiting.current!;
    const timer = setTimeout(() => void call(input, true), Math.max(0, since + RETRY_PAUSE - Date.now()));
    return () => clearTimeout(timer);
  });

  return {
    state,
    call: (input: CallInput) => call(input),
    wait() {
      if (state.status === 'locked') setState({ status: 'waiting', lock: state.lock });
    },
    stopWaiting() {
      if (state.status === 'waiting') setState({ status: 'idle' });
    },
  };
}

async function outcomeOf({ target, record, ...input }: CallInput): Promise<CallState> {
  const call = {
    ...input,
    recording: record ? Recording.ALL : Recording.UNSPECIFIED,
    // A browser sends a request again whose connection was lost: it must not act twice.
    idempotencyKey: randomKey(),
  };
  try {
    const { outcome, transcriptId } = await (target.kind === 'driver'
      ? client.callDriverMethod({ ...call, driver: target.name })
      : // The page waits by itself, and shows for whom.
        client.callNodeMethod({ ...call, node: target.uuid, lockWait: { seconds: 0n, nanos: 0 } }));
    switch (outcome.case) {
      case 'job':
        liveJobs.put(outcome.value);
        return { status: 'job', job: outcome.value };
      case 'attachment':
        return { status: 'attachment', attachment: outcome.value, transcriptId };
      case 'result':
        return { status: 'result', result: toJson(ValueSchema, outcome.value), transcriptId };
      case undefined:
        return { status: 'result', result: null, transcriptId };
    }
  } catch (thrown) {
    const failure = failureOf(thrown);
    const lock = failure.detail?.lock;
    return lock === undefined ? { status: 'failed', failure } : { status: 'locked', failure, lock };
  }
}

/** As `crypto.randomUUID`, which a page has only by TLS or from this machine. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
