import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect';
import { PassthruError } from '../core/errors.ts';

/** When a call has to end. Disposed of with the call, so that its signal does not fire for a call that has ended. */
export interface CallEnd extends Disposable {
  /** Fires with a PassthruError: `deadline_exceeded`, `cancelled` or, when the service ends the call, `shutting_down`. */
  signal: AbortSignal;
  /** Null when the caller set none. */
  deadline: Date | null;
}

/**
 * A caller's clock for a deadline starts before ours, by the time that the request took to come. One who leaves at most
 * so many milliseconds before our deadline has met it.
 */
const CLOCK_LEAD = 50;

/** The end of the call that `context` belongs to. */
export function callEnd(context: HandlerContext): CallEnd {
  const timeoutMs = context.timeoutMs();
  const deadline = timeoutMs === undefined ? null : new Date(Date.now() + timeoutMs);
  const controller = new AbortController();
  const { signal } = context;
  const fire = () => controller.abort(endReason(signal.reason, deadline));
  if (signal.aborted) fire();
  else signal.addEventListener('abort', fire, { once: true });
  return {
    signal: controller.signal,
    deadline,
    // Connect aborts its own signal after every call: an error made for nothing each time.
    [Symbol.dispose]: () => signal.removeEventListener('abort', fire),
  };
}

function endReason(reason: unknown, deadline: Date | null): PassthruError {
  if (reason instanceof PassthruError) return reason;
  const timedOut = reason instanceof ConnectError && reason.code === Code.DeadlineExceeded;
  if (timedOut || (deadline !== null && deadline.getTime() - CLOCK_LEAD <= Date.now())) {
    return new PassthruError('deadline_exceeded', 'The deadline of the call passed before it ended.');
  }
  return new PassthruError('cancelled', 'The caller cancelled the call or went away.');
}
