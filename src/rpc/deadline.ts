import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { PassthruError } from '../core/errors.ts';
import { MAX_DELAY } from '../core/waiting.ts';
import { callerGone, deadlinePassed } from './endReason.ts';
import { UnaryContext } from './unaryContext.ts';

/** When a call has to end. Disposed of with the call, so that its signal does not fire for one that has ended. */
export interface CallEnd extends Disposable {
  /** Aborted with kind `deadline_exceeded`, `cancelled`, or `shutting_down` when the service ends the call. */
  signal: AbortSignal;
  /** Null when the caller set none. */
  deadline: Date | null;
}

/** Returns the end of the call that `context` belongs to. */
export function callEnd(context: HandlerContext): CallEnd {
  if (context instanceof UnaryContext) return context;
  const timeoutMs = context.timeoutMs();
  const deadline = timeoutMs === undefined ? null : new Date(Date.now() + timeoutMs);
  const endsAt = timeoutMs === undefined ? null : performance.now() + timeoutMs;
  const controller = new AbortController();
  const { signal } = context;
  const fire = () => controller.abort(endReason(signal.reason, endsAt));
  if (signal.aborted) fire();
  else signal.addEventListener('abort', fire, { once: true });
  return {
    signal: controller.signal,
    deadline,
    // Connect aborts its own signal after every call, which would make an unused error each time.
    [Symbol.dispose]: () => signal.removeEventListener('abort', fire),
  };
}

function endReason(reason: unknown, endsAt: number | null): PassthruError {
  if (reason instanceof PassthruError) return reason;
  const timedOut = reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
  return timedOut ? deadlinePassed() : callerGone(endsAt);
}

const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/**
 * Clamps the timeout in the headers of a call to the longest that a timer can hold: for a call still over its maximum,
 * for a stream as good as none. Needed because Connect starts its timer before it checks the maximum.
 */
export function clampTimeout(headers: Headers): void {
  const [, count, unit] = /^(\d{1,8})([HMS])$/.exec(headers.get('Grpc-Timeout') ?? '') ?? [];
  if (Number(count) * (UNITS[unit ?? ''] ?? 0) > MAX_DELAY) {
    headers.set('Grpc-Timeout', `${Math.floor(MAX_DELAY / 1000)}S`);
  }
  const milliseconds = headers.get('Connect-Timeout-Ms') ?? '';
  if (/^\d{1,10}$/.test(milliseconds) && Number(milliseconds) > MAX_DELAY) {
    headers.set('Connect-Timeout-Ms', String(MAX_DELAY));
  }
}
